//! Failed rows as one JSON object a line.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::{FailedRow, PREFIX, RAW, is_private};
use crate::json;
use crate::report::json::write_value;
use crate::report::{Destination, MASK};
use crate::row::Raw;

pub(super) struct Lines<W> {
    out: W,
    destination: Destination,
    /// The line being put together.
    line: Vec<u8>,
}

impl<W: Write> Lines<W> {
    pub(super) const fn new(out: W, destination: Destination) -> Self {
        Self { out, destination, line: Vec::new() }
    }

    pub(super) fn push(&mut self, row: &FailedRow) -> io::Result<()> {
        self.line.clear();
        match &row.raw {
            Raw::Object(text) => self.put_object(text)?,
            Raw::Unreadable(bytes) => self.put_raw(&String::from_utf8_lossy(bytes))?,
            Raw::Cells(cells) => {
                let mut text = Vec::new();
                write_value(&mut text, cells)?;
                self.put_raw(&String::from_utf8_lossy(&text))?;
            }
            Raw::Withheld => self.line.push(b'{'),
        }
        for (name, text) in [("outcome", row.outcome.word()), ("code", &row.code), ("message", &row.message)] {
            self.put_member(&format!("{PREFIX}{name}"), &text)?;
        }
        self.line.extend(b"}\n");
        self.out.write_all(&self.line)
    }

    /// Puts an object without its closing brace. Its text is kept as it was, unless something has to be taken out.
    fn put_object(&mut self, text: &str) -> io::Result<()> {
        let (Ok(Value::Object(mut members)), Some(end)) = (json::parse(text), text.rfind('}')) else {
            return self.put_raw(text);
        };
        let had_ours = members.keys().any(|name| name.starts_with(PREFIX));
        if !had_ours && !self.destination.is_terminal() {
            self.line.extend(text[..end].trim_ascii().bytes());
            return Ok(());
        }
        members.retain(|name, _| !name.starts_with(PREFIX) || name == RAW);
        if self.destination.masks_private() {
            mask(&mut members);
        }
        write_value(&mut self.line, &members)?;
        self.line.pop();
        Ok(())
    }

    fn put_raw(&mut self, text: &str) -> io::Result<()> {
        // What cannot be read cannot be searched for private members either.
        let text = if self.destination.masks_private() { MASK } else { text };
        self.line.push(b'{');
        self.put_member(RAW, &text)
    }

    fn put_member(&mut self, name: &str, value: &&str) -> io::Result<()> {
        if self.line.last() != Some(&b'{') {
            self.line.push(b',');
        }
        write_value(&mut self.line, &name)?;
        self.line.push(b':');
        write_value(&mut self.line, value)
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Hides what is private by its name, and what an earlier round kept unread.
fn mask(members: &mut Map<String, Value>) {
    let hidden = members.iter_mut().filter(|(name, _)| is_private(name) || *name == RAW);
    hidden.for_each(|(_, value)| *value = Value::String(MASK.to_owned()));
}
