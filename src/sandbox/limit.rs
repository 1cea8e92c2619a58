//! The two levels of limits: the instance, and each user, organization or membership that is written.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::rate::Rate;

/// How requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Window {
    /// In any stretch of one period.
    #[default]
    Sliding,
    /// In stretches of one period that follow one another, from the start on.
    Fixed,
}

/// What has a limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Entity {
    /// A user, by slot.
    User(u32),
    /// An organization, by number.
    Organization(u32),
    /// A membership: organization and user.
    Membership(u32, u32),
}

/// How many entities are remembered before the idle ones are forgotten.
const SWEEP_AT: usize = 16_384;

/// The counters of everything that is limited.
#[derive(Debug)]
pub(super) struct Limits {
    window: Window,
    /// Whether a refused request counts as well.
    count_refused: bool,
    epoch: Instant,
    instances: HashMap<String, Counter>,
    entities: HashMap<Entity, Counter>,
    sweep_at: usize,
}

impl Limits {
    pub(super) fn new(window: Window, count_refused: bool, epoch: Instant) -> Self {
        let (instances, entities) = (HashMap::new(), HashMap::new());
        Self { window, count_refused, epoch, instances, entities, sweep_at: SWEEP_AT }
    }

    /// Counts a request on a key, or says after how long there is room again.
    pub(super) fn take_instance(&mut self, key: &str, rate: Rate, now: Instant) -> Result<(), Duration> {
        if !self.instances.contains_key(key) {
            self.instances.insert(key.to_owned(), Counter::default());
        }
        let counter = self.instances.get_mut(key).expect("it was put there just now");
        counter.take(rate, self.window, self.count_refused, self.epoch, now)
    }

    /// Counts a write to an entity, or says after how long there is room again.
    pub(super) fn take_entity(&mut self, entity: Entity, rate: Rate, now: Instant) -> Result<(), Duration> {
        if self.entities.len() >= self.sweep_at {
            self.entities.retain(|_, counter| counter.last.is_some_and(|last| last + rate.period > now));
            self.sweep_at = (2 * self.entities.len()).max(SWEEP_AT);
        }
        let counter = self.entities.entry(entity).or_default();
        counter.take(rate, self.window, self.count_refused, self.epoch, now)
    }
}

/// The requests of one window.
#[derive(Debug, Default)]
struct Counter {
    times: VecDeque<Instant>,
    last: Option<Instant>,
}

impl Counter {
    fn take(
        &mut self,
        rate: Rate,
        window: Window,
        count_refused: bool,
        epoch: Instant,
        now: Instant,
    ) -> Result<(), Duration> {
        self.last = Some(now);
        self.forget(rate, window, epoch, now);
        let room = self.times.len() < usize::try_from(rate.count).unwrap_or(usize::MAX);
        if room || count_refused {
            self.times.push_back(now);
        }
        if room { Ok(()) } else { Err(self.wait(rate, window, epoch, now)) }
    }

    fn forget(&mut self, rate: Rate, window: Window, epoch: Instant, now: Instant) {
        match window {
            Window::Sliding => {
                while self.times.front().is_some_and(|&time| time + rate.period <= now) {
                    self.times.pop_front();
                }
            }
            Window::Fixed => {
                if self.times.back().is_some_and(|&time| turn(time, rate, epoch) != turn(now, rate, epoch)) {
                    self.times.clear();
                }
            }
        }
    }

    fn wait(&self, rate: Rate, window: Window, epoch: Instant, now: Instant) -> Duration {
        match window {
            Window::Sliding => {
                let over = self.times.len().saturating_sub(usize::try_from(rate.count).unwrap_or(usize::MAX));
                self.times.get(over).map_or(rate.period, |&time| (time + rate.period).saturating_duration_since(now))
            }
            Window::Fixed => {
                let past = now.saturating_duration_since(epoch).as_nanos() % rate.period.as_nanos();
                rate.period.saturating_sub(Duration::from_nanos(u64::try_from(past).unwrap_or(0)))
            }
        }
    }
}

/// Which fixed window a moment falls into.
pub(super) fn turn(time: Instant, rate: Rate, epoch: Instant) -> u128 {
    time.saturating_duration_since(epoch).as_nanos() / rate.period.as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate::new(3, Duration::from_millis(100));

    fn at(epoch: Instant, ms: u64) -> Instant {
        epoch + Duration::from_millis(ms)
    }

    #[test]
    fn a_sliding_window_frees_one_at_a_time() {
        let epoch = Instant::now();
        let mut limits = Limits::new(Window::Sliding, false, epoch);
        for ms in [0, 10, 20] {
            assert_eq!(limits.take_instance("k", RATE, at(epoch, ms)), Ok(()));
        }
        assert_eq!(limits.take_instance("k", RATE, at(epoch, 30)), Err(Duration::from_millis(70)));
        assert_eq!(limits.take_instance("other", RATE, at(epoch, 30)), Ok(()));
        assert_eq!(limits.take_instance("k", RATE, at(epoch, 100)), Ok(()));
        assert!(limits.take_instance("k", RATE, at(epoch, 101)).is_err());
    }

    #[test]
    fn a_fixed_window_frees_all_at_once() {
        let epoch = Instant::now();
        let mut limits = Limits::new(Window::Fixed, false, epoch);
        let user = Entity::User(7);
        for _ in 0..3 {
            assert_eq!(limits.take_entity(user, RATE, at(epoch, 90)), Ok(()));
        }
        assert_eq!(limits.take_entity(user, RATE, at(epoch, 95)), Err(Duration::from_millis(5)));
        for _ in 0..3 {
            assert_eq!(limits.take_entity(user, RATE, at(epoch, 101)), Ok(()));
        }
    }

    #[test]
    fn refused_requests_count_where_that_is_wanted() {
        let epoch = Instant::now();
        let mut limits = Limits::new(Window::Sliding, true, epoch);
        for ms in [0, 0, 0, 50, 60, 70] {
            let _ = limits.take_instance("k", RATE, at(epoch, ms));
        }
        assert_eq!(limits.take_instance("k", RATE, at(epoch, 120)), Err(Duration::from_millis(40)));
    }
}
