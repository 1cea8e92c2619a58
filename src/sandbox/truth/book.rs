//! The book in which the sandbox writes down what it sees.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use hyper::Version;
use serde_json::value::RawValue;

use super::super::limit::turn;
use super::super::rate::Rate;
use super::super::route::Kind;
use super::{SeenBody, Truth};

/// How many bodies are kept at most.
const MOST_BODIES: usize = 100_000;

/// The book that is kept.
#[derive(Debug)]
pub(in crate::sandbox) struct Book {
    epoch: Instant,
    /// Of the instance limit, for its windows.
    rate: Rate,
    user_rate: Option<Rate>,
    truth: Truth,
    arrivals: VecDeque<Instant>,
    fixed: (u128, u64),
    in_flight: u64,
    users_in_flight: HashMap<u32, u64>,
    per_user: HashMap<u32, u32>,
    per_user_arrivals: HashMap<u32, VecDeque<Instant>>,
    sweep_at: usize,
    order: Vec<u32>,
    bodies: HashMap<u32, Vec<SeenBody>>,
    bodies_kept: usize,
}

impl Book {
    pub(in crate::sandbox) fn new(epoch: Instant, rate: Rate, limited: bool, user_rate: Option<Rate>) -> Self {
        let mut truth = Truth::default();
        truth.windows.period_ms = u64::try_from(rate.period.as_millis()).unwrap_or(u64::MAX);
        truth.windows.limit = limited.then_some(rate.count);
        Self {
            epoch,
            rate,
            user_rate,
            truth,
            arrivals: VecDeque::new(),
            fixed: (0, 0),
            in_flight: 0,
            users_in_flight: HashMap::new(),
            per_user: HashMap::new(),
            per_user_arrivals: HashMap::new(),
            sweep_at: 16_384,
            order: Vec::new(),
            bodies: HashMap::new(),
            bodies_kept: 0,
        }
    }

    /// Forgets everything but what is under way.
    pub(in crate::sandbox) fn reset(&mut self) {
        let fresh = Self::new(self.epoch, self.rate, self.truth.windows.limit.is_some(), self.user_rate);
        let (in_flight, users_in_flight) = (self.in_flight, std::mem::take(&mut self.users_in_flight));
        *self = Self { in_flight, users_in_flight, ..fresh };
    }

    /// A limit for the windows, once the key that decides it is known.
    pub(in crate::sandbox) fn limit_is(&mut self, rate: Option<Rate>) {
        self.truth.windows.limit = rate.map(|rate| rate.count);
    }

    /// A connection is open.
    pub(in crate::sandbox) fn connected(&mut self) {
        self.truth.connections += 1;
    }

    /// A request has come.
    pub(in crate::sandbox) fn enter(&mut self) {
        self.in_flight += 1;
        self.truth.max_in_flight = self.truth.max_in_flight.max(self.in_flight);
    }

    /// A request is gone.
    pub(in crate::sandbox) fn leave(&mut self) {
        self.in_flight -= 1;
    }

    /// A request reaches the counter.
    pub(in crate::sandbox) fn arrive(&mut self, now: Instant) {
        slide(&mut self.arrivals, self.rate, now);
        let windows = &mut self.truth.windows;
        windows.max_sliding = windows.max_sliding.max(self.arrivals.len() as u64);
        let turn = turn(now, self.rate, self.epoch);
        self.fixed = if self.fixed.0 == turn { (turn, self.fixed.1 + 1) } else { (turn, 1) };
        windows.max_fixed = windows.max_fixed.max(self.fixed.1);
    }

    /// A write to a user has come.
    pub(in crate::sandbox) fn enter_write(&mut self, user: u32) {
        let under_way = self.users_in_flight.entry(user).or_default();
        *under_way += 1;
        let writes = &mut self.truth.writes;
        writes.max_in_flight_per_user = writes.max_in_flight_per_user.max(*under_way);
    }

    /// A write to a user is gone.
    pub(in crate::sandbox) fn leave_write(&mut self, user: u32) {
        if let Some(under_way) = self.users_in_flight.get_mut(&user) {
            *under_way -= 1;
            if *under_way == 0 {
                self.users_in_flight.remove(&user);
            }
        }
    }

