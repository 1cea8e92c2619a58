//! What answers of 429 lead to: a user is left alone for a while, or everything is, and the share shrinks.
//!
//! A 429 does not say which level it is from. The rules, without a clock (times are durations since an origin):
//!
//! - The first on a write defers that user alone. One on a read, or one on a second user within a round trip of the
//!   first, is about the whole instance: the gate closes for everyone.
//! - Both last as long as `Retry-After` says; else for a random time below a bound that doubles each time, from a second
//!   up to half a minute.
//! - Each closing is evidence of other traffic on the key, which comes first: the share shrinks to 70 % of what it was,
//!   but not below 10 % of what was configured. With every full period that the gate is open and no 429 comes, it grows
//!   by 5 % of what was configured.
//! - Requests that were under way when the gate closed and come back with a 429, too, are the same evidence: they put the
//!   deadline off, and no more.

use std::collections::HashMap;
use std::time::Duration;

use super::rate::Share;
use super::window::UserKey;

/// What a closing leaves of the share.
const SHRINK: Share = Share::of_percent(70);
/// The least that is ever left of the configured share.
const FLOOR: Share = Share::of_percent(10);
/// How much of the configured share comes back with each calm period.
const GROWTH: Share = Share::of_percent(5);

/// The bound of the first wait where the server names none.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The bound that the waits grow to.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A shorter wait would tell nothing new.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

/// Why the gate is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A read was answered with 429.
    Read,
    /// Writes of several users were, within one round trip.
    SeveralUsers,
}

/// What a 429 led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleVerdict {
    /// That user is left alone for so long.
    UserDeferred {
        /// How long from now.
        wait: Duration,
    },
    /// Nothing is sent for so long, and less after that.
    GateClosed {
        /// How long from now.
        wait: Duration,
        /// What is left of the share.
        share: Share,
        /// Why.
        cause: Cause,
    },
    /// The gate had closed while the request was under way; it stays closed for so long.
    StillClosed {
        /// How long from now.
        wait: Duration,
    },
}

/// An answer of 429.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    /// The user who was written; `None` for a read.
    pub(super) user: Option<UserKey>,
    pub(super) retry_after: Option<Duration>,
    /// From the sending to the answer.
    pub(super) round_trip: Duration,
    /// A random number in 0..1.
    pub(super) jitter: f64,
}

#[derive(Debug)]
pub(super) struct Gate {
    /// After so long without a 429, things are calm.
    period: Duration,
    /// The configured share.
    share: Share,
    /// What is left of it.
    factor: Share,
    /// Since when no calm period has been counted.
    restless_until: Duration,
    last_closing: Option<Closing>,
    /// Closings without a calm period between them.
    streak: u32,
    deferred: HashMap<UserKey, Deferral>,
}

#[derive(Debug)]
struct Closing {
    at: Duration,
    until: Duration,
    wait: Duration,
    cause: Cause,
}

#[derive(Debug)]
struct Deferral {
    at: Duration,
    until: Duration,
    times: u32,
}

impl Gate {
    pub(super) fn new(period: Duration, share: Share) -> Self {
        Self {
            period,
            share,
            factor: Share::FULL,
            restless_until: Duration::ZERO,
            last_closing: None,
            streak: 0,
            deferred: HashMap::new(),
        }
    }

    /// Until when nothing may be sent, and why.
    pub(super) fn closed(&self, now: Duration) -> Option<(Duration, Cause)> {
        let closing = self.last_closing.as_ref()?;
        (closing.until > now).then_some((closing.until, closing.cause))
    }

    /// Until when a user is to be left alone.
    pub(super) fn deferred(&self, user: UserKey, now: Duration) -> Option<Duration> {
        self.deferred.get(&user).map(|deferral| deferral.until).filter(|until| *until > now)
    }

    /// The share that may be taken now.
    pub(super) fn share(&mut self, now: Duration) -> Share {
        self.recover(now);
        self.share.scaled(self.factor)
    }

    /// Counts the calm periods since the share shrank.
    fn recover(&mut self, now: Duration) {
        let calm = now.saturating_sub(self.restless_until).as_nanos() / self.period.as_nanos().max(1);
        if calm > 0 && (self.streak > 0 || self.factor < Share::FULL) {
            let calm = u32::try_from(calm).unwrap_or(u32::MAX);
            self.factor = self.factor.plus(GROWTH, calm);
            self.restless_until = self.restless_until.saturating_add(self.period.saturating_mul(calm));
            self.streak = 0;
        }
    }

