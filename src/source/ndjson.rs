//! NDJSON: one JSON object a line.

use std::io::{BufRead, Read};

use serde_json::Value;

use super::error::{Break, Broken};
use super::input::Bytes;
use super::{Found, MAX_RECORD, RAW, invalid_utf8, read_before};
use crate::harmless;
use crate::json::{self, JsonError};
use crate::row::{Fields, Raw, Rejection};

/// The records of an NDJSON source.
pub(super) struct Ndjson {
    input: Bytes,
    /// The line that was read last.
    line: u64,
    buffer: Vec<u8>,
}

impl Ndjson {
    pub(super) const fn new(input: Bytes) -> Self {
        Self { input, line: 0, buffer: Vec::new() }
    }

    pub(super) fn next(&mut self) -> Result<Option<Found>, Broken> {
        while self.next_line()? {
            let content = self.buffer.trim_ascii();
            if !content.is_empty() {
                return Ok(Some(found(self.line, &self.buffer)));
            }
        }
        Ok(None)
    }

    /// Reads one line, without its end, into the buffer; false at the end of the source.
    fn next_line(&mut self) -> Result<bool, Broken> {
        self.line += 1;
        self.buffer.clear();
        let broken = |why| Broken { line: self.line, why };
        // The line end may take two bytes.
        let limit = u64::try_from(MAX_RECORD + 2).unwrap_or(u64::MAX);
        let read = self.input.by_ref().take(limit).read_until(b'\n', &mut self.buffer);
        let n = read.map_err(|error| broken(Break::Read(error)))?;
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
        }
        if self.buffer.last() == Some(&b'\r') {
            self.buffer.pop();
        }
        if self.buffer.len() > MAX_RECORD {
            return Err(broken(Break::TooLong { open_quote: None }));
        }
        Ok(n > 0)
    }
}

fn found(line: u64, bytes: &[u8]) -> Found {
    let unreadable = |rejection| Found { line, fields: Err(rejection), raw: Raw::Unreadable(bytes.to_vec()) };
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return unreadable(invalid_utf8(bytes, &error)),
    };
    let members = match json::parse(text) {
        Ok(Value::Object(members)) => members,
        Ok(other) => return unreadable(not_an_object(&other)),
        Err(error) => return unreadable(invalid_json(&error)),
    };
    match members.get(RAW) {
        None | Some(Value::Null) => {}
        Some(Value::String(raw)) if raw.is_empty() => {}
        Some(Value::String(raw)) => return read_before(line, raw.clone()),
        Some(other) => return read_before(line, other.to_string()),
    }
    Found { line, fields: Ok(Fields::Members(members)), raw: Raw::Object(text.to_owned()) }
}

fn not_an_object(value: &Value) -> Rejection {
    let message = match value {
        Value::Array(_) => {
            "found an array; expected one JSON object a line (`jq -c '.[]'` makes such lines of one array)"
        }
        Value::String(_) => "found a string; expected one JSON object a line",
        Value::Number(_) => "found a number; expected one JSON object a line",
        Value::Bool(_) => "found a boolean; expected one JSON object a line",
        Value::Null | Value::Object(_) => "found null; expected one JSON object a line",
    };
    Rejection::new("not_an_object", message)
}

fn invalid_json(error: &JsonError) -> Rejection {
    let what = harmless::for_terminal_within(&error.what, 120);
    let at = error.column;
    let code = error.code();
    let message = match code {
        "duplicate_key" => format!("{what} (column {at}); keep one of them"),
        "too_deep" => format!("{what} (column {at}); no metadata may nest deeper"),
        _ => format!("no valid JSON: {what} (column {at}); each line must hold one whole JSON object"),
    };
    Rejection::new(code, message).at(at.to_string())
}
