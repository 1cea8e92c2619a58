//! A run told to a person on a terminal: before it is applied ([`preview`]) and after it ([`ending`]).
//!
//! Colour only repeats what the words say, so that plain text reads the same. Every value passes through
//! [`crate::harmless`] before it is laid out.

use anstyle::{AnsiColor, Style};

use crate::harmless::for_terminal;
use crate::outcome::Outcome;
use crate::patch::Mode;
use crate::report::summary::{InstanceKind, Summary};
use crate::report::words::{count, thousands};
use crate::spec::Format;

mod causes;
pub mod cell;
mod ending;
mod hint;
mod preview;
mod table;

use causes::troubles;
pub use ending::ending;
pub use preview::{plan, preview};

/// The narrowest page; on a narrower terminal lines break by themselves.
const NARROWEST: usize = 60;

/// The widest lines of running text that are easy to read.
const WIDEST_TEXT: usize = 100;

/// How a page looks: whether it has colours, and how wide it is.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    colored: bool,
    width: usize,
}

impl Look {
    /// Without any escape sequences.
    pub const fn plain(width: usize) -> Self {
        Self { colored: false, width: if width < NARROWEST { NARROWEST } else { width } }
    }

    /// With colours.
    pub const fn colored(width: usize) -> Self {
        Self { colored: true, ..Self::plain(width) }
    }

    /// How many columns a line may take.
    pub const fn width(self) -> usize {
        self.width
    }

    /// What was written or comes.
    pub fn good(self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    /// What failed or goes.
    pub fn bad(self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default(), text)
    }

    /// What deserves attention.
    pub fn warn(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default(), text)
    }

    /// What can be skipped.
    pub fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// What carries the page.
    pub fn strong(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.colored && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn outcome(self, outcome: Outcome, text: &str) -> String {
        match outcome {
            Outcome::Applied => self.good(text),
            Outcome::Planned => self.strong(text),
            Outcome::Unchanged | Outcome::Pending => self.dim(text),
            Outcome::Rejected | Outcome::Failed => self.bad(text),
            Outcome::NotFound | Outcome::Ambiguous | Outcome::TooLarge | Outcome::Blocked | Outcome::Drifted => {
                self.warn(text)
            }
        }
    }
}

/// What a user, or a row, with this outcome is.
const fn meaning(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied => "changed by this run",
        Outcome::Unchanged => "hold it already",
        Outcome::Planned => "would change, not tried yet",
        Outcome::Pending => "not compared yet",
        Outcome::Rejected => "bad rows, nothing is sent for them",
        Outcome::NotFound => "no such user",
        Outcome::Ambiguous => "one identity, several users",
        Outcome::TooLarge => "a field would exceed 8,192 bytes",
        Outcome::Blocked => "a guard forbids it",
        Outcome::Drifted => "changed by somebody else meanwhile",
        Outcome::Failed => "refused, or retries ran out",
    }
}

/// A page being written.
struct Page {
    text: String,
    look: Look,
}

