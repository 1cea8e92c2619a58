//! Where one CSV record ends and the next begins.
//!
//! The framing is strict and ours: a lenient reader takes a quote that was never closed for a cell that reaches to the
//! end of the file, and the rows behind it are gone without a word. Here such a record breaks the source, with the line
//! where the quote was opened.

use std::io::BufRead;

use super::MAX_RECORD;
use super::error::{Break, Broken};
use super::input::Bytes;

/// Cuts bytes into raw records and knows the line on which each begins.
pub(super) struct Frames {
    input: Bytes,
    scan: Scan,
}

impl Frames {
    pub(super) fn new(input: Bytes, delimiter: u8) -> Self {
        let scan = Scan { delimiter, state: State::CellStart, line: 1, after_cr: false, quote_line: 0 };
        Self { input, scan }
    }

    /// Puts the next record, without its line end, into `frame` and gives the line on which it begins; `None` at the
    /// end of the source. Empty lines are no records.
    pub(super) fn next(&mut self, frame: &mut Vec<u8>) -> Result<Option<u64>, Broken> {
        frame.clear();
        let mut began = self.scan.begin();
        loop {
            let chunk = self.input.fill_buf().map_err(|error| Broken { line: began, why: Break::Read(error) })?;
            if chunk.is_empty() {
                self.scan.finish()?;
                return Ok((!frame.is_empty()).then_some(began));
            }
            let end = self.scan.feed(chunk)?;
            let content = end.unwrap_or(chunk.len());
            if frame.len() + content > MAX_RECORD {
                return Err(Broken { line: began, why: Break::TooLong { open_quote: self.scan.open_quote() } });
            }
            frame.extend_from_slice(&chunk[..content]);
            self.input.consume(content + usize::from(end.is_some()));
            if end.is_some() {
                if !frame.is_empty() {
                    return Ok(Some(began));
                }
                began = self.scan.begin();
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the first byte of a cell.
    CellStart,
    /// Inside a cell that is not quoted.
    Unquoted,
    /// Inside quotes.
    Quoted,
    /// Behind a quote inside quotes: it closes the cell, or another follows and both mean one.
    Closed,
    /// Behind the line end.
    Ended,
}

struct Scan {
    delimiter: u8,
    state: State,
    /// The line of the next byte.
    line: u64,
    after_cr: bool,
    /// The line of the last quote that opened a cell.
    quote_line: u64,
}

impl Scan {
    fn begin(&mut self) -> u64 {
        self.state = State::CellStart;
        self.line
    }

    /// Goes through the bytes up to the end of the record and says where that is, if it is among them.
    fn feed(&mut self, chunk: &[u8]) -> Result<Option<usize>, Broken> {
        for (at, &byte) in chunk.iter().enumerate() {
            self.step(byte)?;
            let is_cr = byte == b'\r';
            if is_cr || (byte == b'\n' && !self.after_cr) {
                self.line += 1;
            }
            self.after_cr = is_cr;
            if self.state == State::Ended {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn step(&mut self, byte: u8) -> Result<(), Broken> {
        use State::{CellStart, Closed, Ended, Quoted, Unquoted};
        self.state = match (self.state, byte) {
            (Quoted, b'"') => Closed,
            (Quoted, _) | (Closed, b'"') => Quoted,
            (Unquoted, b'"') => return Err(Broken { line: self.line, why: Break::QuoteInside }),
            (_, b'"') => {
                self.quote_line = self.line;
                Quoted
            }
            (_, b'\n' | b'\r') => Ended,
            (_, byte) if byte == self.delimiter => CellStart,
            (Closed, byte) => return Err(self.after_quote(byte)),
            _ => Unquoted,
        };
        Ok(())
    }

    fn after_quote(&self, byte: u8) -> Broken {
        let on = (self.line != self.quote_line).then_some(self.line);
        Broken { line: self.quote_line, why: Break::AfterQuote { found: byte.escape_ascii().to_string(), on } }
    }

    fn open_quote(&self) -> Option<u64> {
        (self.state == State::Quoted).then_some(self.quote_line)
    }

    /// The source ends here.
    fn finish(&self) -> Result<(), Broken> {
        match self.open_quote() {
            Some(line) => Err(Broken { line, why: Break::Unclosed }),
            None => Ok(()),
        }
    }
}
