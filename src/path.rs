//! Where a value stands in a user's metadata: a field and the keys below it, as in `public_metadata.plan.tier`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One of the three metadata fields of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Field {
    /// Readable by the browser, writable by the backend only.
    #[serde(rename = "public_metadata")]
    Public,
    /// Seen by the backend only.
    #[serde(rename = "private_metadata")]
    Private,
    /// Writable by the browser, too.
    #[serde(rename = "unsafe_metadata")]
    Unsafe,
}

impl Field {
    /// All three, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Public, Self::Private, Self::Unsafe];

    /// The name in the API and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public_metadata",
            Self::Private => "private_metadata",
            Self::Unsafe => "unsafe_metadata",
        }
    }

    /// The field of an API name; the short forms of headers are not names.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    fn from_short(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name().strip_suffix("_metadata") == Some(name))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A field and the keys that lead from it to a value; no keys means the whole field.
///
/// Written with dots. A dot inside a key is written `\.`, a backslash `\\`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// The metadata field.
    pub field: Field,
    /// The keys below it, outermost first.
    pub keys: Vec<String>,
}

impl Path {
    /// The path of a whole field.
    pub const fn root(field: Field) -> Self {
        Self { field, keys: Vec::new() }
    }

    /// This path with one more key.
    #[must_use]
    pub fn child(&self, key: &str) -> Self {
        let mut keys = self.keys.clone();
        keys.push(key.to_owned());
        Self { field: self.field, keys }
    }

    /// Reads a path that was written by this program. A key may be empty: JSON allows it, and users may hold one, though
    /// whoever types one has most likely slipped.
    pub fn parse_stored(text: &str) -> Result<Self, PathError> {
        let mut parts = split(text)?.into_iter();
        let first = parts.next().unwrap_or_default();
        let keys: Vec<String> = parts.collect();
        let short = Field::from_short(&first).filter(|_| !keys.is_empty());
        let field = Field::from_name(&first).or(short).ok_or(PathError::UnknownField(first))?;
        Ok(Self { field, keys })
    }

    /// Whether this path is `other` or leads to it.
    pub fn covers(&self, other: &Self) -> bool {
        self.field == other.field && other.keys.starts_with(&self.keys)
    }

    /// What stands at this path of a field's value.
    pub fn find<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.keys.iter().try_fold(root, |value, key| value.as_object()?.get(key))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field.name())?;
        for key in &self.keys {
            write!(f, ".{}", key.replace('\\', "\\\\").replace('.', "\\."))?;
        }
        Ok(())
    }
}

/// Why a text is no metadata path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The first part names no metadata field.
    #[error("`{0}` is no metadata field; expected `public_metadata`, `private_metadata` or `unsafe_metadata`")]
    UnknownField(String),
    /// Two dots in a row, or a dot at the end.
    #[error("`{0}` has an empty key; a dot inside a key is written `\\.`")]
    EmptyKey(String),
    /// A backslash before anything but a dot or a backslash.
    #[error("`{0}` has a stray backslash; only `\\.` and `\\\\` are written with one")]
    StrayBackslash(String),
}

impl FromStr for Path {
    type Err = PathError;

    /// Reads a path, the short forms `public.`, `private.` and `unsafe.` included.
    fn from_str(text: &str) -> Result<Self, PathError> {
        let path = Self::parse_stored(text)?;
        if path.keys.iter().any(String::is_empty) {
            return Err(PathError::EmptyKey(text.to_owned()));
        }
        Ok(path)
    }
}

fn split(text: &str) -> Result<Vec<String>, PathError> {
    let mut parts = vec![String::new()];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let literal = match letter {
            '.' => {
                parts.push(String::new());
                continue;
            }
            '\\' => match letters.next() {
                Some(escaped @ ('.' | '\\')) => escaped,
                _ => return Err(PathError::StrayBackslash(text.to_owned())),
            },
            other => other,
        };
        parts.last_mut().expect("there is always a part").push(literal);
    }
    Ok(parts)
}

impl Serialize for Path {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_they_are_written() {
        for text in ["public_metadata", "public_metadata.a.b", r"private_metadata.a\.b.c\\d", "unsafe_metadata.ä b"] {
            assert_eq!(text.parse::<Path>().expect("is a path").to_string(), text);
        }
        assert_eq!("public.role".parse::<Path>().expect("is a path").to_string(), "public_metadata.role");
    }

    #[test]
    fn a_path_that_was_written_is_read_back_whatever_its_keys_are() {
        for keys in [&[][..], &[""], &["", ""], &["a", "", "b"], &["."], &["\\"], &["\\.", "public"], &["\u{1b}[2J"]] {
            let path = Path { field: Field::Public, keys: keys.iter().map(|key| (*key).to_owned()).collect() };
            assert_eq!(Path::parse_stored(&path.to_string()).as_ref(), Ok(&path), "{path}");
        }
    }

    #[test]
    fn what_is_no_path_says_why() {
        for (text, says) in [
            ("publc.role", "`publc` is no metadata field"),
            ("public", "`public` is no metadata field"),
            ("public.", "has an empty key"),
            ("public.a..b", "has an empty key"),
            (r"public.a\b", "has a stray backslash"),
            ("", "`` is no metadata field"),
        ] {
            let error = text.parse::<Path>().expect_err("is no path").to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
