//! All that the limiter knows, at one moment.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex as Line;

use super::gate::{Evidence, Gate, ThrottleVerdict};
use super::pace::{Pace, TokioClock};
use super::rate::{Rate, Share};
use super::window::{Full, UserKey, UserWindows, Window, cooldown};
use super::{LimitConfig, LimitState};

/// The window, the users' windows and the gate; whoever looks at them holds a lock and knows the time.
#[derive(Debug)]
pub(super) struct State {
    gate: Gate,
    instance: Option<Instance>,
    users: Option<UserWindows>,
    /// The lines before users whose budget is used up.
    pub(super) lines: HashMap<UserKey, Arc<Line<()>>>,
}

/// The instance's budget, and the share of it that may be taken.
#[derive(Debug)]
struct Instance {
    rate: Rate,
    clock: TokioClock,
    /// The share that the window and the pace are made for.
    share: Share,
    window: Window,
    /// `None` at a full share.
    pace: Option<Pace>,
}

/// Why there is no permit of the instance yet.
#[derive(Debug, Clone, Copy)]
pub(super) enum Busy {
    Until(Duration),
    UntilAnswered,
    /// The user was deferred while the write stood in line.
    UserDeferred,
}

impl State {
    pub(super) fn new(config: LimitConfig, clock: TokioClock) -> Self {
        Self {
            gate: Gate::new(config.rate.unwrap_or(Rate::LIVE).period(), config.share),
            instance: config.rate.map(|rate| Instance::new(rate, config.share, clock)),
            users: config.user_rate.map(|rate| UserWindows::new(rate.count(), cooldown(rate.period()))),
            lines: HashMap::new(),
        }
    }

    /// Takes a permit of the instance for a read, or for a write of a user.
    pub(super) fn take(&mut self, user: Option<UserKey>, now: Duration) -> Result<(), Busy> {
        if let Some((until, _)) = self.gate.closed(now) {
            return Err(Busy::Until(until));
        }
        if user.is_some_and(|user| self.gate.deferred(user, now).is_some()) {
            return Err(Busy::UserDeferred);
        }
        let Some(instance) = &mut self.instance else { return Ok(()) };
        instance.set_share(self.gate.share(now));
        instance.take(now)
    }

    /// Takes a permit of a user.
    pub(super) fn take_of_user(&mut self, user: UserKey, now: Duration) -> Result<(), Full> {
        if let Some(until) = self.gate.deferred(user, now) {
            return Err(Full { until: Some(until) });
        }
        self.users.as_mut().map_or(Ok(()), |users| users.take(user, now))
    }

    /// Takes a permit of a user, or says which line to join.
    pub(super) fn take_or_queue(&mut self, user: UserKey, now: Duration) -> Option<Arc<Line<()>>> {
        if !self.lines.contains_key(&user) && self.take_of_user(user, now).is_ok() {
            return None;
        }
        Some(Arc::clone(self.lines.entry(user).or_default()))
    }

    /// Puts back a permit of a user that no request was sent with.
    pub(super) fn release(&mut self, user: UserKey) {
        if let Some(users) = &mut self.users {
            users.release(user);
        }
    }

    /// Puts back a permit that no request was sent with.
    pub(super) fn put_back(&mut self, user: Option<UserKey>) {
        if let Some(instance) = &mut self.instance {
            instance.window.put_back();
        }
        if let Some(user) = user {
            self.release(user);
        }
    }

    /// Leaves a user's line; the last one out takes the line away.
    pub(super) fn leave(&mut self, user: UserKey, line: &Arc<Line<()>>) {
        // Lines are joined under the same lock only: if there are but the map's and this one, nobody else is in it.
        if Arc::strong_count(line) == 2 {
            self.lines.remove(&user);
        }
    }

    /// Takes note of a 429.
    pub(super) fn throttled(&mut self, evidence: Evidence, now: Duration) -> ThrottleVerdict {
        self.gate.throttled(evidence, now)
    }

    /// Notes that a request was answered or given up.
    pub(super) fn give_back(&mut self, user: Option<UserKey>, now: Duration) {
        if let Some(instance) = &mut self.instance {
            instance.window.give_back(now);
        }
        if let (Some(users), Some(user)) = (&mut self.users, user) {
            users.give_back(user, now);
        }
    }

    /// How things stand.
    pub(super) fn snapshot(&mut self, now: Duration) -> LimitState {
        let share = self.gate.share(now);
        let closed = self.gate.closed(now).map(|(until, cause)| (until.saturating_sub(now), cause));
        let Some(instance) = &mut self.instance else {
            return LimitState { in_use: 0, capacity: None, share, per_second: None, closed };
        };
        instance.set_share(share);
        LimitState {
            in_use: instance.window.in_use(now),
            capacity: Some(instance.window.capacity()),
            share,
            per_second: Some(instance.rate.per_second(share)),
            closed,
        }
    }
}

impl Instance {
    fn new(rate: Rate, share: Share, clock: TokioClock) -> Self {
        let window = Window::new(rate.budget(share), cooldown(rate.period()));
        Self { rate, clock, share, window, pace: Self::pace(rate, share, clock) }
    }

    /// The pace of a share; a full one is not shaped.
    fn pace(rate: Rate, share: Share, clock: TokioClock) -> Option<Pace> {
        if share == Share::FULL { None } else { Pace::new(rate.budget(share), rate.period(), clock) }
    }

    fn set_share(&mut self, share: Share) {
        if share != self.share {
            self.share = share;
            self.window.set_capacity(self.rate.budget(share));
            self.pace = Self::pace(self.rate, share, self.clock);
        }
    }

    fn take(&mut self, now: Duration) -> Result<(), Busy> {
        self.window.check(now).map_err(|full| full.until.map_or(Busy::UntilAnswered, Busy::Until))?;
        // The pace comes last: a place in it is used up by being asked for.
        if let Some(pace) = &self.pace {
            pace.check().map_err(Busy::Until)?;
        }
        self.window.take();
        Ok(())
    }
}
