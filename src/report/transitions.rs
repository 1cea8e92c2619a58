//! How many users go from which value to which, path by path, counted in one pass and bounded memory.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Write};

use serde_json::Value;

use crate::change::{Change, Edit};
use crate::json;
use crate::path::{Field, Path};
use crate::report::summary::Shown;

/// How many entries are told in all.
const TOLD: usize = 50;

/// A path with more different pairs than this is told as one entry.
const MAX_PAIRS: usize = 20;

/// How many paths are counted; what comes after them is not told.
const MAX_PATHS: usize = 10_000;

/// How many different pairs are told apart in all on paths with many; beyond it, `distinct` is a lower bound.
const MAX_HASHES: usize = 500_000;

/// How many bytes of values are kept in all; a path whose values find no room is told as one entry.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// How many bytes of paths are kept in all; what comes after them is not told.
const MAX_PATH_BYTES: usize = 2 * 1024 * 1024;

/// One line of the table: a path, what happens there, and to how many users.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// Where.
    pub path: Path,
    /// What happens there.
    pub pairs: Pairs,
    /// To how many users.
    pub users: u64,
}

/// What happens at a path.
#[derive(Debug, Clone, PartialEq)]
pub enum Pairs {
    /// One value becomes another. A private path is told as one entry, both ends masked.
    One {
        /// What stands there.
        before: Shown,
        /// What will stand there.
        after: Shown,
    },
    /// Too many different pairs to tell each.
    Many {
        /// How many.
        distinct: u64,
        /// Whether there may be more than that.
        at_least: bool,
    },
}

/// Counts the changes of users, one at a time.
#[derive(Debug)]
pub struct Transitions {
    show_private: bool,
    groups: HashMap<Path, Group>,
    room: Room,
}

/// How much may still be kept.
#[derive(Debug)]
struct Room {
    hashes: usize,
    bytes: usize,
    path_bytes: usize,
}

#[derive(Debug, Default)]
struct Group {
    users: u64,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    Masked,
    Few(Vec<Pair>),
    Many { hashes: HashSet<u64>, at_least: bool },
}

impl Default for Kept {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

/// Two values as compact JSON; `None` is absent.
#[derive(Debug)]
struct Pair {
    hash: u64,
    before: Option<Box<str>>,
    after: Option<Box<str>>,
    users: u64,
}

impl Pair {
    fn of(hash: u64, edit: &Edit) -> Self {
        let text = |value: Option<&Value>| value.map(|value| value.to_string().into_boxed_str());
        Self { hash, before: text(edit.before), after: text(edit.after), users: 1 }
    }

    fn bytes(&self) -> usize {
        let text = |text: &Option<Box<str>>| text.as_deref().map_or(0, str::len);
        text(&self.before) + text(&self.after)
    }
}

impl Kept {
    fn add(&mut self, edit: &Edit, room: &mut Room) {
        match self {
            Self::Masked => {}
            Self::Few(pairs) => {
                if let Some(many) = add_pair(pairs, edit, room) {
                    *self = many;
                }
            }
            Self::Many { hashes, at_least } => {
                let hash = hash(edit);
                if room.hashes > 0 {
                    room.hashes -= usize::from(hashes.insert(hash));
                } else if !hashes.contains(&hash) {
                    *at_least = true;
                }
            }
        }
    }
}

/// Counts one more user of a pair; gives back what the pairs have to give way to where there is no room for a new one.
fn add_pair(pairs: &mut Vec<Pair>, edit: &Edit, room: &mut Room) -> Option<Kept> {
    let hash = hash(edit);
    if let Some(pair) = pairs.iter_mut().find(|pair| pair.hash == hash) {
        pair.users += 1;
        return None;
    }
    let pair = Pair::of(hash, edit);
    if pairs.len() < MAX_PAIRS && pair.bytes() <= room.bytes {
        room.bytes -= pair.bytes();
        pairs.push(pair);
        return None;
    }
    room.bytes += pairs.iter().map(Pair::bytes).sum::<usize>();
    let hashes: HashSet<u64> = pairs.iter().map(|pair| pair.hash).chain([hash]).collect();
    room.hashes = room.hashes.saturating_sub(hashes.len());
    Some(Kept::Many { hashes, at_least: false })
}

impl Transitions {
    /// Nothing counted yet.
    pub fn new(show_private: bool) -> Self {
        let room = Room { hashes: MAX_HASHES, bytes: MAX_BYTES, path_bytes: MAX_PATH_BYTES };
        Self { show_private, groups: HashMap::new(), room }
    }

