//! The table of transitions: path, before → after, users.

use crate::harmless::for_terminal;
use crate::report::summary::{Shown, Summary};
use crate::report::text::{Look, cell};
use crate::report::transitions::{Pairs, Transition};
use crate::report::words::thousands;

/// How many lines are shown; the JSON holds more.
const MAX_LINES: usize = 16;

/// The least widths of the three text columns.
const LEAST: [usize; 3] = [14, 8, 20];

/// One line of the table, before it is cut.
struct Line {
    path: String,
    what: What,
    users: String,
}

enum What {
    Pair { before: String, after: String, call: Call },
    Many(String),
}

/// What kind of change it is, where that deserves to be called out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Changed,
    TypeChanges,
    Added,
    Removed,
}

impl Call {
    fn of(before: &Shown, after: &Shown) -> Self {
        match (before, after) {
            (Shown::Absent, _) => Self::Added,
            (_, Shown::Absent) => Self::Removed,
            (Shown::Value(a), Shown::Value(b)) if std::mem::discriminant(a) != std::mem::discriminant(b) => {
                match (a, b) {
                    (serde_json::Value::Null, _) | (_, serde_json::Value::Null) => Self::Changed,
                    _ => Self::TypeChanges,
                }
            }
            _ => Self::Changed,
        }
    }

    const fn note(self) -> &'static str {
        match self {
            Self::TypeChanges => "  (type changes)",
            Self::Added => "  (added)",
            Self::Changed | Self::Removed => "",
        }
    }

    fn paint(self, text: &str, look: Look) -> String {
        match self {
            Self::TypeChanges => look.warn(text),
            Self::Added => look.good(text),
            Self::Removed => look.bad(text),
            Self::Changed => text.to_owned(),
        }
    }
}

impl Line {
    fn of(transition: &Transition) -> Self {
        let what = match &transition.pairs {
            Pairs::One { before, after } => {
                let call = Call::of(before, after);
                let after = if call == Call::Removed { "(removed)".to_owned() } else { after.to_line() };
                What::Pair { before: before.to_line(), after, call }
            }
            Pairs::Many { distinct, at_least } => {
                let at_least = if *at_least { "at least " } else { "" };
                What::Many(format!("{at_least}{} different changes", thousands(*distinct)))
            }
        };
        Self { path: for_terminal(&transition.path.to_string()), what, users: thousands(transition.users) }
    }

    /// How much room the path, the value before, and the value after with its note would take.
    fn widths(&self) -> [usize; 3] {
        let path = cell::width(&self.path);
        match &self.what {
            What::Pair { before, after, call } => [path, cell::width(before), cell::width(after) + call.note().len()],
            What::Many(_) => [path, 0, 0],
        }
    }

    fn to_text(&self, [path, before, after]: [usize; 3], users: usize, look: Look) -> String {
        let name = cell::pad(&cell::cut_middle(&self.path, path), path);
        let count = look.strong(&cell::pad_left(&self.users, users));
        match &self.what {
            What::Many(text) => {
                let room = before + 3 + after;
                format!("  {name}  {}  {count}", look.dim(&cell::pad(&cell::cut(text, room), room)))
            }
            What::Pair { before: old, after: new, call } => {
                let note = call.note();
                let room = after.saturating_sub(note.len());
                let (old, new) = shortened((old, before), (new, room));
                let new = call.paint(&cell::pad(&format!("{new}{note}"), after), look);
                format!("  {name}  {} → {new}  {count}", cell::pad(&old, before))
            }
        }
    }
}

/// Two values, each in its own room; one that does not fit is cut where it differs from the other.
fn shortened((old, old_room): (&str, usize), (new, new_room): (&str, usize)) -> (String, String) {
    let fits = |text: &str, room: usize| cell::width(text) <= room;
    (
        if fits(old, old_room) { old.to_owned() } else { cell::cut_pair(old, new, old_room).0 },
        if fits(new, new_room) { new.to_owned() } else { cell::cut_pair(old, new, new_room).1 },
    )
}

/// The table as lines; none where nothing changes.
pub(super) fn lines(summary: &Summary, look: Look) -> Vec<String> {
    let all = &summary.transitions;
    if all.is_empty() {
        return Vec::new();
    }
    let table: Vec<Line> = all.iter().take(MAX_LINES).map(Line::of).collect();
    let users = table.iter().map(|line| line.users.len()).chain(["users".len()]).max().unwrap_or(0);
    let widths = fitted(&table, look.width.saturating_sub(2 + 2 + 3 + 2 + users));
    let [path, before, after] = widths;
    let head = [cell::pad("path", path), cell::pad("before", before), cell::pad("after", after)];
    let [path, before, after] = head;
    let mut lines = vec![look.dim(&format!("  {path}  {before}   {after}  {}", cell::pad_left("users", users)))];
    lines.extend(table.iter().map(|line| line.to_text(widths, users, look)));
    if all.len() > MAX_LINES {
        lines.push(look.dim(&format!("  … and {} more with --output json", all.len() - MAX_LINES)));
    }
    lines
}

fn fitted(table: &[Line], room: usize) -> [usize; 3] {
    let mut natural = ["path".len(), "before".len(), "after".len()];
    for widths in table.iter().map(Line::widths) {
        for (column, width) in natural.iter_mut().zip(widths) {
            *column = (*column).max(width);
        }
    }
    let long = table.iter().filter_map(|line| match &line.what {
        What::Many(text) => Some(cell::width(text)),
        What::Pair { .. } => None,
    });
    natural[2] = natural[2].max(long.max().unwrap_or(0).saturating_sub(natural[1] + 3));
    cell::fit(natural, LEAST, room)
}
