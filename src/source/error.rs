//! Why a source cannot be read: from the start, or from somewhere in its middle.

use std::io;
use std::path::Path;

use super::MAX_RECORD;
use crate::harmless;

/// Why a source gives no rows, or no more rows.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Not one record was read.
    #[error("{name}: {why}")]
    Unusable {
        /// The file, made harmless for a terminal.
        name: String,
        /// What is wrong with it.
        why: Unusable,
    },
    /// Every record before this line was yielded, and none behind it can be.
    #[error("{name}, line {line}: {why}")]
    Broke {
        /// The file, made harmless for a terminal.
        name: String,
        /// The line, counted from 1, on which the trouble begins.
        line: u64,
        /// What is wrong there.
        why: Break,
    },
}

impl SourceError {
    pub(super) fn unusable(path: &Path, why: Unusable) -> Self {
        Self::Unusable { name: name(path), why }
    }

    /// Whether records were readable until the source broke; otherwise it was unusable from the start.
    pub const fn is_midway(&self) -> bool {
        matches!(self, Self::Broke { .. })
    }
}

/// A path as it is shown in messages.
pub(super) fn name(path: &Path) -> String {
    harmless::for_terminal(&path.to_string_lossy())
}

/// What makes a source unusable from the start.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The name does not say how the rows are written.
    #[error(
        "the name does not say how the rows are written; expected it to end in .csv, .tsv, .ndjson or .jsonl, each \
         also with .gz or .zst, or say it with `--input-format csv|tsv|ndjson`"
    )]
    UnknownEnding,
    /// A spreadsheet's own file.
    #[error("this is a spreadsheet's own format; save it as CSV (UTF-8) first")]
    Spreadsheet,
    /// A JSON document, which may or may not be one object a line.
    #[error(
        "a .json file may be one document or many; if it holds one object a line, say `--input-format ndjson`; if it \
         is one array, `jq -c '.[]'` makes lines of it"
    )]
    Json,
    /// Standard input has no name to tell by.
    #[error("say how the rows are written: `--input-format csv|tsv|ndjson`")]
    NoFormat,
    /// There is no such file.
    #[error("no such file")]
    Missing,
    /// A folder is no file.
    #[error("this is a folder; expected a file")]
    Folder,
    /// The file exists and cannot be opened.
    #[error("cannot be opened: {0}")]
    Closed(io::Error),
    /// Bytes that are packed although the name does not say so.
    #[error("this holds {0} data; {1}")]
    Packed(&'static str, &'static str),
    /// UTF-16 or UTF-32.
    #[error("this is not UTF-8 but most likely UTF-16; convert it, for example with `iconv -f UTF-16 -t UTF-8`")]
    Utf16,
    /// A CSV file without a single line.
    #[error("the file has no header; expected a first line such as `user_id,public_metadata.role`")]
    NoHeader,
    /// The header, or the first bytes, cannot be read.
    #[error("the header on line {0} cannot be read: {1}")]
    Header(u64, Break),
    /// The very first bytes cannot be read.
    #[error("{0}")]
    Start(Break),
    /// Bytes in the header that are not UTF-8.
    #[error("the header is not valid UTF-8 (byte {0}); convert the file to UTF-8")]
    HeaderEncoding(usize),
    /// A header of one cell that holds another separator.
    #[error("the header is one single column, and it looks as if the file were separated by {0}; {1}")]
    OtherSeparator(&'static str, &'static str),
    /// A column without a name.
    #[error("column {0} of the header has no name; name it, or remove the column")]
    UnnamedColumn(usize),
    /// Two columns with one name.
    #[error("columns {first} and {second} of the header are both called `{name}`; rename or remove one of them")]
    DuplicateColumn {
        /// The name, made harmless.
        name: String,
        /// The number of the first of the two, counted from 1.
        first: usize,
        /// The number of the second.
        second: usize,
    },
}

/// What stops the reading, since nothing behind it could be trusted.
#[derive(Debug, thiserror::Error)]
pub enum Break {
    /// A record larger than any real one.
    #[error(
        "a record of more than {MAX_RECORD} bytes begins here{quote}; no row may be larger than 1 MiB",
        quote = still_open(*.open_quote)
    )]
    TooLong {
        /// The line of a quote that was still open.
        open_quote: Option<u64>,
    },
    /// The file ends inside a quoted cell.
    #[error("the quote that is opened here is never closed; close it, or double it (`\"\"`) inside a quoted cell")]
    Unclosed,
    /// Something stands between the closing quote and the next delimiter.
    #[error(
        "`{found}` follows the closing quote of a cell that is opened here{place}; expected a delimiter or the end of \
         the line; a quote inside a quoted cell is doubled (`\"\"`)",
        place = elsewhere(*.on)
    )]
    AfterQuote {
        /// The byte that was found, escaped.
        found: String,
        /// On which line it stands, where that is another one.
        on: Option<u64>,
    },
    /// A quote in the middle of an unquoted cell.
    #[error(
        "a quote stands inside an unquoted cell; put the whole cell in quotes and double the quote inside it (`\"\"`)"
    )]
    QuoteInside,
    /// The bytes cannot be had.
    #[error("cannot be read: {0}")]
    Read(io::Error),
}

fn still_open(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(", and the quote opened on line {line} is not closed within it"))
}

fn elsewhere(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(" and closed on line {line}"))
}

/// A break and the line where it begins.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) line: u64,
    pub(super) why: Break,
}
