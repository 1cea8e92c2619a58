//! Clerk's limits, kept by never asking for too much rather than by being refused.
//!
//! A permit is taken before each request is sent and given back when its answer has arrived or it was given up
//! ([`Permit`] does that when it is dropped). The window holds it back for one more period: that is what keeps the
//! budget, whatever the latency. Inside the window the pace spaces the permits of a run that may take only a share, and
//! the gate closes where the server says 429 all the same, because others use the key, too.
//!
//! Everyone who waits does so in line, first come, first served: in one line for the instance, and before that in one
//! for each user whose own budget is used up. Nobody holds a permit of the instance while waiting for one of a user.
//! All futures here can be dropped at any point; nothing is lost or left behind.

mod gate;
mod pace;
mod rate;
mod state;
mod window;

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock as _;
use tokio::sync::{Mutex as Line, Notify};
use tokio::time::sleep_until;

use self::gate::Evidence;
pub use self::gate::{Cause, ThrottleVerdict};
use self::pace::TokioClock;
pub use self::rate::{Rate, RateError, Share, ShareError, how_long};
use self::state::{Busy, State};
use self::window::{Full, UserKey};

/// What a run may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitConfig {
    /// The limit of the instance; `None` is no limit.
    pub rate: Option<Rate>,
    /// The limit of writes of each user; `None` is no limit.
    pub user_rate: Option<Rate>,
    /// How much of the instance's limit this run may take.
    pub share: Share,
}

/// Hands out permits for requests. Clones share everything.
#[derive(Debug, Clone)]
pub struct Limiter {
    shared: Arc<Shared>,
}

/// The right to send one request. Dropped when the answer has arrived or the request was given up, not earlier.
#[derive(Debug)]
#[must_use = "a permit that is dropped before the request was answered keeps no limit"]
pub struct Permit {
    shared: Arc<Shared>,
    user: Option<UserKey>,
    sent: bool,
}

/// An answer of 429.
#[derive(Debug, Clone, Copy)]
pub struct Throttled<'u> {
    /// The user that was written; `None` for a read.
    pub user: Option<&'u str>,
    /// How long the server asks to be left alone.
    pub retry_after: Option<Duration>,
    /// How long the request took, from sending to answer.
    pub round_trip: Duration,
}

/// How things stand, for a display.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimitState {
    /// Permits that are out: requests under way, and those of the last period.
    pub in_use: u32,
    /// How many permits there are; `None` is no limit.
    pub capacity: Option<u32>,
    /// The share that may be taken now: the configured one, or less where there was other traffic.
    pub share: Share,
    /// How many requests a second that is in the long run; `None` is no limit.
    pub per_second: Option<f64>,
    /// For how long nothing may be sent, and why.
    pub closed: Option<(Duration, Cause)>,
}

#[derive(Debug)]
struct Shared {
    clock: TokioClock,
    hasher: RandomState,
    /// Whoever is first in line for a permit of the instance.
    line: Line<()>,
    /// An answer has arrived: for whoever is first in line and waits for nothing else.
    answered: Notify,
    /// The same for those who wait for a user.
    user_answered: Notify,
    state: Mutex<State>,
}

impl Limiter {
    /// A limiter with all permits at hand.
    pub fn new(config: LimitConfig) -> Self {
        let clock = TokioClock::start();
        let shared = Shared {
            clock,
            hasher: RandomState::new(),
            line: Line::new(()),
            answered: Notify::new(),
            user_answered: Notify::new(),
            state: Mutex::new(State::new(config, clock)),
        };
        Self { shared: Arc::new(shared) }
    }

    /// A limiter that has permits for everyone at once, for as long as no 429 comes.
    pub fn unlimited() -> Self {
        Self::new(LimitConfig { rate: None, user_rate: None, share: Share::FULL })
    }

