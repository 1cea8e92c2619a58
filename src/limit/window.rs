//! The permit window: the rule that keeps the budget, without a clock.
//!
//! A request can reach the server's counter at any time between the moment it is sent and the moment its answer arrives
//! or it is given up. A permit is therefore out from before the sending until one full period, and a small margin,
//! *after* that. All requests that arrive in any one stretch of the server's time as long as a period hold their permits
//! together at its end; so there are never more of them than permits, be the server's window sliding or fixed.
//!
//! Times are durations since an origin that the caller keeps.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// How long a permit stays out after the answer: a period, and a little more for clocks that do not run quite alike
/// (a thousandth; real ones differ by less than half of that) and for a server that counts in whole milliseconds.
pub(super) fn cooldown(period: Duration) -> Duration {
    period + period / 1000 + Duration::from_millis(2)
}

/// The permits of one budget.
#[derive(Debug)]
pub(super) struct Window {
    capacity: u32,
    cooldown: Duration,
    in_flight: u32,
    /// When the permits of answered requests come back, earliest first.
    cooling: VecDeque<Duration>,
}

/// No permit is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full {
    /// When the next one comes back; `None` while that depends on requests in flight alone.
    pub(super) until: Option<Duration>,
}

impl Window {
    pub(super) const fn new(capacity: u32, cooldown: Duration) -> Self {
        Self { capacity, cooldown, in_flight: 0, cooling: VecDeque::new() }
    }

    /// Permits may be fewer than are out: then none is given until enough have come back.
    pub(super) const fn set_capacity(&mut self, capacity: u32) {
        self.capacity = capacity;
    }

    pub(super) const fn capacity(&self) -> u32 {
        self.capacity
    }

    /// How many permits are out.
    pub(super) fn in_use(&mut self, now: Duration) -> u32 {
        while self.cooling.front().is_some_and(|back| *back <= now) {
            self.cooling.pop_front();
        }
        // Permits are counted in 32 bits, so those that cool are no more than that.
        self.in_flight + u32::try_from(self.cooling.len()).unwrap_or(u32::MAX - self.in_flight)
    }

    /// Whether [`Self::take`] may be called, and if not, when to ask again.
    pub(super) fn check(&mut self, now: Duration) -> Result<(), Full> {
        let used = self.in_use(now);
        if used < self.capacity {
            return Ok(());
        }
        // That many must come back before one is free: more than one where the capacity has shrunk.
        let missing = (used - self.capacity) as usize;
        Err(Full { until: self.cooling.get(missing).copied() })
    }

    /// Takes a permit; [`Self::check`] has just said that there is one.
    pub(super) const fn take(&mut self) {
        self.in_flight += 1;
    }

    /// Puts back a permit that no request was sent with.
    pub(super) const fn put_back(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Notes that a request was answered or given up.
    pub(super) fn give_back(&mut self, now: Duration) {
        self.in_flight = self.in_flight.saturating_sub(1);
        // The clock of one process does not run backwards, but several threads may read it and arrive in another order.
        let back = (now + self.cooldown).max(self.cooling.back().copied().unwrap_or_default());
        self.cooling.push_back(back);
    }
}

/// A user, by a hash of the id. Two users with the same hash share one budget, which is harmless.
pub(super) type UserKey = u64;

/// The permits of every user, all with the same budget. Only users with permits out take up memory.
#[derive(Debug)]
pub(super) struct UserWindows {
    capacity: u32,
    cooldown: Duration,
    out: HashMap<UserKey, u32>,
    /// When permits come back and whose they are, earliest first.
    cooling: VecDeque<(Duration, UserKey)>,
}

impl UserWindows {
    pub(super) fn new(capacity: u32, cooldown: Duration) -> Self {
        Self { capacity, cooldown, out: HashMap::new(), cooling: VecDeque::new() }
    }

    /// Takes a permit of a user's budget, or says when the next one comes back.
    pub(super) fn take(&mut self, user: UserKey, now: Duration) -> Result<(), Full> {
        while let Some((_, key)) = self.cooling.pop_front_if(|(back, _)| *back <= now) {
            self.release(key);
        }
        let out = self.out.entry(user).or_default();
        if *out < self.capacity {
            *out += 1;
            return Ok(());
        }
        Err(Full { until: self.cooling.iter().find(|(_, key)| *key == user).map(|(back, _)| *back) })
    }

    /// Puts back a permit that no request was sent with.
    pub(super) fn release(&mut self, user: UserKey) {
        if let Some(out) = self.out.get_mut(&user) {
            *out -= 1;
            if *out == 0 {
                self.out.remove(&user);
            }
        }
    }

    /// Notes that a user's request was answered or given up.
    pub(super) fn give_back(&mut self, user: UserKey, now: Duration) {
        let back = (now + self.cooldown).max(self.cooling.back().map(|(back, _)| *back).unwrap_or_default());
        self.cooling.push_back((back, user));
    }

    #[cfg(test)]
    pub(super) fn users(&self) -> usize {
        self.out.len()
    }
}

#[cfg(test)]
mod tests;
