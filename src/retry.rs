//! What a failed request means, and what to do about it.

use std::time::Duration;

/// Why a request did not do what it was sent for. It is data, not an error: it ends up in a row's outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What it means for the row.
    pub kind: FailureKind,
    /// The HTTP status, where an answer came.
    pub status: Option<u16>,
    /// The API's code, or one of our own, such as `timeout`.
    pub code: String,
    /// What the API says, or what happened, as a lower-case fragment.
    pub message: String,
    /// Clerk's trace id, for their support.
    pub trace_id: Option<String>,
    /// How long the server asks to be left alone.
    pub retry_after: Option<Duration>,
}

/// The code of an answer that is larger than any that is taken in: half of what was asked for may be answered.
pub const ANSWER_TOO_LARGE: &str = "answer_too_large";

/// What a failure means for the row. Each variant says whether it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// 429. Tried again when the limit allows; does not count as an attempt.
    Throttled,
    /// 409 `resource_locked`. Tried again; nothing was written.
    Locked,
    /// No connection came about, so nothing was sent. Tried again.
    NotSent,
    /// A timeout, a cut connection, 408, a 5xx, or an answer that cannot be understood: the write may have landed.
    /// Settled by reading the user again.
    Ambiguous,
    /// 401 or 403: the key is refused. Stops the run.
    KeyRefused,
    /// 404: no such user. Final.
    NotFound,
    /// 422 `form_param_exceeds_allowed_size`. Final.
    TooLarge,
    /// Any other answer that is no success. Final.
    Refused,
}

/// How often and how long a row is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The most attempts; those that were throttled do not count.
    pub max_attempts: u32,
    /// The longest that one user's attempts may take together.
    pub max_elapsed: Duration,
    /// The upper bound of the first delay; it doubles with each attempt.
    pub base_delay: Duration,
    /// The upper bound that the delays grow to.
    pub max_delay: Duration,
}

impl RetryPolicy {
    /// A policy of so many attempts, with delays up to 0.5 s, 1 s, 2 s … 30 s, five minutes in all.
    pub const fn with_attempts(max_attempts: u32) -> Self {
        Self {
            max_attempts,
            max_elapsed: Duration::from_mins(5),
            base_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(30),
        }
    }

    /// Decides after a failed attempt. `attempt` counts from 1, `jitter` is a random number in 0..1 (full jitter: the
    /// delay lies anywhere between nothing and its bound), `spent` is the time that the attempts and the delays between
    /// them took; what was waited for a permit is not part of it.
    pub fn decide(&self, failure: &Failure, attempt: u32, spent: Duration, jitter: f64) -> Decision {
        match failure.kind {
            FailureKind::KeyRefused => Decision::StopTheRun,
            // The limiter knows how long to wait.
            FailureKind::Throttled if spent <= self.max_elapsed => Decision::After(Duration::ZERO),
            FailureKind::Throttled | FailureKind::NotFound | FailureKind::TooLarge | FailureKind::Refused => {
                Decision::GiveUp
            }
            FailureKind::Locked | FailureKind::NotSent | FailureKind::Ambiguous => {
                let delay = self.delay(attempt, jitter).max(failure.retry_after.unwrap_or_default());
                if attempt >= self.max_attempts || spent.saturating_add(delay) > self.max_elapsed {
                    return Decision::GiveUp;
                }
                Decision::After(delay)
            }
        }
    }

    /// The delay before the attempt that follows `attempt`.
    pub fn delay(&self, attempt: u32, jitter: f64) -> Duration {
        let doubled = self.base_delay.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
        doubled.min(self.max_delay).mul_f64(jitter.clamp(0.0, 1.0))
    }
}

/// What to do after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Try again after so long; an ambiguous failure only after reading the user.
    After(Duration),
    /// The row has failed.
    GiveUp,
    /// Nothing can succeed any more.
    StopTheRun,
}