    /// Waits for the right to send one read.
    pub async fn acquire_read(&self) -> Permit {
        while self.shared.take_of_instance(None).await.is_err() {}
        Permit { shared: Arc::clone(&self.shared), user: None, sent: true }
    }

    /// Waits for the right to send one write of a user.
    pub async fn acquire_write(&self, user_id: &str) -> Permit {
        let user = self.shared.key(user_id);
        loop {
            let place = self.shared.take_of_user(user).await;
            if self.shared.take_of_instance(Some(user)).await.is_ok() {
                place.keep();
                return Permit { shared: Arc::clone(&self.shared), user: Some(user), sent: true };
            }
        }
    }

    /// Takes note of an answer of 429, and says what it leads to. The caller repeats the request with a new permit.
    pub fn throttled(&self, what: Throttled<'_>) -> ThrottleVerdict {
        let evidence = Evidence {
            user: what.user.map(|user_id| self.shared.key(user_id)),
            retry_after: what.retry_after,
            round_trip: what.round_trip,
            jitter: fastrand::f64(),
        };
        self.shared.with(|state, now| state.throttled(evidence, now))
    }

    /// How things stand.
    pub fn state(&self) -> LimitState {
        self.shared.with(State::snapshot)
    }
}

impl Permit {
    /// Gives the permit back at once: no request was sent with it, and none will be.
    pub fn unused(mut self) {
        self.sent = false;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let (user, sent) = (self.user, self.sent);
        self.shared.with(|state, now| if sent { state.give_back(user, now) } else { state.put_back(user) });
        self.shared.answered.notify_one();
        if user.is_some() {
            self.shared.user_answered.notify_waiters();
        }
    }
}

impl Shared {
    fn key(&self, user_id: &str) -> UserKey {
        self.hasher.hash_one(user_id)
    }

    /// Looks at the state at one moment. The time is read under the lock, so that it never runs backwards in there.
    fn with<R>(&self, look: impl FnOnce(&mut State, Duration) -> R) -> R {
        // Nothing in here panics halfway through a change, so a poisoned lock holds a state as good as any.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        look(&mut state, self.clock.now())
    }

    /// Takes a permit of the instance, in line.
    async fn take_of_instance(&self, user: Option<UserKey>) -> Result<(), Busy> {
        let _turn = self.line.lock().await;
        loop {
            // Made before looking, so that no answer in between is missed.
            let answered = self.answered.notified();
            match self.with(|state, now| state.take(user, now)) {
                Ok(()) => return Ok(()),
                Err(Busy::Until(until)) => sleep_until(self.clock.moment(until)).await,
                Err(Busy::UntilAnswered) => answered.await,
                Err(Busy::UserDeferred) => return Err(Busy::UserDeferred),
            }
        }
    }

    /// Takes a permit of a user, in that user's line if there is one.
    async fn take_of_user(&self, user: UserKey) -> Place<'_> {
        let Some(line) = self.with(|state, now| state.take_or_queue(user, now)) else {
            return Place { shared: self, user };
        };
        let queued = Queued { shared: self, user, line };
        let _turn = queued.line.lock().await;
        loop {
            let answered = self.user_answered.notified();
            match self.with(|state, now| state.take_of_user(user, now)) {
                Ok(()) => return Place { shared: self, user },
                Err(Full { until: Some(until) }) => sleep_until(self.clock.moment(until)).await,
                Err(Full { until: None }) => answered.await,
            }
        }
    }
}

/// A permit of a user that no request was sent with yet; it is put back unless kept.
struct Place<'s> {
    shared: &'s Shared,
    user: UserKey,
}

impl Place<'_> {
    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.shared.with(|state, _| state.release(self.user));
        self.shared.user_answered.notify_waiters();
    }
}

/// Somebody in a user's line.
struct Queued<'s> {
    shared: &'s Shared,
    user: UserKey,
    line: Arc<Line<()>>,
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.shared.with(|state, _| state.leave(self.user, &self.line));
    }
}

#[cfg(test)]
mod tests;
