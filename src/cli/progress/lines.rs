//! One JSON object a line, for programs.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::doing;
use crate::event::{Event, Observer, Phase, Progress};
use crate::outcome::Outcome;

/// How long lies between two lines of progress.
const STEP: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Lines {
    phase: Option<Phase>,
    said_at: Option<Instant>,
    latest: Option<Progress>,
}

impl Lines {
    fn line(&self, progress: &Progress) {
        let users: Map<String, Value> = Outcome::ALL
            .into_iter()
            .filter(|outcome| progress.tally.get(*outcome) > 0)
            .map(|outcome| (outcome.word().to_owned(), progress.tally.get(outcome).into()))
            .collect();
        let requests = progress.requests;
        super::super::say(
            &json!({
                "event": "progress", "phase": self.phase.map(doing), "done": progress.done, "users": users,
                "in_flight": progress.in_flight,
                "requests": {"read": requests.read, "write": requests.write, "retried": requests.retried,
                             "throttled": requests.throttled},
            })
            .to_string(),
        );
    }
}

impl Observer for Lines {
    fn observe(&mut self, event: &Event) {
        match event {
            Event::Started(phase, total) => {
                (self.phase, self.latest) = (Some(*phase), None);
                super::super::say(&json!({"event": "started", "phase": doing(*phase), "total": total}).to_string());
            }
            Event::Progress(progress) => {
                self.latest = Some(progress.clone());
                if self.said_at.is_none_or(|at| at.elapsed() >= STEP) {
                    self.said_at = Some(Instant::now());
                    self.line(progress);
                }
            }
            Event::Ended(phase) => {
                if let Some(latest) = self.latest.take() {
                    self.line(&latest);
                }
                super::super::say(&json!({"event": "ended", "phase": doing(*phase)}).to_string());
            }
            Event::Waiting { reason, wait } => super::super::say(
                &json!({"event": "waiting", "reason": reason, "seconds": wait.as_secs_f64()}).to_string(),
            ),
            Event::Detail(_) => {}
            Event::Notice(text) => super::super::say(&json!({"event": "notice", "text": text}).to_string()),
        }
    }
}
