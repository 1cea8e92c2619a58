//! A run as one JSON object for other programs: the contract of `--output json`. Keys may be added, never taken away.

use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};
use serde_json::ser::{CompactFormatter, Formatter};

use crate::harmless::is_unsafe;
use crate::outcome::Outcome;
use crate::report::summary::{Shown, Summary};
use crate::report::transitions::{Pairs, Transition};

/// The outcomes that users are counted by, in the order of the contract.
const COUNTED: [Outcome; 10] = [
    Outcome::Planned,
    Outcome::Applied,
    Outcome::Unchanged,
    Outcome::NotFound,
    Outcome::Ambiguous,
    Outcome::TooLarge,
    Outcome::Blocked,
    Outcome::Drifted,
    Outcome::Failed,
    Outcome::Pending,
];

/// Writes the contract object on one line.
pub fn write(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    write_line(out, &Contract(summary))
}

/// Writes the object for a run that never came to be: a code for machines and a message for people, on one line.
pub fn write_error(out: &mut impl Write, code: &str, message: &str) -> io::Result<()> {
    write_line(out, &Members(&[("error", &Members(&[("code", &code), ("message", &message)]))]))
}

fn write_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    write_value(out, value)?;
    out.write_all(b"\n")
}

/// Writes compact JSON in which whatever a terminal may obey is escaped; to a JSON reader it is the same value.
pub(super) fn write_value(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut writer = serde_json::Serializer::with_formatter(out, Harmless(CompactFormatter));
    Ok(value.serialize(&mut writer)?)
}

/// A value as compact JSON in which whatever a terminal may obey is escaped.
pub fn to_text(value: &serde_json::Value) -> String {
    let mut text = Vec::new();
    write_value(&mut text, value).expect("memory takes everything, and a value has nothing that JSON cannot say");
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// Compact JSON with escapes for letters that are harmless to a parser only.
struct Harmless(CompactFormatter);

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, letter)) = rest.char_indices().find(|(_, letter)| is_unsafe(*letter)) {
            self.0.write_string_fragment(writer, &rest[..at])?;
            for unit in letter.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + letter.len_utf8()..];
        }
        self.0.write_string_fragment(writer, rest)
    }
}

/// An object whose members stand in the order given.
struct Members<'a, V>(&'a [(&'static str, V)]);

impl<V: Serialize> Serialize for Members<'_, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

struct Contract<'s>(&'s Summary);

impl Serialize for Contract<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Summary { rows, users, requests, transitions, duration, .. } = self.0;
        let mut object = serializer.serialize_struct("Summary", 6)?;
        object.serialize_field("run", &Run(self.0))?;
        object.serialize_field("rows", &Members(&[("read", rows.read), ("rejected", rows.rejected)]))?;
        object.serialize_field("users", &Members(&COUNTED.map(|outcome| (outcome.word(), users.get(outcome)))))?;
        let sent = [
            ("read", requests.read),
            ("write", requests.write),
            ("retried", requests.retried),
            ("throttled", requests.throttled),
        ];
        object.serialize_field("requests", &Members(&sent))?;
        object.serialize_field("transitions", &transitions.iter().map(Entry).collect::<Vec<_>>())?;
        object.serialize_field("duration_s", &((duration.as_secs_f64() * 1e3).round() / 1e3))?;
        object.end()
    }
}

struct Run<'s>(&'s Summary);

impl Serialize for Run<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let run = &self.0.run;
        let mut object = serializer.serialize_struct("Run", 4)?;
        object.serialize_field("id", &run.id)?;
        object.serialize_field("file", &run.file.to_string_lossy())?;
        object.serialize_field("job", &run.job)?;
        object.serialize_field("state", run.state.word())?;
        object.end()
    }
}

struct Entry<'s>(&'s Transition);

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Transition { path, pairs, users } = self.0;
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("path", &path.to_string())?;
        match pairs {
            Pairs::One { before, after } => {
                object.serialize_entry("before", &value(before))?;
                object.serialize_entry("after", &value(after))?;
                object.serialize_entry("users", users)?;
                for (shown, absent, masked) in
                    [(before, "before_absent", "before_masked"), (after, "after_absent", "after_masked")]
                {
                    match shown {
                        Shown::Absent => object.serialize_entry(absent, &true)?,
                        Shown::Masked => object.serialize_entry(masked, &true)?,
                        Shown::Value(_) => {}
                    }
                }
            }
            Pairs::Many { distinct, at_least } => {
                object.serialize_entry("distinct", distinct)?;
                object.serialize_entry("users", users)?;
                if *at_least {
                    object.serialize_entry("distinct_at_least", &true)?;
                }
            }
        }
        object.end()
    }
}

const fn value(shown: &Shown) -> Option<&serde_json::Value> {
    match shown {
        Shown::Value(value) => Some(value),
        Shown::Absent | Shown::Masked => None,
    }
}

#[cfg(test)]
mod tests;
