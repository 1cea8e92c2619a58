//! One JSON object a line, for programs.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::doing;
use crate::event::{Event, Observer, Phase, Progress};
use crate::outcome::Outcome;
use crate::report::json::to_text;

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
        say(&json!({
            "event": "progress", "phase": self.phase.map(doing), "done": progress.done, "users": users,
            "in_flight": progress.in_flight,
            "requests": {"read": requests.read, "write": requests.write, "retried": requests.retried,
                         "throttled": requests.throttled},
        }));
    }
}

/// Says one object; standard error may be a terminal, and a notice may quote data.
fn say(value: &Value) {
    super::super::say(&to_text(value));
}

impl Observer for Lines {
    fn observe(&mut self, event: &Event) {
        match event {
            Event::Started(phase, total) => {
                (self.phase, self.latest) = (Some(*phase), None);
                say(&json!({"event": "started", "phase": doing(*phase), "total": total}));
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
                say(&json!({"event": "ended", "phase": doing(*phase)}));
            }
            Event::Waiting { reason, wait } => {
                say(&json!({"event": "waiting", "reason": reason, "seconds": wait.as_secs_f64()}));
            }
            Event::Detail(_) => {}
            Event::Notice(text) => say(&json!({"event": "notice", "text": text})),
        }
    }
}
