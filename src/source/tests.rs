use std::io::Write as _;

use proptest::prelude::*;

use super::*;

/// Gives one byte at a time, so that every boundary falls between two chunks.
struct Drip(io::Cursor<Vec<u8>>);

impl Read for Drip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = buffer.len().min(1);
        self.0.read(&mut buffer[..n])
    }
}

fn spec(format: Format, compression: Compression) -> SourceSpec {
    SourceSpec { input: Input::Stdin, format, compression }
}

fn start(format: Format, compression: Compression, bytes: &[u8]) -> Result<Source, SourceError> {
    read("t".to_owned(), &spec(format, compression), Box::new(io::Cursor::new(bytes.to_vec())), None)
}

fn drain(mut source: Source) -> (Vec<Record>, Option<SourceError>) {
    let mut records = Vec::new();
    loop {
        match source.next_record() {
            Ok(Some(record)) => records.push(record),
            Ok(None) => return (records, None),
            Err(error) => {
                assert!(matches!(source.next_record(), Ok(None)), "nothing comes after a break");
                return (records, Some(error));
            }
        }
    }
}

fn all(format: Format, bytes: &[u8]) -> (Vec<Record>, Option<SourceError>) {
    drain(start(format, Compression::None, bytes).expect("is usable"))
}

fn unusable(format: Format, bytes: &[u8]) -> String {
    let error = start(format, Compression::None, bytes).expect_err("is unusable");
    assert!(!error.is_midway());
    error.to_string()
}

/// Each record as its line and its cells, or its line and code.
fn summary(records: &[Record]) -> Vec<(u64, Vec<&str>)> {
    let cells = |record: &Record| match &record.fields {
        Ok(Fields::Cells(_)) => None,
        Ok(Fields::Members(_)) => Some("object"),
        Err(rejection) => Some(rejection.code),
    };
    let each = records.iter().map(|record| match (&record.fields, cells(record)) {
        (_, Some(word)) => (record.origin.line, vec![word]),
        (Ok(Fields::Cells(found)), _) => (record.origin.line, found.iter().map(String::as_str).collect()),
        _ => unreachable!("a record has fields or not"),
    });
    each.collect()
}