    /// Takes note of a 429.
    pub(super) fn throttled(&mut self, evidence: Evidence, now: Duration) -> ThrottleVerdict {
        self.recover(now);
        let sent = now.saturating_sub(evidence.round_trip);
        let verdict = match self.last_closing.as_mut().filter(|closing| now < closing.until || sent <= closing.at) {
            Some(closing) => closing.put_off(evidence, now),
            None => match (evidence.user, self.suspects_another(evidence.user, sent)) {
                (Some(user), false) => self.defer(user, evidence, now),
                (Some(_), true) => self.close(Cause::SeveralUsers, evidence, now),
                (None, _) => self.close(Cause::Read, evidence, now),
            },
        };
        let open = self.last_closing.as_ref().map_or(now, |closing| closing.until.max(now));
        self.restless_until = self.restless_until.max(open);
        verdict
    }

    /// Whether another user was answered with 429 since `since`.
    fn suspects_another(&self, user: Option<UserKey>, since: Duration) -> bool {
        self.deferred.iter().any(|(key, deferral)| Some(*key) != user && deferral.at >= since)
    }

    fn defer(&mut self, user: UserKey, evidence: Evidence, now: Duration) -> ThrottleVerdict {
        // Who has not been heard of for a period is forgotten, so that this holds the users of the last moments only.
        let forgotten = now.saturating_sub(self.period);
        self.deferred.retain(|_, deferral| deferral.until > forgotten);
        let times = self.deferred.get(&user).map_or(1, |deferral| deferral.times.saturating_add(1));
        let wait = evidence.wait(times);
        self.deferred.insert(user, Deferral { at: now, until: now.saturating_add(wait), times });
        ThrottleVerdict::UserDeferred { wait }
    }

    fn close(&mut self, cause: Cause, evidence: Evidence, now: Duration) -> ThrottleVerdict {
        self.streak = self.streak.saturating_add(1);
        self.factor = self.factor.scaled(SHRINK).max(FLOOR);
        let wait = evidence.wait(self.streak);
        self.last_closing = Some(Closing { at: now, until: now.saturating_add(wait), wait, cause });
        ThrottleVerdict::GateClosed { wait, share: self.share.scaled(self.factor), cause }
    }
}

impl Closing {
    fn put_off(&mut self, evidence: Evidence, now: Duration) -> ThrottleVerdict {
        // Rolling the dice anew for each of many requests under way would come out at the bound every time.
        let wait = evidence.named_wait().unwrap_or(self.wait);
        self.until = self.until.max(now.saturating_add(wait));
        ThrottleVerdict::StillClosed { wait: self.until.saturating_sub(now) }
    }
}

impl Evidence {
    fn named_wait(&self) -> Option<Duration> {
        self.retry_after.map(|wait| wait.max(SHORTEST_WAIT))
    }

