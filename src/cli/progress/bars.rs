//! Live bars, for a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::{Budget, Speed, doing, pace, troubles};
use crate::event::{Event, Observer, Phase, Progress};
use crate::harmless::for_terminal;

/// One bar a phase; the bar of a phase that is over stays on the screen.
pub(super) struct Bars {
    budget: Budget,
    bar: ProgressBar,
    phase: Option<Phase>,
    speed: Speed,
}

impl Bars {
    pub(super) fn new(budget: Budget) -> Self {
        Self { budget, bar: ProgressBar::hidden(), phase: None, speed: Speed::new() }
    }

    fn start(&mut self, phase: Phase, total: Option<u64>) {
        self.speed = Speed::new();
        self.phase = Some(phase);
        self.bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let counted = "{prefix:>10.bold} {bar:40.green/dim} {human_pos}/{human_len}\n           {wide_msg:.dim}";
        let open = "{prefix:>10.bold} {spinner:.green} {human_pos} rows\n           {wide_msg:.dim}";
        let template = if total.is_some() { counted } else { open };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.progress_chars("━╸━"));
        }
        self.bar.set_prefix(doing(phase));
        self.bar.enable_steady_tick(Duration::from_millis(120));
    }

    fn advance(&mut self, progress: &Progress) {
        let requests = progress.requests.read + progress.requests.write;
        let speed = self.speed.of(requests, Instant::now());
        let mut words = Vec::new();
        if self.phase == Some(Phase::Apply) {
            words.extend(self.left().map(|left| format!("{left} left")));
            words.push(pace(speed, &self.budget));
        }
        words.extend(troubles(progress));
        self.bar.set_position(progress.done);
        self.bar.set_message(words.join(" · "));
    }

    /// How long it still takes at the speed of this bar.
    fn left(&self) -> Option<String> {
        let left = self.bar.eta();
        (self.bar.position() > 0 && left > Duration::ZERO).then(|| crate::report::words::duration(left))
    }

    fn end(&mut self) {
        self.bar.disable_steady_tick();
        self.bar.abandon();
        self.phase = None;
    }
}

impl Observer for Bars {
    fn observe(&mut self, event: &Event) {
        match event {
            Event::Started(phase, total) => self.start(*phase, *total),
            Event::Progress(progress) => self.advance(progress),
            Event::Ended(_) => self.end(),
            Event::Waiting { reason, wait } => {
                self.bar.set_message(format!("waiting {:.0?}: {}", wait, for_terminal(reason)));
            }
            Event::Detail(_) => {}
            Event::Notice(text) => self.bar.suspend(|| super::super::say(&format!("note: {}", for_terminal(text)))),
        }
    }
}
