//! Which parts of a record may be kept for the file of failed rows, and which never.
//!
//! A column that looks like a secret and that no row needs keeps its name and loses its content, so that a failed file
//! has the header its source had and means the same when it is fed back. What this tool added to an earlier failed file
//! is dropped, because it is added anew.

use serde_json::Value;

use super::INTERNAL;
use crate::json;
use crate::row::Raw;

/// What a name must hold to look like a secret, without case and punctuation.
const SECRETS: [&str; 6] = ["password", "secret", "token", "totp", "digest", "backupcode"];

/// What is kept of a raw record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keep {
    cells: Vec<Part>,
    header: Vec<String>,
    withheld: Vec<String>,
    /// The members of objects that are needed, whatever they are called.
    needed: Vec<String>,
    /// Whether a record that could not be read may hold what must not be kept.
    is_sensitive: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Kept,
    Blanked,
    Dropped,
}

impl Keep {
    /// For the cells of a header; columns that are `needed` are kept whatever they are called.
    ///
    /// In an export even the records that could not be read may hold a password digest.
    pub fn cells(header: &[String], is_export: bool, needed: impl Fn(usize) -> bool) -> Self {
        let part = |(index, name): (usize, &String)| match name {
            name if name.starts_with(INTERNAL) => Part::Dropped,
            name if looks_secret(name) && !needed(index) => Part::Blanked,
            _ => Part::Kept,
        };
        let cells: Vec<Part> = header.iter().enumerate().map(part).collect();
        let named = |wanted: fn(Part) -> bool| {
            header.iter().zip(&cells).filter(|(_, part)| wanted(**part)).map(|(name, _)| name.clone()).collect()
        };
        let kept: Vec<String> = named(|part| part != Part::Dropped);
        let withheld: Vec<String> = named(|part| part == Part::Blanked);
        let is_sensitive = is_export || !withheld.is_empty();
        Self { cells, header: kept, withheld, needed: Vec::new(), is_sensitive }
    }

    /// For JSON objects; members that are `needed` are kept whatever they are called.
    pub fn members<'n>(needed: impl IntoIterator<Item = &'n str>) -> Self {
        Self { needed: needed.into_iter().map(str::to_owned).collect(), ..Self::default() }
    }

    /// The header of what is kept; empty for objects.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The columns that lose their content.
    pub fn withheld(&self) -> &[String] {
        &self.withheld
    }

    /// The part of a raw record that may be kept.
    pub fn keep(&self, raw: Raw) -> Raw {
        match raw {
            Raw::Cells(cells) => Raw::Cells(self.keep_cells(cells)),
            Raw::Object(text) => Raw::Object(self.keep_members(text)),
            Raw::Unreadable(bytes) if self.is_sensitive || self.may_name_secret(&bytes) => Raw::Withheld,
            other => other,
        }
    }

    /// Whether bytes that are no JSON object may hold a secret under its name. The names of cells stand in the header.
    fn may_name_secret(&self, bytes: &[u8]) -> bool {
        let is_table = !self.cells.is_empty();
        if is_table {
            return false;
        }
        let text = unescaped(&String::from_utf8_lossy(bytes));
        looks_secret(&self.needed.iter().fold(text, |text, needed| text.replace(needed.as_str(), "")))
    }

    fn keep_cells(&self, cells: Vec<String>) -> Vec<String> {
        let parts = cells.into_iter().zip(&self.cells).filter_map(|(cell, part)| match part {
            Part::Kept => Some(cell),
            Part::Blanked => Some(String::new()),
            Part::Dropped => None,
        });
        parts.collect()
    }

    /// The text as it stands, unless something must not stand in it.
    fn keep_members(&self, text: String) -> String {
        // Most lines hold nothing of the kind; an escape may spell anything.
        if !(text.contains(INTERNAL) || text.contains('\\') || looks_secret(&text)) {
            return text;
        }
        let Ok(Value::Object(mut members)) = json::parse(&text) else {
            return text;
        };
        let mut is_same = true;
        members.retain(|key, _| {
            let stays = !key.starts_with(INTERNAL);
            is_same &= stays;
            stays
        });
        for (key, value) in &mut members {
            if looks_secret(key) && !self.needed.contains(key) {
                *value = Value::Null;
                is_same = false;
            }
        }
        if is_same { text } else { Value::Object(members).to_string() }
    }
}

/// A text without the escapes that letters can hide behind in JSON, as far as they can be read.
fn unescaped(text: &str) -> String {
    let mut parts = text.split("\\u");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match digits.and_then(char::from_u32) {
            Some(letter) => {
                plain.push(letter);
                plain.push_str(&part[4..]);
            }
            None => plain.push_str(part),
        }
    }
    plain
}

/// Whether a name is that of something which must not lie around.
fn looks_secret(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
    SECRETS.iter().any(|secret| plain.contains(secret))
}
