//! What the phases share: the run they work on, the API they talk to, and the reasons for which they end early.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use crate::event::{Event, Observer, Requests};
use crate::guard::Limit;
use crate::limit::{Cause, Limiter};
use crate::retry::{Failure, FailureKind, RetryPolicy};
use crate::run_file::{RunFile, RunFileError};
use crate::stop::{Stop, Urgency};

/// Everything a phase works with.
#[expect(missing_debug_implementations, reason = "an observer has none")]
pub struct Work<'w, T> {
    /// The run.
    pub run: &'w mut RunFile,
    /// The API.
    pub api: Api<T>,
    /// How it goes about it.
    pub pacing: &'w Pacing,
    /// Whoever looks on.
    pub observer: &'w mut dyn Observer,
    /// Whether to stop.
    pub stop: Stop,
    /// When this process began to work on the run; ages of comparisons count from here.
    pub began: Instant,
}

impl<T> Work<'_, T> {
    /// How long this process had worked on the run at some time, in milliseconds.
    pub fn ms_at(&self, at: Instant) -> i64 {
        i64::try_from(at.saturating_duration_since(self.began).as_millis()).unwrap_or(i64::MAX)
    }

    /// Says something once.
    pub fn notice(&mut self, text: impl Into<String>) {
        self.observer.observe(&Event::Notice(text.into()));
    }

    /// Says that nothing is sent for a while, unless that was `said` already; gives whether it is so.
    pub fn tell_waiting(&mut self, said: bool) -> bool {
        let Some((wait, cause)) = self.api.limiter.state().closed else { return false };
        if !said {
            let reason = match cause {
                Cause::Read => "the API answered a read with 429",
                Cause::SeveralUsers => "the API answered writes of several users with 429",
            };
            let reason = format!("{reason}, so something else uses this key's limit, too");
            self.observer.observe(&Event::Waiting { reason, wait });
        }
        true
    }

    /// Whether nothing new is to be begun.
    pub fn is_draining(&self) -> bool {
        self.stop.urgency() > Urgency::None
    }
}

/// The API with its limits; every request of every phase goes through here.
#[derive(Debug)]
pub struct Api<T> {
    /// What is read and written.
    pub target: Arc<T>,
    /// When it may be.
    pub limiter: Arc<Limiter>,
    /// What was sent.
    pub sent: Arc<Sent>,
    /// How often and how long a request is tried.
    pub policy: RetryPolicy,
}

// Not derived: a target need not be cloneable itself.
impl<T> Clone for Api<T> {
    fn clone(&self) -> Self {
        Self {
            target: Arc::clone(&self.target),
            limiter: Arc::clone(&self.limiter),
            sent: Arc::clone(&self.sent),
            policy: self.policy,
        }
    }
}

/// Counts of what this process sent.
#[derive(Debug, Default)]
pub struct Sent {
    /// Reads.
    pub read: AtomicU64,
    /// Writes.
    pub write: AtomicU64,
    /// Those that repeated an earlier request.
    pub retried: AtomicU64,
    /// Those that were answered with 429.
    pub throttled: AtomicU64,
}

impl Sent {
    /// The counts now.
    pub fn snapshot(&self) -> Requests {
        Requests {
            read: self.read.load(Relaxed),
            write: self.write.load(Relaxed),
            retried: self.retried.load(Relaxed),
            throttled: self.throttled.load(Relaxed),
        }
    }
}

/// How the phases go about it; it may differ from session to session.
#[derive(Debug, Clone, PartialEq)]
pub struct Pacing {
    /// The most writes under way at once.
    pub max_in_flight: usize,
    /// How old a comparison may be when its change is sent.
    pub max_age: Duration,
    /// How often and how long a request is tried.
    pub retry: RetryPolicy,
    /// How many changes may fail before the run is aborted.
    pub max_failures: Limit,
    /// How many changes must have been tried before a share of failures means anything.
    pub failures_count_from: u64,
    /// The names of guards that are lifted.
    pub allow: Vec<String>,
}

/// How a phase came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// Nothing is left to do.
    Done,
    /// It was asked to stop.
    Interrupted,
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Abort {
    /// The key is refused.
    #[error("the API refuses the key: {0}; check CLERK_SECRET_KEY, then continue with `metapatch resume`")]
    KeyRefused(String),
    /// Reads keep failing.
    #[error("the API cannot be read: {0}; continue with `metapatch resume` when it is back")]
    CannotRead(String),
    /// A list came back with users that nobody asked for.
    #[error(
        "the API answered with users that were not asked for, such as `{user_id}`, so its filter by {kind} cannot be \
         trusted; nothing that it said was used"
    )]
    FilterIgnored {
        /// One of them.
        user_id: String,
        /// What was asked for.
        kind: &'static str,
    },
    /// The first writes were answered, but did nothing.
    #[error("the first {0} writes were answered with success but changed nothing, so no more were sent")]
    NothingApplied(u32),
    /// Too many changes failed.
    #[error("{failed} of {tried} changes failed, which is more than --max-failures {limit} allows")]
    TooManyFailures {
        /// How many failed.
        failed: u64,
        /// How many were tried.
        tried: u64,
        /// The limit.
        limit: Limit,
    },
    /// The source broke.
    #[error(transparent)]
    Source(#[from] crate::source::SourceError),
    /// The run file cannot be used.
    #[error(transparent)]
    RunFile(#[from] RunFileError),
}

impl Abort {
    /// A word for machines.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::KeyRefused(_) => "key_refused",
            Self::CannotRead(_) => "api_unavailable",
            Self::FilterIgnored { .. } => "filter_ignored",
            Self::NothingApplied(_) => "nothing_applied",
            Self::TooManyFailures { .. } => "too_many_failures",
            Self::Source(_) => "source",
            Self::RunFile(_) => "run_file",
        }
    }

    /// The abort that a failed read means.
    pub fn of_read(failure: &Failure) -> Self {
        let said = describe(failure);
        if failure.kind == FailureKind::KeyRefused { Self::KeyRefused(said) } else { Self::CannotRead(said) }
    }
}

/// A failure in one sentence.
pub fn describe(failure: &Failure) -> String {
    let status = failure.status.map(|status| format!("{status} ")).unwrap_or_default();
    format!("{status}{}: {}", failure.code, failure.message)
}

#[cfg(test)]
mod tests;