impl Page {
    const fn new(look: Look) -> Self {
        Self { text: String::new(), look }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn heading(&mut self, title: &str) {
        self.text.push('\n');
        self.line(&self.look.strong(title));
    }

    fn lines(&mut self, lines: impl IntoIterator<Item = String>) {
        lines.into_iter().for_each(|line| self.line(&line));
    }

    /// Running text after `lead`, which the further lines are indented by.
    fn running(&mut self, lead: &str, text: &str, paint: impl Fn(Look, &str) -> String) {
        let indent = cell::width(lead);
        let room = self.look.width.min(WIDEST_TEXT).saturating_sub(indent);
        for (at, line) in cell::wrap(&for_terminal(text), room).iter().enumerate() {
            let before = if at == 0 { lead.to_owned() } else { " ".repeat(indent) };
            let painted = paint(self.look, &format!("{before}{line}"));
            self.line(&painted);
        }
    }
}

/// Where the rows come from and where they go, and how.
fn header(page: &mut Page, summary: &Summary) {
    let (scene, run, look) = (&summary.scene, &summary.run, page.look);
    let kind = match scene.kind {
        InstanceKind::Test => look.dim("test instance"),
        InstanceKind::Live => look.warn("live instance"),
    };
    let instance = scene.instance.as_deref().map(|id| format!(" {}", for_terminal(id))).unwrap_or_default();
    let from = look.strong(&source_name(summary, look));
    let to = look.strong(&for_terminal(&scene.host));
    page.line(&format!("{from} → {to} · {kind}{}", look.dim(&instance)));
    let job = run.job.as_deref().map(|job| format!("job {} · ", for_terminal(job))).unwrap_or_default();
    let mode = match scene.mode {
        Mode::Merge => "merge",
        Mode::Replace => "replace whole fields",
    };
    page.line(&look.dim(&format!("{job}{mode} · run {}", for_terminal(&run.id))));
}

/// The source as it stands before a line number.
fn source_name(summary: &Summary, look: Look) -> String {
    cell::cut_middle(&for_terminal(&summary.scene.source), look.width / 2)
}

/// How many rows and users, then users by outcome. `always` is told even where there are none.
fn counts(page: &mut Page, summary: &Summary, always: Outcome, say: impl Fn(Outcome) -> &'static str) {
    let look = page.look;
    let rejected = match summary.rows.rejected {
        0 => String::new(),
        n => look.bad(&format!(", {} rejected", thousands(n))),
    };
    let tallied = |outcome: &Outcome| *outcome != Outcome::Rejected;
    let users: u64 = Outcome::ALL.into_iter().filter(tallied).map(|outcome| summary.users.get(outcome)).sum();
    page.text.push('\n');
    page.line(&format!("{}{rejected} · {}", count(summary.rows.read, "row"), count(users, "user")));
    let told = |outcome: &Outcome| tallied(outcome) && (*outcome == always || summary.users.get(*outcome) > 0);
    let others = Outcome::ALL.into_iter().filter(|outcome| *outcome != always);
    let ordered = std::iter::once(always).chain(others).filter(told);
    let told: Vec<(Outcome, String)> =
        ordered.map(|outcome| (outcome, thousands(summary.users.get(outcome)))).collect();
    let room = told.iter().map(|(_, n)| n.len()).max().unwrap_or(0).max(5);
    for (outcome, n) in told {
        let word = look.outcome(outcome, &format!("{}  {:<9}", cell::pad_left(&n, room), outcome.word()));
        page.line(&format!("  {word}  {}", look.dim(say(outcome))));
    }
}

/// What is worth knowing beside the counts.
fn remarks(page: &mut Page, summary: &Summary) {
    if summary.warnings.is_empty() && summary.notices.is_empty() {
        return;
    }
    page.text.push('\n');
    for warning in &summary.warnings {
        page.running("! ", warning, Look::warn);
    }
    for notice in &summary.notices {
        page.running("· ", notice, Look::dim);
    }
}

/// The command for the rows that did not end well, if there are any, and what it gives.
fn failed_rows(summary: &Summary) -> Option<(String, &'static str)> {
    let amiss = summary.users_amiss() + summary.rows_amiss();
    let end = match summary.scene.format {
        Format::Csv => "csv",
        Format::Tsv => "tsv",
        Format::Ndjson => "ndjson",
    };
    let run = quoted(&summary.run.handle);
    let command = format!("metapatch report {run} --format failed -o failed.{end}");
    (amiss > 0).then_some((command, "the rows to mend"))
}

/// Commands that can be copied as they are, each with what it does.
fn commands(page: &mut Page, commands: &[(String, &str)]) {
    if commands.is_empty() {
        return;
    }
    page.heading("Next");
    let room = commands.iter().map(|(command, _)| cell::width(command)).max().unwrap_or(0);
    let told = commands.iter().map(|(_, what)| cell::width(what)).max().unwrap_or(0);
    let beside = 2 + room + 2 + told <= page.look.width;
    for (command, what) in commands {
        if beside {
            page.line(&format!("  {}  {}", cell::pad(command, room), page.look.dim(what)));
        } else {
            page.line(&format!("  {}", page.look.dim(&format!("# {what}"))));
            page.line(&format!("  {command}"));
        }
    }
}

/// An argument as a shell takes it; one that holds nothing special stands as it is.
fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '=' | ':' | '+' | '@' | '%' | ',');
    let argument = for_terminal(argument);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument;
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