#[test]
fn every_line_end_ends_a_record_and_quoted_ones_are_counted() {
    let (records, error) = all(Format::Csv, b"\xef\xbb\xbfa,b\r\n1,2\r3,4\n\n\r\n\"5\n\r\n\r5\",6\n7,8");
    assert!(error.is_none());
    assert_eq!(
        summary(&records),
        [(2, vec!["1", "2"]), (3, vec!["3", "4"]), (6, vec!["5\n\r\n\r5", "6"]), (10, vec!["7", "8"])]
    );
    assert_eq!(records.iter().map(|r| r.origin.row).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn a_record_with_another_number_of_fields_is_rejected_and_kept_as_it_was() {
    let (records, _) = all(Format::Tsv, b"a\tb\n1\n1\t2\n1\t\"x\ty\"\t3\n");
    assert_eq!(
        summary(&records),
        [(2, vec!["wrong_field_count"]), (3, vec!["1", "2"]), (4, vec!["wrong_field_count"])]
    );
    assert_eq!(records[2].raw, Raw::Unreadable(b"1\t\"x\ty\"\t3".to_vec()));
    let message = &records[0].fields.as_ref().expect_err("is rejected").message;
    assert!(message.starts_with("expected 2 fields, found 1; "), "{message}");
}

#[test]
fn a_break_comes_after_every_record_before_it_and_names_its_line() {
    let big = format!("a,b\n1,2\n3,{}\n", "x".repeat(MAX_RECORD));
    let big_quoted = format!("a,b\n1,2\n3,\"{}", "x\n".repeat(MAX_RECORD));
    for (bytes, line, says) in [
        ("a,b\n1,2\n3,\"4\n5,6\n", 3, "never closed"),
        ("a,b\n1,2\n\"x\n\",\"4\n5,6\n", 4, "never closed"),
        ("a,b\n1,2\n3,\"4\"x\n", 3, "`x` follows the closing quote"),
        ("a,b\n1,2\n3,\"4\n5,\"6\n", 3, "and closed on line 4"),
        ("a,b\n1,2\n3,\"4\" \n", 3, "` ` follows the closing quote"),
        ("a,b\n1,2\n3,x\"y\"\n", 3, "inside an unquoted cell"),
        (&big, 3, "more than 1048576 bytes begins here;"),
        (&big_quoted, 3, "the quote opened on line 3 is not closed"),
    ] {
        let (records, error) = all(Format::Csv, bytes.as_bytes());
        let error = error.expect("breaks");
        assert_eq!(summary(&records), [(2, vec!["1", "2"])], "{error}");
        assert!(error.is_midway());
        assert!(error.to_string().starts_with(&format!("t, line {line}: ")), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn the_largest_record_is_read_and_one_byte_more_is_not() {
    let csv = |n: usize| format!("a,b\n1,{}\r\n3,4", "x".repeat(n - 2));
    assert_eq!(all(Format::Csv, csv(MAX_RECORD).as_bytes()).0.len(), 2);
    let (records, error) = all(Format::Csv, csv(MAX_RECORD + 1).as_bytes());
    assert!(records.is_empty() && error.is_some());
    let json = |n: usize| format!("{{}}\n{{\"a\":\"{}\"}}\r\n{{}}", "x".repeat(n - 8));
    assert_eq!(all(Format::Ndjson, json(MAX_RECORD).as_bytes()).0.len(), 3);
    let (records, error) = all(Format::Ndjson, json(MAX_RECORD + 1).as_bytes());
    assert_eq!(records.len(), 1);
    assert!(error.expect("breaks").to_string().starts_with("t, line 2: a record of more than"));
}

#[test]
fn what_is_wrong_with_a_header_is_said_with_the_way_out() {
    for (format, bytes, says) in [
        (Format::Csv, b"".as_slice(), "has no header"),
        (Format::Csv, b"\n\r\n", "has no header"),
        (Format::Csv, b"\xef\xbb\xbf", "has no header"),
        (Format::Csv, b"a,b,a\n", "columns 1 and 3 of the header are both called `a`"),
        (Format::Csv, b"a\x1b,a\x1b\n", r"both called `a\u{1b}`"),
        (Format::Csv, b"a,,b\n", "column 2 of the header has no name"),
        (Format::Csv, b"user_id;public.role\n", "separated by semicolons"),
        (Format::Csv, b"user_id\tpublic.role\n", "separated by tabs"),
        (Format::Tsv, b"user_id,public.role\n", "separated by commas"),
        (Format::Csv, b"\xff\xfea\0,\0", "iconv"),
        (Format::Csv, b"a\0,\0b\0\n\0", "iconv"),
        (Format::Csv, b"user_id,\0\n", "iconv"),
        (Format::Ndjson, b"\xfe\xff\0{\0}", "iconv"),
        (Format::Ndjson, b"{\0}\0", "iconv"),
        (Format::Csv, b"a,\xff\n", "not valid UTF-8 (byte 3)"),
        (Format::Csv, b"\n\"a,b\n", "the header on line 2 cannot be read: the quote"),
        (Format::Csv, b"\x1f\x8b\x08\0", "this holds gzip data"),
        (Format::Csv, b"PK\x03\x04\x14", "save the spreadsheet as CSV"),
    ] {
        let error = unusable(format, bytes);
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn ndjson_lines_are_objects_or_rejected_with_their_column() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
    for (line, code, column) in [
        ("{\"a\":1}\r", None, None),
        ("[1]", Some("not_an_object"), None),
        ("\"text\"", Some("not_an_object"), None),
        ("null", Some("not_an_object"), None),
        ("{\"a\":1,\"a\":2}", Some("duplicate_key"), Some("13")),
        ("{\"a\" 1}", Some("invalid_json"), Some("6")),
        ("{} {}", Some("invalid_json"), Some("4")),
        ("{\"a\":\"\\ud800\"}", Some("invalid_json"), Some("13")),
        (&deep, Some("too_deep"), None),
        ("{\"metapatch_raw\":\"\"}", None, None),
        ("{\"metapatch_raw\":null}", None, None),
        ("{\"metapatch_raw\":7}", Some("unreadable"), Some("metapatch_raw")),
    ] {
        let (records, error) = all(Format::Ndjson, format!("\n \t\r\n{line}\n{{}}").as_bytes());
        assert!(error.is_none());
        assert_eq!(records.len(), 2, "{line}");
        assert_eq!(records[0].origin, Origin { row: 1, line: 3 });
        let rejection = records[0].fields.as_ref().err();
        assert_eq!(rejection.map(|r| r.code), code, "{line}");
        if let Some(column) = column {
            assert_eq!(rejection.and_then(|r| r.column.as_deref()), Some(column), "{line}");
        }
    }
}

#[test]
fn invalid_utf8_rejects_one_record_and_its_bytes_are_kept() {
    for (format, bytes) in [(Format::Csv, b"a,b\n1,\xc3(\n3,4\n".as_slice()), (Format::Ndjson, b"{}\n1,\xc3(\n{}\n")] {
        let (records, error) = all(format, bytes);
        assert!(error.is_none());
        let bad = records.iter().find(|record| record.fields.is_err()).expect("one is bad");
        let rejection = bad.fields.as_ref().expect_err("is rejected");
        assert_eq!((rejection.code, rejection.column.as_deref()), ("invalid_utf8", Some("3")));
        assert_eq!(bad.raw, Raw::Unreadable(b"1,\xc3(".to_vec()));
        assert!(records.last().expect("there are some").fields.is_ok());
    }
}

#[test]
fn what_could_not_be_read_before_is_rejected_again_and_does_not_change() {
    let (records, _) = all(Format::Csv, b"user_id,metapatch_raw\n,\"a,\"\"b\"\",c\"\nuser_1,\n");
    let rejection = records[0].fields.as_ref().expect_err("is rejected");
    assert_eq!(rejection.code, "unreadable");
    assert_eq!(records[0].raw, Raw::Unreadable(b"a,\"b\",c".to_vec()));
    assert!(records[1].fields.is_ok());
    let (records, _) = all(Format::Ndjson, br#"{"metapatch_raw":"[1","metapatch_outcome":"rejected"}"#);
    assert_eq!(records[0].raw, Raw::Unreadable(b"[1".to_vec()));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).expect("packs");
    packer.finish().expect("packs")
}

/// Rows that do not pack well, the same every time.
fn noise(rows: u64) -> String {
    let mut random = fastrand::Rng::with_seed(7);
    let rows: Vec<String> = (0..rows).map(|n| format!("user_{n},{}\n", random.u64(..))).collect();
    rows.concat()
}

#[test]
fn packed_sources_are_read_and_cut_ones_break_after_their_good_rows() {
    let rows = noise(20_000);
    let text = format!("\u{feff}user_id,public.n\n{rows}");
    let zstd = zstd::encode_all(text.as_bytes(), 1).expect("packs");
    for (compression, packed) in [(Compression::Gzip, gzip(text.as_bytes())), (Compression::Zstd, zstd)] {
        let (records, error) = drain(start(Format::Csv, compression, &packed).expect("is usable"));
        assert_eq!((records.len(), error.is_none()), (20_000, true));
        let cut = &packed[..packed.len() - 6];
        let (records, error) = drain(start(Format::Csv, compression, cut).expect("is usable"));
        let error = error.expect("breaks");
        assert!(error.is_midway() && error.to_string().contains("are cut off"), "{error}");
        assert!(records.len() > 1_000, "{}", records.len());
        let expected = format!("t, line {}: ", records.len() + 2);
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(start(Format::Ndjson, compression, b"").is_err(), "nothing is no packed file");
        assert!(start(Format::Ndjson, compression, b"{}").is_err(), "plain text is no packed file");
    }
}

#[test]
fn two_packed_files_put_together_are_one() {
    let both = [gzip(b"a,b\n1,2\n"), gzip(b"3,4\n")].concat();
    assert_eq!(drain(start(Format::Csv, Compression::Gzip, &both).expect("is usable")).0.len(), 2);
}

#[test]
fn the_name_says_how_rows_are_written_unless_it_is_said() {
    use Compression::{Gzip, None as Plain, Zstd};
    for (path, format, expected) in [
        ("a.csv", None, Ok((Format::Csv, Plain))),
        ("A.CSV.GZ", None, Ok((Format::Csv, Gzip))),
        ("a.b.tsv.zst", None, Ok((Format::Tsv, Zstd))),
        ("a.jsonl", None, Ok((Format::Ndjson, Plain))),
        ("a.ndjson.Gz", None, Ok((Format::Ndjson, Gzip))),
        ("a.csv", Some(Format::Ndjson), Ok((Format::Ndjson, Plain))),
        ("a.gz", Some(Format::Tsv), Ok((Format::Tsv, Gzip))),
        ("a.gz", None, Err("does not say how the rows are written")),
        ("a.json", None, Err("--input-format ndjson")),
        ("a.xlsx", None, Err("save it as CSV")),
        ("csv", None, Err("does not say")),
        ("", None, Err("does not say")),
        ("-", None, Err("standard input: say how the rows are written")),
        ("a\u{1b}[2J", None, Err(r"a\u{1b}[2J: ")),
    ] {
        match (detect(path, format), expected) {
            (Ok(spec), Ok(expected)) => {
                assert_eq!((spec.format, spec.compression), expected, "{path}");
                assert!(matches!(spec.input, Input::File(path) if path.is_absolute()));
            }
            (Err(error), Err(says)) => {
                assert!(error.to_string().contains(says), "{error}");
                assert!(!error.is_midway());
            }
            (found, _) => panic!("{path}: {found:?}"),
        }
    }
    assert!(detect("", Some(Format::Csv)).is_err());
    assert_eq!(detect("-", Some(Format::Csv)).expect("is usable").input, Input::Stdin);
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let open_at = |name: &str| {
        let path = folder.path().join(name);
        open(&detect(&path.to_string_lossy(), Some(Format::Csv)).expect("has a name")).expect_err("is unusable")
    };
    let missing = open_at("missing.csv").to_string();
    assert!(missing.contains("missing.csv: no such file"), "{missing}");
    assert!(open_at("").to_string().contains("this is a folder"));
}

#[test]
fn progress_is_counted_in_bytes_of_the_file() {
    let mut file = tempfile::NamedTempFile::with_suffix(".csv.gz").expect("a file");
    let packed = gzip(b"a,b\n1,2\n");
    file.write_all(&packed).expect("is written");
    let spec = detect(&file.path().to_string_lossy(), None).expect("has a name");
    let mut source = open(&spec).expect("is usable");
    assert_eq!(source.size(), Some(packed.len() as u64));
    while source.next_record().expect("is whole").is_some() {}
    assert_eq!(source.bytes_read(), packed.len() as u64);
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9]{0,6}",
        proptest::collection::vec(
            prop_oneof![Just('"'), Just(','), Just('\n'), Just('\r'), Just('é'), Just('a')],
            0..8
        )
        .prop_map(|letters| letters.into_iter().collect()),
        any::<String>(),
    ]
}

fn lines_in(text: &str) -> u64 {
    let ends = text.replace("\r\n", "\n");
    ends.matches(['\n', '\r']).count() as u64
}

proptest! {
    #[test]
    fn cells_come_back_as_they_were_written_with_the_lines_they_stand_on(
        rows in proptest::collection::vec(proptest::collection::vec(cell(), 3), 0..12),
        crlf in any::<bool>(),
    ) {
        let terminator = if crlf { ::csv::Terminator::CRLF } else { ::csv::Terminator::Any(b'\n') };
        let mut writer = ::csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
        writer.write_record(["a", "b", "c"]).expect("writes");
        let mut expected = Vec::new();
        let mut line = 2;
        for row in &rows {
            writer.write_record(row).expect("writes");
            expected.push((line, row.iter().map(String::as_str).collect::<Vec<_>>()));
            line += 1 + row.iter().map(|cell| lines_in(cell)).sum::<u64>();
        }
        let bytes = writer.into_inner().expect("writes");
        let (records, error) = all(Format::Csv, &bytes);
        prop_assert!(error.is_none());
        prop_assert_eq!(summary(&records), expected);
    }

    #[test]
    fn chunks_do_not_matter(bytes in proptest::collection::vec(prop_oneof![
        Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), Just(b'a'), Just(0xff)
    ], 0..60)) {
        let bytes = [b"a,b\n".as_slice(), &bytes].concat();
        let drip = Box::new(Drip(io::Cursor::new(bytes.clone())));
        let dripped = drain(read("t".to_owned(), &spec(Format::Csv, Compression::None), drip, None).expect("is usable"));
        let whole = all(Format::Csv, &bytes);
        prop_assert_eq!(dripped.0, whole.0);
        prop_assert_eq!(dripped.1.map(|e| e.to_string()), whole.1.map(|e| e.to_string()));
    }

    #[test]
    fn no_bytes_make_it_panic_and_what_stands_before_a_break_is_yielded(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        ndjson in any::<bool>(),
    ) {
        let (format, good): (_, &[u8]) = if ndjson { (Format::Ndjson, b"{}\n") } else { (Format::Csv, b"a,b\n1,2\n") };
        let (records, error) = all(format, &[good, &bytes].concat());
        prop_assert!(records[0].fields.is_ok());
        prop_assert!(error.is_none_or(|error| error.is_midway()));
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            if let Ok(source) = start(format, compression, &bytes) {
                drain(source);
            }
        }
    }
}