    /// How long to wait after the `times`-th 429 in a row.
    fn wait(&self, times: u32) -> Duration {
        self.named_wait().unwrap_or_else(|| {
            let doubled = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(times.saturating_sub(1)));
            doubled.min(LONGEST_WAIT).mul_f64(self.jitter.clamp(0.0, 1.0)).max(SHORTEST_WAIT)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(10);

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn on(user: Option<UserKey>, retry_after: Option<u64>) -> Evidence {
        Evidence { user, retry_after: retry_after.map(s), round_trip: Duration::from_millis(200), jitter: 0.5 }
    }

    fn share(gate: &mut Gate, at: u64) -> String {
        gate.share(s(at)).to_string()
    }

    #[test]
    fn the_first_429_on_a_user_defers_that_user_alone() {
        let mut gate = Gate::new(PERIOD, Share::FULL);
        let verdict = gate.throttled(on(Some(1), Some(3)), s(5));
        assert_eq!(verdict, ThrottleVerdict::UserDeferred { wait: s(3) });
        assert_eq!(gate.deferred(1, s(7)), Some(s(8)));
        assert_eq!((gate.deferred(1, s(8)), gate.deferred(2, s(7)), gate.closed(s(7))), (None, None, None));
        assert_eq!(gate.share(s(7)), Share::FULL);
    }

    #[test]
    fn the_same_user_again_is_deferred_longer_and_nobody_else() {
        let mut gate = Gate::new(PERIOD, Share::FULL);
        for (at, wait) in [(5, 500), (6, 1000), (8, 2000), (12, 4000), (18, 8000), (30, 15_000), (46, 15_000)] {
            let verdict = gate.throttled(on(Some(1), None), s(at));
            assert_eq!(verdict, ThrottleVerdict::UserDeferred { wait: Duration::from_millis(wait) }, "at {at}");
        }
        let later = gate.throttled(on(Some(1), None), s(200));
        assert_eq!(later, ThrottleVerdict::UserDeferred { wait: Duration::from_millis(500) });
    }

    #[test]
    fn two_users_within_a_round_trip_close_the_gate_and_two_far_apart_do_not() {
        let mut gate = Gate::new(PERIOD, Share::FULL);
        gate.throttled(on(Some(1), Some(1)), s(5));
        assert!(matches!(gate.throttled(on(Some(2), Some(1)), s(6)), ThrottleVerdict::UserDeferred { .. }));
        let verdict = gate.throttled(on(Some(3), Some(4)), s(6) + Duration::from_millis(150));
        let share = Share::of_percent(70);
        assert_eq!(verdict, ThrottleVerdict::GateClosed { wait: s(4), share, cause: Cause::SeveralUsers });
        assert_eq!(gate.closed(s(10)), Some((Duration::from_millis(10_150), Cause::SeveralUsers)));
        assert_eq!(gate.closed(s(11)), None);
    }

    #[test]
    fn requests_under_way_put_the_deadline_off_but_shrink_nothing() {
        let mut gate = Gate::new(PERIOD, Share::FULL);
        gate.throttled(on(None, Some(2)), s(5));
        let sooner = gate.throttled(on(Some(1), Some(1)), s(5));
        assert_eq!(sooner, ThrottleVerdict::StillClosed { wait: s(2) });
        let later = gate.throttled(on(None, Some(3)), s(6));
        assert_eq!(later, ThrottleVerdict::StillClosed { wait: s(3) });
        // A slow one, sent before the gate closed, comes back when it is open again.
        let slow = Evidence { round_trip: s(6), ..on(None, Some(1)) };
        assert_eq!(gate.throttled(slow, s(10)), ThrottleVerdict::StillClosed { wait: s(1) });
        assert_eq!(gate.share(s(10)), Share::of_percent(70));
        assert_eq!(gate.deferred(1, s(5)), None);
    }

    #[test]
    fn the_share_shrinks_with_each_closing_to_a_floor_and_grows_back_with_calm() {
        let mut gate = Gate::new(PERIOD, Share::FULL);
        let mut seen = Vec::new();
        for n in 0..9_u64 {
            gate.throttled(on(None, Some(1)), s(5 + 2 * n));
            seen.push(share(&mut gate, 5 + 2 * n));
        }
        assert_eq!(seen, ["70%", "49%", "34.3%", "24.01%", "16.8%", "11.76%", "10%", "10%", "10%"]);
        // The gate opens at 22; the first calm period ends at 32.
        assert_eq!([31, 32, 41, 42, 62].map(|at| share(&mut gate, at)), ["10%", "15%", "15%", "20%", "30%"]);
        // A 429 on one user alone is no evidence of other traffic, but it is no calm either.
        gate.throttled(on(Some(1), Some(1)), s(69));
        assert_eq!([72, 78, 79].map(|at| share(&mut gate, at)), ["30%", "30%", "35%"]);
        assert_eq!([100_000, 200_000].map(|at| share(&mut gate, at)), ["100%", "100%"]);
    }

    #[test]
    fn waits_without_retry_after_grow_and_start_over_after_a_calm_period() {
        let mut gate = Gate::new(PERIOD, Share::FULL);
        let mut wait = |at: u64, jitter: f64| match gate.throttled(Evidence { jitter, ..on(None, None) }, s(at)) {
            ThrottleVerdict::GateClosed { wait, .. } => wait.as_millis(),
            other => panic!("{other:?}"),
        };
        assert_eq!([wait(5, 1.0), wait(7, 1.0), wait(10, 0.25), wait(12, 0.0)], [1000, 2000, 1000, 100]);
        assert_eq!([wait(14, 1.0), wait(31, 0.5)], [16_000, 15_000]);
        assert_eq!(wait(57, 1.0), 1000);
    }

    #[test]
    fn a_configured_share_is_what_shrinks() {
        let mut gate = Gate::new(PERIOD, Share::HALF);
        gate.throttled(on(None, Some(1)), s(5));
        assert_eq!([5, 16, 1000].map(|at| share(&mut gate, at)), ["35%", "37.5%", "50%"]);
    }

    #[test]
    fn waits_for_ever_do_not_overflow() {
        let mut gate = Gate::new(PERIOD, Share::FULL);
        gate.throttled(on(None, Some(u64::MAX)), s(5));
        gate.throttled(on(Some(1), Some(u64::MAX)), s(6));
        assert!(gate.closed(s(1_000_000)).is_some());
        assert_eq!(gate.share(s(1_000_000)), Share::of_percent(70));
    }
}
