//! From a file or standard input to plain bytes: opened, counted, unpacked, and freed of a byte order mark.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::{Break, Unusable};
use crate::spec::Compression;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// Plain bytes, whatever they came from.
pub(super) type Bytes = Box<dyn BufRead + Send>;

/// A file that was opened for reading.
pub(super) struct Opened {
    pub(super) reader: Box<dyn Read + Send>,
    pub(super) size: Option<u64>,
}

pub(super) fn open_file(path: &Path) -> Result<Opened, Unusable> {
    let explain = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Unusable::Missing,
        _ => Unusable::Closed(error),
    };
    let file = File::open(path).map_err(explain)?;
    let about = file.metadata().map_err(explain)?;
    if about.is_dir() {
        return Err(Unusable::Folder);
    }
    let size = about.is_file().then_some(about.len());
    Ok(Opened { reader: Box::new(file), size })
}

/// How many bytes of the file were read so far, before they are unpacked.
#[derive(Debug, Clone, Default)]
pub(super) struct Count(Arc<AtomicU64>);

impl Count {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct Counting<R> {
    inner: R,
    count: Count,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = loop {
            match self.inner.read(buffer) {
                // A signal came first; nothing was lost.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.count.0.fetch_add(u64::try_from(n).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(n)
    }
}

/// Unpacks, takes a look at the first bytes, and skips a byte order mark.
pub(super) fn plain(reader: Box<dyn Read + Send>, compression: Compression, count: &Count) -> Result<Bytes, Unusable> {
    let packed = BufReader::with_capacity(CHUNK, Counting { inner: reader, count: count.clone() });
    let mut bytes = unpacked(packed, compression).map_err(start)?;
    let mut head = Vec::with_capacity(4);
    bytes.by_ref().take(4).read_to_end(&mut head).map_err(start)?;
    refuse_foreign(&head)?;
    let skip = if head.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    Ok(Box::new(Cursor::new(head.split_off(skip)).chain(bytes)))
}

fn start(error: io::Error) -> Unusable {
    Unusable::Start(Break::Read(error))
}

fn unpacked<R: BufRead + Send + 'static>(mut packed: R, compression: Compression) -> io::Result<Bytes> {
    let what = match compression {
        Compression::None => return Ok(Box::new(packed)),
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
    };
    // Not even a stream that holds nothing is empty.
    if packed.fill_buf()?.is_empty() {
        return Err(damaged(what, &io::ErrorKind::UnexpectedEof.into()));
    }
    let inner: Box<dyn Read + Send> = match compression {
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
        _ => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
    };
    Ok(Box::new(BufReader::with_capacity(CHUNK, Unpacking { inner, what })))
}

/// Says in its errors what was being unpacked.
struct Unpacking {
    inner: Box<dyn Read + Send>,
    what: &'static str,
}

impl Read for Unpacking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(|error| damaged(self.what, &error))
    }
}

fn damaged(what: &str, error: &io::Error) -> io::Error {
    let text = match error.kind() {
        io::ErrorKind::UnexpectedEof => format!("the {what} data are cut off; fetch or pack the file again"),
        _ => format!("the {what} data are damaged, or no {what} data at all: {error}"),
    };
    io::Error::new(error.kind(), text)
}

/// Recognises what is surely no UTF-8 text by its first bytes.
fn refuse_foreign(head: &[u8]) -> Result<(), Unusable> {
    const NAME_IT: &str = "give the file the ending `.gz` or `.zst`, or unpack it first";
    let one_nul = |pair: &[u8]| (pair[0] == 0) != (pair[1] == 0);
    match head {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, 0, 0xfe, 0xff] => Err(Unusable::Utf16),
        [0x1f, 0x8b, ..] => Err(Unusable::Packed("gzip", NAME_IT)),
        [0x28, 0xb5, 0x2f, 0xfd] => Err(Unusable::Packed("zstd", NAME_IT)),
        [b'P', b'K', 3, 4] => Err(Unusable::Packed("zip", "unpack it first, or save the spreadsheet as CSV (UTF-8)")),
        [_, _, ..] if one_nul(&head[..2]) => Err(Unusable::Utf16),
        _ => Ok(()),
    }
}
