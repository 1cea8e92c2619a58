//! The pace inside the permit window: below a full share, permits are issued evenly, with a small burst.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use super::rate;

/// Time since the limiter was made, by tokio's clock, so that a test that pauses time pauses this, too.
#[derive(Debug, Clone, Copy)]
pub(super) struct TokioClock {
    origin: Instant,
}

impl TokioClock {
    pub(super) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// The moment that lies so long after the origin, for sleeping; far beyond any run, a century is as good as never.
    pub(super) fn moment(self, at: Duration) -> Instant {
        self.origin + at.min(Duration::from_hours(24 * 36_500))
    }
}

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// Even spacing of a budget over its period.
#[derive(Debug)]
pub(super) struct Pace {
    clock: TokioClock,
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>,
}

impl Pace {
    /// The pace of `budget` requests in `period`; `None` where they would be less than a nanosecond apart.
    pub(super) fn new(budget: u32, period: Duration, clock: TokioClock) -> Option<Self> {
        let burst = NonZeroU32::new(rate::burst(budget))?;
        let quota = Quota::with_period(period / budget)?.allow_burst(burst);
        Some(Self { clock, limiter: RateLimiter::direct_with_clock(quota, clock) })
    }

    /// Uses up one place, or says when there is one.
    pub(super) fn check(&self) -> Result<(), Duration> {
        self.limiter.check().map_err(|not_until| {
            let now = self.clock.now();
            now + not_until.wait_time_from(now)
        })
    }
}
