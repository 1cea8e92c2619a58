//! How a person, or a program, watches a run: all of it on standard error.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use super::args::{LookArgs, ProgressArg};
use crate::event::{Event, Observer, Phase, Progress};
use crate::limit::{Rate, Share};
use crate::outcome::Outcome;

mod bars;
mod lines;
mod plain;

/// What the run is measured against, in words: `50% of 1000/10s`.
#[derive(Debug, Clone)]
pub(crate) struct Budget(Option<String>);

impl Budget {
    pub(crate) fn of(rate: Option<Rate>, share: Share) -> Self {
        let words = |rate: Rate| if share == Share::FULL { rate.to_string() } else { format!("{share} of {rate}") };
        Self(rate.map(words))
    }
}

/// The onlooker that was asked for.
pub(crate) fn observer(look: &LookArgs, budget: Budget) -> Box<dyn Observer> {
    let observer = chosen(look, budget);
    if look.verbose { Box::new(Talkative(observer)) } else { observer }
}

fn chosen(look: &LookArgs, budget: Budget) -> Box<dyn Observer> {
    let terminal = std::io::stderr().is_terminal();
    match look.progress {
        _ if look.quiet => Box::new(crate::event::Quiet),
        ProgressArg::None => Box::new(Notices),
        ProgressArg::Json => Box::new(lines::Lines::default()),
        ProgressArg::Bar => Box::new(bars::Bars::new(budget)),
        ProgressArg::Auto if terminal => Box::new(bars::Bars::new(budget)),
        ProgressArg::Plain | ProgressArg::Auto => Box::new(plain::Plain::new(budget)),
    }
}

/// Says what is worth saying once, and nothing else.
struct Notices;

impl Observer for Notices {
    fn observe(&mut self, event: &Event) {
        if let Event::Notice(text) = event {
            super::say(&format!("note: {}", crate::harmless::for_terminal(text)));
        }
    }
}

/// Says the details as well.
struct Talkative(Box<dyn Observer>);

impl Observer for Talkative {
    fn observe(&mut self, event: &Event) {
        match event {
            Event::Detail(text) => self.0.observe(&Event::Notice(text.clone())),
            event => self.0.observe(event),
        }
    }
}

/// The name of a phase, while it runs.
const fn doing(phase: Phase) -> &'static str {
    match phase {
        Phase::Stage => "reading",
        Phase::Compare => "comparing",
        Phase::Apply => "applying",
    }
}

/// Requests a second over the last few seconds.
#[derive(Debug)]
struct Speed {
    samples: std::collections::VecDeque<(Instant, u64)>,
}

/// How far back the speed looks.
const SPEED_WINDOW: Duration = Duration::from_secs(10);

impl Speed {
    const fn new() -> Self {
        Self { samples: std::collections::VecDeque::new() }
    }

    /// Takes note of a count and gives its growth per second.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people needs no more than 52 bits")]
    fn of(&mut self, count: u64, now: Instant) -> f64 {
        self.samples.push_back((now, count));
        while self.samples.len() > 2 && self.samples.front().is_some_and(|(at, _)| now - *at > SPEED_WINDOW) {
            self.samples.pop_front();
        }
        let Some((since, before)) = self.samples.front() else { return 0.0 };
        let seconds = (now - *since).as_secs_f64();
        if seconds < 0.05 { 0.0 } else { (count - before) as f64 / seconds }
    }
}

/// What did not go well so far, in a few words.
fn troubles(progress: &Progress) -> Vec<String> {
    let mut said = Vec::new();
    if progress.requests.throttled > 0 {
        said.push(format!("{} throttled", progress.requests.throttled));
    }
    for outcome in [Outcome::Rejected, Outcome::NotFound, Outcome::Ambiguous, Outcome::TooLarge, Outcome::Blocked] {
        let n = progress.tally.get(outcome);
        if n > 0 {
            said.push(format!("{n} {}", outcome.word().replace('_', " ")));
        }
    }
    for outcome in [Outcome::Drifted, Outcome::Failed] {
        let n = progress.tally.get(outcome);
        if n > 0 {
            said.push(format!("{n} {outcome}"));
        }
    }
    said
}

/// The speed against what is allowed.
fn pace(speed: f64, budget: &Budget) -> String {
    let digits = usize::from(speed < 10.0);
    let limit = budget.0.as_ref().map(|limit| format!(" (limit {limit})")).unwrap_or_default();
    format!("{speed:.digits$}/s{limit}")
}
