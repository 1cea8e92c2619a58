//! Plain lines, for logs: one at the start and the end of a phase, and one every few seconds between.

use std::time::{Duration, Instant};

use super::{Budget, Speed, doing, pace, troubles};
use crate::event::{Event, Observer, Phase, Progress};
use crate::harmless::for_terminal;
use crate::report::words::thousands;

/// How long lies between two lines.
const STEP: Duration = Duration::from_secs(5);

pub(super) struct Plain {
    budget: Budget,
    phase: Option<Phase>,
    total: Option<u64>,
    latest: Option<Progress>,
    said_at: Instant,
    speed: Speed,
}

impl Plain {
    pub(super) fn new(budget: Budget) -> Self {
        Self { budget, phase: None, total: None, latest: None, said_at: Instant::now(), speed: Speed::new() }
    }

    fn advance(&mut self, progress: &Progress) {
        let now = Instant::now();
        let speed = self.speed.of(progress.requests.read + progress.requests.write, now);
        self.latest = Some(progress.clone());
        if now - self.said_at >= STEP {
            self.said_at = now;
            self.line(progress, Some(speed));
        }
    }

    fn line(&self, progress: &Progress, speed: Option<f64>) {
        let Some(phase) = self.phase else { return };
        let of = self.total.map(|total| format!(" of {}", thousands(total))).unwrap_or_default();
        let mut words = vec![format!("{}: {}{of}", doing(phase), thousands(progress.done))];
        words.extend(speed.filter(|_| phase != Phase::Stage).map(|speed| pace(speed, &self.budget)));
        words.extend(troubles(progress));
        super::super::say(&words.join(" · "));
    }
}

impl Observer for Plain {
    fn observe(&mut self, event: &Event) {
        match event {
            Event::Started(phase, total) => {
                (self.phase, self.total, self.latest) = (Some(*phase), *total, None);
                self.said_at = Instant::now();
                self.speed = Speed::new();
            }
            Event::Progress(progress) => self.advance(progress),
            Event::Ended(_) => {
                if let Some(latest) = self.latest.take() {
                    self.line(&latest, None);
                }
            }
            Event::Waiting { reason, wait } => {
                super::super::say(&format!("waiting {wait:.0?}: {}", for_terminal(reason)));
            }
            Event::Detail(_) => {}
            Event::Notice(text) => super::super::say(&format!("note: {}", for_terminal(text))),
        }
    }
}
