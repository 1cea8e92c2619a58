//! Where rows come from: CSV, TSV and NDJSON, plain or packed, from a file or standard input.
//!
//! A source is read once, record by record, and holds one record at a time: memory does not grow with the number of
//! rows. A record that cannot be understood is data and is yielded with its rejection; what makes the rows behind it
//! untrustworthy breaks the source, after every record before it was yielded. Reading blocks.

use std::fmt;
use std::io::{self, Read};
use std::path::{self, Path};
use std::str::Utf8Error;

use crate::harmless;
use crate::row::{Fields, Origin, Raw, Record, Rejection};
use crate::spec::{Compression, Format, Input, SourceSpec};

mod csv;
mod error;
mod frame;
mod input;
mod ndjson;

pub use error::{Break, SourceError, Unusable};

/// The largest record, in bytes without its line end.
pub const MAX_RECORD: usize = 1024 * 1024;

/// The column or member in which the file of failed rows keeps a record that could not be read.
const RAW: &str = "metapatch_raw";

/// What standard input is called in messages.
const STDIN: &str = "standard input";

/// Works out from a file's name, or `-` for standard input, how its rows are written.
///
/// `input_format` goes before the name's ending; packing is always told by the ending.
pub fn detect(path: &str, input_format: Option<Format>) -> Result<SourceSpec, SourceError> {
    if path == "-" {
        let format = input_format.ok_or(SourceError::Unusable { name: STDIN.to_owned(), why: Unusable::NoFormat })?;
        return Ok(SourceSpec { input: Input::Stdin, format, compression: Compression::None });
    }
    let refuse = |why| SourceError::unusable(Path::new(path), why);
    let lower = path.to_ascii_lowercase();
    let packed = [(".gz", Compression::Gzip), (".zst", Compression::Zstd)];
    let packed = packed.into_iter().find_map(|(ending, packed)| Some((lower.strip_suffix(ending)?, packed)));
    let (stem, compression) = packed.unwrap_or((&lower, Compression::None));
    let format = input_format.map_or_else(|| format_of(stem).map_err(refuse), Ok)?;
    let absolute = path::absolute(path).map_err(|error| refuse(Unusable::Closed(error)))?;
    Ok(SourceSpec { input: Input::File(absolute), format, compression })
}

fn format_of(stem: &str) -> Result<Format, Unusable> {
    match stem.rsplit_once('.').map(|(_, ending)| ending) {
        Some("csv") => Ok(Format::Csv),
        Some("tsv") => Ok(Format::Tsv),
        Some("ndjson" | "jsonl") => Ok(Format::Ndjson),
        Some("json") => Err(Unusable::Json),
        Some("xls" | "xlsx" | "ods" | "numbers") => Err(Unusable::Spreadsheet),
        _ => Err(Unusable::UnknownEnding),
    }
}

/// Opens a source and, for CSV and TSV, reads its header.
pub fn open(spec: &SourceSpec) -> Result<Source, SourceError> {
    match &spec.input {
        Input::Stdin => read(STDIN.to_owned(), spec, Box::new(io::stdin()), None),
        Input::File(path) => {
            let opened = input::open_file(path).map_err(|why| SourceError::unusable(path, why))?;
            read(error::name(path), spec, opened.reader, opened.size)
        }
    }
}

fn read(
    name: String,
    spec: &SourceSpec,
    reader: Box<dyn Read + Send>,
    size: Option<u64>,
) -> Result<Source, SourceError> {
    let count = input::Count::default();
    let csv = |bytes, delimiter| csv::Csv::open(bytes, delimiter).map(|csv| Records::Csv(Box::new(csv)));
    let records = input::plain(reader, spec.compression, &count).and_then(|bytes| match spec.format {
        Format::Csv => csv(bytes, b','),
        Format::Tsv => csv(bytes, b'\t'),
        Format::Ndjson => Ok(Records::Ndjson(ndjson::Ndjson::new(bytes))),
    });
    match records {
        Ok(records) => Ok(Source { name, records, count, size, row: 0, over: false }),
        Err(why) => Err(SourceError::Unusable { name, why }),
    }
}

/// A stream of records.
pub struct Source {
    name: String,
    records: Records,
    count: input::Count,
    size: Option<u64>,
    /// How many records were yielded.
    row: u64,
    over: bool,
}

enum Records {
    Csv(Box<csv::Csv>),
    Ndjson(ndjson::Ndjson),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).field("row", &self.row).finish_non_exhaustive()
    }
}

impl Source {
    /// What messages call it, such as the file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the columns; `None` where records name their own members.
    pub fn header(&self) -> Option<&[String]> {
        match &self.records {
            Records::Csv(csv) => Some(csv.header()),
            Records::Ndjson(_) => None,
        }
    }

    /// The next record, good or bad; `None` at the end. After an error there are no more.
    pub fn next_record(&mut self) -> Result<Option<Record>, SourceError> {
        if self.over {
            return Ok(None);
        }
        let next = match &mut self.records {
            Records::Csv(csv) => csv.next(),
            Records::Ndjson(ndjson) => ndjson.next(),
        };
        self.over = !matches!(next, Ok(Some(_)));
        let found =
            next.map_err(|broken| SourceError::Broke { name: self.name.clone(), line: broken.line, why: broken.why })?;
        Ok(found.map(|Found { line, fields, raw }| {
            self.row += 1;
            Record { origin: Origin { row: self.row, line }, fields, raw }
        }))
    }

    /// How many bytes of the file were read so far, before unpacking; at most a buffer ahead of the records.
    pub fn bytes_read(&self) -> u64 {
        self.count.get()
    }

    /// How many bytes the file had when it was opened; `None` for what is no regular file.
    pub const fn size(&self) -> Option<u64> {
        self.size
    }
}

/// A record without its number.
struct Found {
    line: u64,
    fields: Result<Fields, Rejection>,
    raw: Raw,
}

/// A record of a failed file that could not be read the first time. It stays as it was, however often it comes back.
fn read_before(line: u64, raw: String) -> Found {
    let message = format!(
        "this record could not be read before and still stands in `{RAW}`; write it into its own columns or keys and \
         leave `{RAW}` empty"
    );
    Found { line, fields: Err(Rejection::new("unreadable", message).at(RAW)), raw: Raw::Unreadable(raw.into_bytes()) }
}

fn invalid_utf8(bytes: &[u8], error: &Utf8Error) -> Rejection {
    let at = error.valid_up_to();
    let found = bytes.get(at).copied().unwrap_or_default();
    let message = format!("byte {} of the record (0x{found:02x}) is not valid UTF-8; save the file as UTF-8", at + 1);
    Rejection::new("invalid_utf8", message).at((at + 1).to_string())
}

/// Text from the source as it is quoted in a message.
fn shown(text: &str) -> String {
    harmless::for_terminal_within(text, 60)
}

#[cfg(test)]
mod tests;
