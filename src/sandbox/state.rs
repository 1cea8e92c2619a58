//! Everything that the connections of one sandbox share.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum as _;

use super::Config;
use super::error::ApiError;
use super::fault::{FaultKind, Faults};
use super::limit::{Entity, Limits};
use super::rate::Rate;
use super::truth::{Book, Truth};
use super::world::World;
use super::world::id::mix;
use super::world::profile::Metadata;

/// The period that windows are measured by where there is no limit.
const USUAL_PERIOD: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct State {
    pub(super) config: Config,
    world: Mutex<World>,
    limits: Mutex<Limits>,
    faults: Mutex<Faults>,
    book: Mutex<Book>,
    pace: Mutex<Pace>,
    keys: Mutex<Keys>,
    traces: AtomicU64,
}

/// How long the way to the sandbox and back takes.
#[derive(Debug)]
pub(super) struct Pace {
    pub(super) latency: Duration,
    pub(super) jitter: Duration,
    dice: fastrand::Rng,
}

/// What is known about keys.
#[derive(Debug, Default)]
struct Keys {
    revoked: HashSet<String>,
    last: Option<String>,
}

impl State {
    pub(super) fn new(config: Config, world: World) -> Self {
        let epoch = Instant::now();
        let rate = config.limit.rate("");
        let windows = rate.unwrap_or(Rate::new(u32::MAX, USUAL_PERIOD));
        let pace = Pace {
            latency: config.latency,
            jitter: config.jitter,
            dice: fastrand::Rng::with_seed(config.seed ^ 0x5eed),
        };
        Self {
            world: Mutex::new(world),
            limits: Mutex::new(Limits::new(config.window, config.count_refused, epoch)),
            faults: Mutex::new(Faults::new(config.faults.clone(), config.seed)),
            book: Mutex::new(Book::new(epoch, windows, rate.is_some(), config.user_limit)),
            pace: Mutex::new(pace),
            keys: Mutex::default(),
            traces: AtomicU64::new(0),
            config,
        }
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    pub(super) fn pace(&self) -> MutexGuard<'_, Pace> {
        lock(&self.pace)
    }

    /// What was seen so far.
    pub(super) fn truth(&self) -> Truth {
        let fired = self.faults().fired.clone();
        let name = |kind: FaultKind| kind.to_possible_value().map(|value| value.get_name().to_owned());
        let faults = fired.into_iter().filter_map(|(kind, count)| Some((name(kind)?, count))).collect();
        Truth { faults, ..self.book().snapshot() }
    }

    /// Forgets what was seen so far.
    pub(super) fn reset_truth(&self) {
        self.faults().fired.clear();
        self.book().reset();
    }

    /// The ids of the users in the order they were written.
    pub(super) fn write_order(&self) -> Vec<String> {
        let order = self.book().order().to_vec();
        let world = self.world();
        order.into_iter().map(|slot| world.profile(slot).id.clone()).collect()
    }

    /// Changes what a user holds behind everybody's back, and returns what it then holds.
    pub(super) fn write_directly(&self, user_id: &str, change: impl FnOnce(&mut Metadata)) -> Option<Metadata> {
        let mut world = self.world();
        let slot = world.slot(user_id)?;
        let mut metadata = world.metadata(slot).into_owned();
        change(&mut metadata);
        world.set_metadata(slot, metadata.clone());
        Some(metadata)
    }

    /// An identifier for one answer.
    pub(super) fn trace_id(&self) -> String {
        let n = mix(self.config.seed ^ self.traces.fetch_add(1, Ordering::Relaxed).rotate_left(40));
        format!("{n:016x}{:016x}", mix(n))
    }

    /// Looks at a key, unless it was revoked.
    pub(super) fn with_revoked<T>(&self, look: impl FnOnce(&HashSet<String>) -> T) -> T {
        look(&lock(&self.keys).revoked)
    }

    /// Lets nobody in with a key any more.
    pub(super) fn revoke(&self, key: &str) {
        lock(&self.keys).revoked.insert(key.to_owned());
    }

    /// Counts a request on its key.
    pub(super) fn count(&self, key: &str) -> Result<(), ApiError> {
        let rate = self.config.limit.rate(key);
        let now = Instant::now();
        let taken = rate.map_or(Ok(()), |rate| lock(&self.limits).take_instance(key, rate, now));
        let mut book = self.book();
        book.limit_is(rate);
        book.arrive(now);
        drop(book);
        if self.config.other_traffic.is_some() {
            lock(&self.keys).last = Some(key.to_owned());
        }
        taken.map_err(throttled)
    }

    /// Counts a write to what is written.
    pub(super) fn count_write(&self, entity: Entity) -> Result<(), ApiError> {
        let Some(rate) = self.config.user_limit else { return Ok(()) };
        let now = Instant::now();
        let taken = lock(&self.limits).take_entity(entity, rate, now);
        if let Entity::User(slot) = entity {
            self.book().arrive_write(slot, now);
        }
        taken.map_err(throttled)
    }

    /// Counts a request of the live application on the key that was used last.
    pub(super) fn count_other(&self) {
        let Some(key) = lock(&self.keys).last.clone() else { return };
        let taken = match self.config.limit.rate(&key) {
            Some(rate) => lock(&self.limits).take_instance(&key, rate, Instant::now()),
            None => Ok(()),
        };
        self.book().other(taken.is_err());
    }
}

impl Pace {
    /// How long the way of one request is, in all.
    pub(super) fn draw(&mut self) -> Duration {
        if self.jitter.is_zero() { self.latency } else { self.latency + self.jitter.mul_f64(self.dice.f64()) }
    }
}

fn throttled(wait: Duration) -> ApiError {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    ApiError::throttled(Some(seconds.max(1)))
}

/// A panic elsewhere leaves counters and maps whole, so that a poisoned lock is no reason to stop.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
