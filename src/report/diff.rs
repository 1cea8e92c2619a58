//! One user's change as a person reads it: what goes, what comes.

use crate::change::Change;
use crate::harmless::for_terminal;
use crate::path::Path;
use crate::report::summary::Shown;
use crate::report::text::{Look, cell};

/// How many lines of one user are kept.
const MAX_EDITS: usize = 8;

/// One user and what becomes of them.
#[derive(Debug, Clone, PartialEq)]
pub struct UserDiff {
    /// Who: the user's id, and the identity as the row gave it where that is another.
    pub who: String,
    /// The line of the user's first row; `None` where there is no input file.
    pub line: Option<u64>,
    /// The first paths that will hold something else, in order.
    pub edits: Vec<ShownEdit>,
    /// How many more there are.
    pub more: usize,
}

/// A path that will hold something else, as far as it may be seen.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownEdit {
    /// Where.
    pub path: Path,
    /// What stands there.
    pub before: Shown,
    /// What will stand there.
    pub after: Shown,
}

impl UserDiff {
    /// What may be seen of a change.
    pub fn of(who: impl Into<String>, line: Option<u64>, change: &Change, show_private: bool) -> Self {
        let all = change.edits();
        let more = all.len().saturating_sub(MAX_EDITS);
        let edits = all.into_iter().take(MAX_EDITS).map(|edit| ShownEdit {
            before: Shown::of(edit.before, edit.path.field, show_private),
            after: Shown::of(edit.after, edit.path.field, show_private),
            path: edit.path,
        });
        Self { who: who.into(), line, edits: edits.collect(), more }
    }

    /// The diff as lines: a head, then `- path: old` and `+ path: new`; an absent end has no line. `source` is the
    /// harmless name that stands before a line number.
    pub fn lines(&self, source: &str, look: Look) -> Vec<String> {
        let place = self.line.map_or_else(String::new, |line| format!("  {source}:{line}"));
        let who = cell::cut(&for_terminal(&self.who), look.width().saturating_sub(4 + cell::width(&place)));
        let mut lines = vec![format!("  {who}{}", look.dim(&place))];
        for edit in &self.edits {
            lines.extend(edit.lines(look));
        }
        if self.more > 0 {
            lines.push(look.dim(&format!("    … and {} more", self.more)));
        }
        lines
    }
}

impl ShownEdit {
    fn lines(&self, look: Look) -> Vec<String> {
        let room = look.width().saturating_sub(8);
        let path = cell::cut_middle(&for_terminal(&self.path.to_string()), room / 2);
        let (before, after) =
            cell::cut_pair(&self.before.to_line(), &self.after.to_line(), room.saturating_sub(cell::width(&path)));
        let old = look.bad(&format!("- {path}: {before}"));
        let new = look.good(&format!("+ {path}: {after}"));
        let is_there = |shown: &Shown| *shown != Shown::Absent;
        let both = [(is_there(&self.before), old), (is_there(&self.after), new)];
        both.into_iter().filter(|(there, _)| *there).map(|(_, line)| format!("    {line}")).collect()
    }
}

#[cfg(test)]
mod tests;
