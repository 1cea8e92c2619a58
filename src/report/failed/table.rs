//! Failed rows under the header of their source.

use std::borrow::Cow;
use std::io::{self, Write};

use super::{FailedRow, PREFIX, RAW, is_private, misfit};
use crate::harmless::{for_spreadsheet, for_terminal};
use crate::report::{Destination, MASK};
use crate::row::Raw;

/// Which cells of a row are written.
#[derive(Debug)]
pub(super) struct Columns {
    header: Vec<String>,
    kept: Vec<usize>,
    /// Where an earlier round kept what could not be read.
    old_raw: Option<usize>,
    with_raw: bool,
}

impl Columns {
    pub(super) fn of(header: &[String], withheld: &[String], any_unreadable: bool) -> Self {
        let is_kept = |name: &String| !name.starts_with(PREFIX) && !withheld.contains(name);
        let kept = (0..header.len()).filter(|at| is_kept(&header[*at])).collect();
        let old_raw = header.iter().position(|name| name == RAW);
        Self { header: header.to_vec(), kept, old_raw, with_raw: any_unreadable || old_raw.is_some() }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let ours = ["metapatch_outcome", "metapatch_code", "metapatch_message"];
        let kept = self.kept.iter().map(|at| self.header[*at].as_str());
        kept.chain(ours).chain(self.with_raw.then_some(RAW))
    }

    fn any_private(&self) -> bool {
        self.kept.iter().any(|at| is_private(&self.header[*at]))
    }
}

pub(super) struct Table<W: Write> {
    csv: csv::Writer<W>,
    columns: Columns,
    delimiter: u8,
    destination: Destination,
}

impl<W: Write> Table<W> {
    pub(super) fn new(out: W, columns: Columns, delimiter: u8, destination: Destination) -> io::Result<Self> {
        let mut csv = csv::WriterBuilder::new().delimiter(delimiter).from_writer(out);
        let names = columns.names().map(|name| seen(name.as_bytes(), destination).into_owned());
        csv.write_record(names)?;
        Ok(Self { csv, columns, delimiter, destination })
    }

    pub(super) fn push(&mut self, row: &FailedRow) -> io::Result<()> {
        match &row.raw {
            Raw::Cells(cells) => {
                if cells.len() != self.columns.header.len() {
                    let (found, wanted) = (cells.len(), self.columns.header.len());
                    return Err(misfit(format!("a row has {found} cells under a header of {wanted} columns")));
                }
                let old_raw = self.columns.old_raw.map_or("", |at| &cells[at]);
                self.write(row, |at| &cells[at], old_raw.as_bytes())
            }
            Raw::Object(text) => self.write(row, |_| "", text.as_bytes()),
            Raw::Unreadable(bytes) => self.write(row, |_| "", &self.innermost(bytes)),
            Raw::Withheld => self.write(row, |_| "", b""),
        }
    }

    fn write<'r>(&mut self, row: &FailedRow, cell: impl Fn(usize) -> &'r str, raw: &[u8]) -> io::Result<()> {
        if !raw.is_empty() && !self.columns.with_raw {
            return Err(misfit(format!("a row could not be read, but there is no column {RAW}")));
        }
        let masks = self.destination.masks_private();
        for at in &self.columns.kept {
            let text = cell(*at);
            let hidden = masks && !text.is_empty() && is_private(&self.columns.header[*at]);
            self.csv.write_field(if hidden {
                MASK.as_bytes().into()
            } else {
                seen(text.as_bytes(), self.destination)
            })?;
        }
        for text in [row.outcome.word(), &row.code, &row.message] {
            self.csv.write_field(seen(for_spreadsheet(text).as_bytes(), self.destination))?;
        }
        if self.columns.with_raw {
            let hidden = masks && !raw.is_empty() && self.columns.any_private();
            self.csv.write_field(if hidden { MASK.as_bytes().into() } else { seen(raw, self.destination) })?;
        }
        Ok(self.csv.write_record(None::<&[u8]>)?)
    }

    /// A record that was kept in an earlier round and still cannot be read is not wrapped once more.
    fn innermost<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        let Some(at) = self.columns.old_raw else { return bytes.into() };
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(self.delimiter).from_reader(bytes);
        let mut record = csv::ByteRecord::new();
        match reader.read_byte_record(&mut record) {
            Ok(true) if record.len() == self.columns.header.len() && !record[at].is_empty() => {
                record[at].to_vec().into()
            }
            _ => bytes.into(),
        }
    }

    pub(super) fn finish(self) -> io::Result<W> {
        self.csv.into_inner().map_err(|e| io::Error::new(e.error().kind(), e.error().to_string()))
    }
}

/// A cell as it was, or as a terminal may show it.
fn seen(cell: &[u8], destination: Destination) -> Cow<'_, [u8]> {
    if destination.is_terminal() {
        for_terminal(&String::from_utf8_lossy(cell)).into_bytes().into()
    } else {
        cell.into()
    }
}
