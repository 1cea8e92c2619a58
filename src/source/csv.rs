//! CSV and TSV: a header, then one record after another.

use std::collections::HashMap;
use std::io::{self, Read};

use csv::{Reader, ReaderBuilder, StringRecord, Terminator};

use super::error::{Broken, Unusable};
use super::frame::Frames;
use super::input::Bytes;
use super::{Found, RAW, read_before, shown};
use crate::row::{Fields, Raw, Rejection};

/// The records of a CSV or TSV source.
pub(super) struct Csv {
    frames: Frames,
    cells: Cells,
    header: Vec<String>,
    /// Which column holds records that could not be read before.
    raw: Option<usize>,
    frame: Vec<u8>,
}

impl Csv {
    /// Reads the header.
    pub(super) fn open(input: Bytes, delimiter: u8) -> Result<Self, Unusable> {
        let mut frames = Frames::new(input, delimiter);
        let mut cells = Cells::new(delimiter);
        let mut frame = Vec::new();
        let line = frames.next(&mut frame).map_err(|Broken { line, why }| Unusable::Header(line, why))?;
        line.ok_or(Unusable::NoHeader)?;
        let header = header(&frame, &mut cells, delimiter)?;
        let raw = header.iter().position(|name| name == RAW);
        Ok(Self { frames, cells, header, raw, frame })
    }

    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    pub(super) fn next(&mut self) -> Result<Option<Found>, Broken> {
        let Some(line) = self.frames.next(&mut self.frame)? else {
            return Ok(None);
        };
        let found = match self.cells() {
            Ok(cells) => match self.raw.map(|at| &cells[at]).filter(|raw| !raw.is_empty()) {
                Some(raw) => read_before(line, raw.clone()),
                None => Found { line, fields: Ok(Fields::Cells(cells.clone())), raw: Raw::Cells(cells) },
            },
            Err(rejection) => Found { line, fields: Err(rejection), raw: Raw::Unreadable(self.frame.clone()) },
        };
        Ok(Some(found))
    }

    /// The cells of the frame at hand, as many as the header has.
    fn cells(&mut self) -> Result<Vec<String>, Rejection> {
        if let Err(error) = std::str::from_utf8(&self.frame) {
            return Err(super::invalid_utf8(&self.frame, &error));
        }
        let cells = self.cells.split(&self.frame);
        let (expected, found) = (self.header.len(), cells.len());
        if found == expected {
            return Ok(cells);
        }
        let way_out = if found > expected {
            "put a cell that holds the delimiter in quotes"
        } else {
            "write an empty cell for what is missing, and put a cell that holds a line break in quotes"
        };
        let fields = if expected == 1 { "field" } else { "fields" };
        let message = format!("expected {expected} {fields}, found {found}; {way_out}");
        Err(Rejection::new("wrong_field_count", message))
    }
}

fn header(frame: &[u8], cells: &mut Cells, delimiter: u8) -> Result<Vec<String>, Unusable> {
    if frame.contains(&0) {
        return Err(Unusable::Utf16);
    }
    if let Err(error) = std::str::from_utf8(frame) {
        return Err(Unusable::HeaderEncoding(error.valid_up_to() + 1));
    }
    let header = cells.split(frame);
    if let [only] = header.as_slice() {
        refuse_other_separator(only, delimiter)?;
    }
    let mut seen = HashMap::new();
    for (number, name) in (1..).zip(&header) {
        if name.is_empty() {
            return Err(Unusable::UnnamedColumn(number));
        }
        if let Some(first) = seen.insert(name, number) {
            return Err(Unusable::DuplicateColumn { name: shown(name), first, second: number });
        }
    }
    Ok(header)
}

/// No header of one column is of any use, so another separator in it says what the file really is.
fn refuse_other_separator(only: &str, delimiter: u8) -> Result<(), Unusable> {
    let others = [
        (';', "semicolons", "save or convert it with commas, for example with `csvformat -d ';'`"),
        ('\t', "tabs", "name it `.tsv`, or say `--input-format tsv`"),
        (',', "commas", "name it `.csv`, or say `--input-format csv`"),
        ('|', "vertical bars", "save or convert it with commas"),
    ];
    let other = others.into_iter().find(|(separator, ..)| {
        u8::try_from(*separator).is_ok_and(|byte| byte != delimiter) && only.contains(*separator)
    });
    other.map_or(Ok(()), |(_, name, way_out)| Err(Unusable::OtherSeparator(name, way_out)))
}

/// Splits one framed record into its cells: one reader for all of them, fed with a frame at a time.
struct Cells {
    reader: Reader<Feed>,
    record: StringRecord,
}

impl Cells {
    fn new(delimiter: u8) -> Self {
        let mut builder = ReaderBuilder::new();
        // Line ends inside a frame stand in quotes, whatever they are; the one that ends it is put there by the feed.
        builder.delimiter(delimiter).has_headers(false).flexible(true).terminator(Terminator::Any(b'\n'));
        Self { reader: builder.from_reader(Feed::default()), record: StringRecord::new() }
    }

    /// The cells of a record that was framed and is UTF-8.
    fn split(&mut self, frame: &[u8]) -> Vec<String> {
        let feed = self.reader.get_mut();
        feed.given = 0;
        feed.bytes.clear();
        feed.bytes.extend_from_slice(frame);
        feed.bytes.push(b'\n');
        self.record.clear();
        // The feed never fails, records may have any length, and the frame is UTF-8: reading it cannot fail. Were that
        // ever wrong, there would be no cells, and the record would be refused for their number.
        match self.reader.read_record(&mut self.record) {
            Ok(_) => self.record.iter().map(str::to_owned).collect(),
            Err(_) => Vec::new(),
        }
    }
}

#[derive(Default)]
struct Feed {
    bytes: Vec<u8>,
    given: usize,
}

impl Read for Feed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = (&self.bytes[self.given..]).read(buffer)?;
        self.given += n;
        Ok(n)
    }
}