    /// Counts one user.
    pub fn add(&mut self, change: &Change) {
        for edit in change.edits() {
            self.add_edit(&edit);
        }
    }

    fn add_edit(&mut self, edit: &Edit) {
        if !self.groups.contains_key(&edit.path) && !self.open(&edit.path) {
            return;
        }
        let Some(group) = self.groups.get_mut(&edit.path) else { return };
        group.users += 1;
        group.kept.add(edit, &mut self.room);
    }

    /// Makes room for one more path, if there is any.
    fn open(&mut self, path: &Path) -> bool {
        let bytes = path.keys.iter().map(|key| key.len() + size_of::<String>()).sum();
        let Some(left) = self.room.path_bytes.checked_sub(bytes).filter(|_| self.groups.len() < MAX_PATHS) else {
            return false;
        };
        self.room.path_bytes = left;
        let masked = path.field == Field::Private && !self.show_private;
        let kept = if masked { Kept::Masked } else { Kept::default() };
        self.groups.insert(path.clone(), Group { users: 0, kept });
        true
    }

    /// What happens to most users comes first; fifty entries at most.
    pub fn finish(self) -> Vec<Transition> {
        let mut entries: Vec<(u64, &Path, &Group, Option<&Pair>)> = Vec::new();
        for (path, group) in &self.groups {
            match &group.kept {
                Kept::Few(pairs) => entries.extend(pairs.iter().map(|pair| (pair.users, path, group, Some(pair)))),
                Kept::Masked | Kept::Many { .. } => entries.push((group.users, path, group, None)),
            }
        }
        entries.sort_unstable_by_key(|(users, path, _, pair)| {
            (Reverse(*users), *path, pair.map(|pair| (&pair.before, &pair.after)))
        });
        let told = entries.into_iter().take(TOLD);
        told.map(|(users, path, group, pair)| Transition { path: path.clone(), pairs: tell(group, pair), users })
            .collect()
    }
}

fn tell(group: &Group, pair: Option<&Pair>) -> Pairs {
    match (&group.kept, pair) {
        (Kept::Many { hashes, at_least }, _) => Pairs::Many { distinct: hashes.len() as u64, at_least: *at_least },
        (_, Some(pair)) => Pairs::One { before: shown(pair.before.as_deref()), after: shown(pair.after.as_deref()) },
        (_, None) => Pairs::One { before: Shown::Masked, after: Shown::Masked },
    }
}

/// Reads back a value of our own writing; one that is deeper than any input may be is shown as its text.
fn shown(text: Option<&str>) -> Shown {
    text.map_or(Shown::Absent, |text| {
        Shown::Value(json::parse_stored(text).unwrap_or_else(|_| Value::String(text.to_owned())))
    })
}

/// The same for the same pair of values, absent ones told from null.
fn hash(edit: &Edit) -> u64 {
    let mut hasher = Hashing(DefaultHasher::new());
    for value in [edit.before, edit.after] {
        hasher.0.write_u8(u8::from(value.is_some()));
        if let Some(value) = value {
            serde_json::to_writer(&mut hasher, value).expect("hashing cannot fail");
        }
    }
    hasher.0.finish()
}

struct Hashing(DefaultHasher);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