    /// A write to a user reaches the counter.
    pub(in crate::sandbox) fn arrive_write(&mut self, user: u32, now: Instant) {
        let Some(rate) = self.user_rate else { return };
        if self.per_user_arrivals.len() >= self.sweep_at {
            self.per_user_arrivals.retain(|_, times| times.back().is_some_and(|&last| last + rate.period > now));
            self.sweep_at = (2 * self.per_user_arrivals.len()).max(16_384);
        }
        let times = self.per_user_arrivals.entry(user).or_default();
        slide(times, rate, now);
        let writes = &mut self.truth.writes;
        writes.max_per_user_in_window = writes.max_per_user_in_window.max(times.len() as u64);
    }

    /// A write to a user was applied.
    pub(in crate::sandbox) fn applied(&mut self, user: u32) {
        let count = self.per_user.entry(user).or_default();
        *count += 1;
        let writes = &mut self.truth.writes;
        writes.applied += 1;
        writes.max_per_user = writes.max_per_user.max(u64::from(*count));
        self.order.push(user);
    }

    /// A request has ended.
    pub(in crate::sandbox) fn end(&mut self, kind: Kind, method: &str, version: Version, status: u16) {
        let truth = &mut self.truth;
        truth.total += 1;
        *truth.requests.entry(kind.name()).or_default().entry(status).or_default() += 1;
        *truth.by_status.entry(status).or_default() += 1;
        *truth.protocols.entry(if version == Version::HTTP_2 { "h2" } else { "http/1.1" }).or_default() += 1;
        truth.throttled += u64::from(status == 429);
        match method {
            "GET" => truth.gets += 1,
            "PATCH" => truth.patches += 1,
            "PUT" => truth.puts += 1,
            _ => truth.others += 1,
        }
    }

    /// Keeps what was sent to a user.
    pub(in crate::sandbox) fn keep_body(&mut self, user: u32, method: &str, status: u16, body: &[u8]) {
        if self.bodies_kept >= MOST_BODIES {
            self.truth.writes.bodies_dropped += 1;
            return;
        }
        self.bodies_kept += 1;
        let text = std::str::from_utf8(body).ok().map(str::to_owned);
        let body = text.and_then(|text| RawValue::from_string(text).ok());
        self.bodies.entry(user).or_default().push(SeenBody { method: method.to_owned(), status, body });
    }

    /// What was sent to a user.
    pub(in crate::sandbox) fn bodies(&self, user: u32) -> Vec<SeenBody> {
        self.bodies.get(&user).cloned().unwrap_or_default()
    }

    /// The users in the order they were written.
    pub(in crate::sandbox) fn order(&self) -> &[u32] {
        &self.order
    }

    /// Somebody else has sent a request with the same key.
    pub(in crate::sandbox) fn other(&mut self, throttled: bool) {
        self.truth.other_traffic.sent += 1;
        self.truth.other_traffic.throttled += u64::from(throttled);
    }

    /// What was seen so far.
    pub(in crate::sandbox) fn snapshot(&self) -> Truth {
        let mut truth = self.truth.clone();
        truth.writes.users = self.per_user.len() as u64;
        truth
    }
}

/// Adds a moment and forgets those that are a period ago.
fn slide(times: &mut VecDeque<Instant>, rate: Rate, now: Instant) {
    while times.front().is_some_and(|&time| time + rate.period <= now) {
        times.pop_front();
    }
    times.push_back(now);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Windows;
    use super::*;

    #[test]
    fn windows_of_both_kinds_are_measured() {
        let epoch = Instant::now();
        let rate = Rate::new(5, Duration::from_millis(100));
        let mut book = Book::new(epoch, rate, true, None);
        for ms in [80, 90, 99, 101, 110, 300] {
            book.arrive(epoch + Duration::from_millis(ms));
        }
        let windows = book.snapshot().windows;
        assert_eq!(windows, Windows { period_ms: 100, limit: Some(5), max_sliding: 5, max_fixed: 3 });
    }

    #[test]
    fn writes_are_counted_for_each_user() {
        let epoch = Instant::now();
        let mut book = Book::new(epoch, Rate::new(5, Duration::from_secs(1)), true, None);
        book.enter_write(1);
        book.enter_write(1);
        book.leave_write(1);
        for user in [1, 2, 1] {
            book.applied(user);
        }
        let writes = book.snapshot().writes;
        assert_eq!((writes.applied, writes.users, writes.max_per_user), (3, 2, 2));
        assert_eq!(writes.max_in_flight_per_user, 2);
        assert_eq!(book.order(), [1, 2, 1]);
    }
}
