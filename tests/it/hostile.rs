//! Every file of `fixtures/hostile/`: what is bad is said, what is good beside it is read.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use metapatch::mapping::Mapping;
use metapatch::row::{Origin, Rejection};
use metapatch::source::{self, SourceError};
use metapatch::spec::{Empty, Format, MappingSpec};

use Ending::{Midway, Ok, Unusable};

/// How the reading of a file ends.
#[derive(Debug)]
enum Ending {
    /// At its end.
    Ok,
    /// Before the first row, with a message that holds this.
    Unusable(&'static str),
    /// On this line, with a message that holds this.
    Midway(u64, &'static str),
}

/// File, good rows, codes of the rejected rows with how often each follows in a row, and how it ends.
type Case = (&'static str, usize, &'static [(&'static str, usize)], Ending);

const CASES: &[Case] = &[
    ("bom_crlf.csv", 2, &[], Ok),
    ("bom_crlf.ndjson", 2, &[], Ok),
    ("lone_cr.csv", 2, &[], Ok),
    ("lone_cr.ndjson", 1, &[("invalid_json", 1)], Ok),
    ("quoted_line_breaks.csv", 2, &[("invalid_identity", 1)], Ok),
    ("nul.csv", 2, &[("invalid_identity", 1)], Ok),
    ("nul.ndjson", 2, &[("invalid_json", 1)], Ok),
    ("invalid_utf8.csv", 2, &[("invalid_utf8", 3)], Ok),
    ("invalid_utf8.ndjson", 2, &[("invalid_utf8", 1)], Ok),
    ("invalid_utf8_header.csv", 0, &[], Unusable("not valid UTF-8 (byte 27)")),
    ("utf16le.csv", 0, &[], Unusable("iconv")),
    ("utf16be.csv", 0, &[], Unusable("iconv")),
    ("utf16_no_bom.csv", 0, &[], Unusable("iconv")),
    ("utf16.ndjson", 0, &[], Unusable("iconv")),
    ("picture.csv", 0, &[], Unusable("not valid UTF-8")),
    ("unterminated_quote.csv", 1, &[], Midway(3, "never closed")),
    ("text_after_quote.csv", 1, &[], Midway(3, "`x` follows the closing quote")),
    ("space_after_quote.csv", 1, &[], Midway(3, "` ` follows the closing quote")),
    ("quote_inside_cell.csv", 1, &[], Midway(3, "inside an unquoted cell")),
    ("quote_closed_later.csv", 1, &[], Midway(3, "and closed on line 4")),
    ("unterminated_header.csv", 0, &[], Unusable("the header on line 1 cannot be read")),
    ("wrong_counts.csv", 2, &[("wrong_field_count", 3), ("missing_identity", 1)], Ok),
    ("wrong_counts.tsv", 2, &[("wrong_field_count", 1)], Ok),
    ("empty.csv", 0, &[], Unusable("has no header")),
    ("blank_lines.csv", 0, &[], Unusable("has no header")),
    ("only_header.csv", 0, &[], Ok),
    ("empty.ndjson", 0, &[], Ok),
    ("semicolons.csv", 0, &[], Unusable("separated by semicolons")),
    ("tabs.csv", 0, &[], Unusable("separated by tabs")),
    ("commas.tsv", 0, &[], Unusable("separated by commas")),
    ("duplicate_header.csv", 0, &[], Unusable("columns 2 and 3 of the header are both called")),
    ("unnamed_column.csv", 0, &[], Unusable("column 3 of the header has no name")),
    ("space_after_comma.csv", 0, &[], Unusable("nearest: `public_metadata.role`")),
    ("unknown_column.csv", 0, &[], Unusable("--ignore-column team")),
    ("ansi_header.csv", 0, &[], Unusable("\\u{1b}]0;owned\\u{7}\\u{1b}[2Jrole")),
    ("overlap.csv", 0, &[], Unusable("overlap: both set `public_metadata.plan.tier`")),
    ("unknown_type.csv", 0, &[], Unusable("did you mean `int`?")),
    ("empty_key.csv", 0, &[], Unusable("has an empty key")),
    ("no_identity.csv", 0, &[], Unusable("no identity column")),
    ("two_identities.csv", 0, &[], Unusable("both `user_id` and `email_address`")),
    ("ids.csv", 2, &[("invalid_identity", 17)], Ok),
    ("ids.ndjson", 2, &[("invalid_identity", 18)], Ok),
    (
        "identities.ndjson",
        2,
        &[("missing_identity", 2), ("several_identities", 1), ("missing_identity", 1), ("invalid_identity", 4)],
        Ok,
    ),
    ("ansi_values.csv", 3, &[], Ok),
    ("formulas.csv", 3, &[("invalid_identity", 1)], Ok),
    ("types.csv", 2, &[("invalid_cell", 7), ("duplicate_key", 1)], Ok),
    ("whole_field.csv", 2, &[("invalid_field", 2), ("invalid_cell", 1), ("invalid_field", 1)], Ok),
    ("huge_numbers.csv", 3, &[], Ok),
    ("huge_numbers.ndjson", 2, &[("invalid_json", 3)], Ok),
    ("number_token.ndjson", 2, &[("unknown_key", 1)], Ok),
    ("prototype_keys.ndjson", 2, &[("unknown_key", 1)], Ok),
    ("surrogates.ndjson", 2, &[("invalid_json", 2)], Ok),
    ("duplicate_keys.ndjson", 2, &[("duplicate_key", 3)], Ok),
    ("deep.ndjson", 2, &[("too_deep", 4)], Ok),
    ("deep.csv", 2, &[("too_deep", 2)], Ok),
    ("not_objects.ndjson", 2, &[("not_an_object", 5), ("invalid_json", 4)], Ok),
    ("pretty.ndjson", 1, &[("invalid_json", 3)], Ok),
    ("fields.ndjson", 2, &[("invalid_field", 5)], Ok),
    ("unknown_keys.ndjson", 2, &[("unknown_key", 4)], Ok),
    ("duplicate_rows.csv", 4, &[], Ok),
    ("fed_back.csv", 2, &[("unreadable", 1)], Ok),
    ("fed_back.ndjson", 2, &[("unreadable", 1)], Ok),
    ("export.csv", 2, &[("wrong_field_count", 1)], Ok),
    ("truncated.csv.gz", 3, &[], Midway(5, "the gzip data are cut off")),
    ("bad_checksum.ndjson.gz", 3, &[], Midway(4, "the gzip data are damaged")),
    ("truncated.ndjson.zst", 3, &[], Midway(4, "the zstd data are cut off")),
    ("fake.csv.gz", 0, &[], Unusable("no gzip data at all")),
    ("fake.ndjson.zst", 0, &[], Unusable("no zstd data at all")),
    ("empty.csv.gz", 0, &[], Unusable("the gzip data are cut off")),
    ("gzip.csv", 0, &[], Unusable("this holds gzip data")),
    ("spreadsheet.csv", 0, &[], Unusable("save the spreadsheet as CSV")),
    ("array.json", 0, &[], Unusable("--input-format ndjson")),
    ("roles.txt", 0, &[], Unusable("--input-format csv|tsv|ndjson")),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hostile")
}

/// What came of reading a file and mapping its records.
#[derive(Debug, Default)]
struct Read {
    good: Vec<String>,
    rejected: Vec<(Origin, Rejection)>,
    /// Why it was not read to its end, and whether it broke midway.
    error: Option<(String, bool)>,
}

fn read(path: &Path) -> Read {
    let mut read = Read::default();
    if let Err(error) = read_into(&mut read, path) {
        read.error = Some(error);
    }
    read
}

fn read_into(read: &mut Read, path: &Path) -> Result<(), (String, bool)> {
    let by_source = |error: SourceError| (error.to_string(), error.is_midway());
    let spec = source::detect(&path.to_string_lossy(), None).map_err(by_source)?;
    let mut source = source::open(&spec).map_err(by_source)?;
    let mapping = match spec.format {
        Format::Ndjson => MappingSpec::Body,
        Format::Csv | Format::Tsv => MappingSpec::Header { empty: Empty::Skip, ignore_columns: Vec::new() },
    };
    let mapping = Mapping::new(&mapping, source.header()).map_err(|error| (error.to_string(), false))?;
    while let Some(record) = source.next_record().map_err(by_source)? {
        match record.fields.and_then(|fields| mapping.row(&fields)) {
            Result::Ok(row) => read.good.push(row.identity.value().to_owned()),
            Err(rejection) => read.rejected.push((record.origin, rejection)),
        }
        let kept = format!("{:?}", mapping.keep(record.raw));
        assert!(!kept.contains("FAKE"), "a secret was kept: {kept}");
    }
    Result::Ok(())
}

/// Whether a terminal would print it and do nothing else.
fn is_harmless(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}

fn check((file, good, rejected, ending): &Case) {
    let read = read(&folder().join(file));
    let codes: Vec<&str> = read.rejected.iter().map(|(_, rejection)| rejection.code).collect();
    let expected: Vec<&str> = rejected.iter().flat_map(|(code, n)| std::iter::repeat_n(*code, *n)).collect();
    assert_eq!(codes, expected, "{file}: {:#?}", read.rejected);
    assert_eq!(read.good.len(), *good, "{file}: {read:?}");
    assert!(read.good.iter().all(|user| user.starts_with("user_good")), "{file}: {read:?}");
    for (_, rejection) in &read.rejected {
        assert!(is_harmless(&rejection.message) && rejection.message.len() < 500, "{file}: {rejection:?}");
    }
    match (ending, &read.error) {
        (Ok, None) => {}
        (Unusable(says), Some((error, false))) => assert!(error.contains(says), "{file}: {error}"),
        (Midway(line, says), Some((error, true))) => {
            let place = format!("{file}, line {line}: ");
            assert!(error.contains(&place) && error.contains(says), "{file}: {error}");
        }
        (_, error) => panic!("{file}: expected {ending:?}, found {error:?}"),
    }
    if let Some((error, _)) = &read.error {
        assert!(is_harmless(error), "{file}: {error:?}");
    }
}

#[test]
fn every_hostile_file_ends_as_the_table_says() {
    CASES.iter().for_each(check);
}

#[test]
fn every_hostile_file_is_in_the_table_and_in_the_readme() {
    let files = std::fs::read_dir(folder()).expect("there is the folder");
    let names = files.map(|file| file.expect("is listed").file_name().to_string_lossy().into_owned());
    let names: BTreeSet<String> = names.filter(|name| name != "README.md" && name != ".gitattributes").collect();
    let table: BTreeSet<String> = CASES.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(names, table);
    let readme = std::fs::read_to_string(folder().join("README.md")).expect("there is a README");
    let rows: BTreeSet<String> =
        readme.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned())).collect();
    assert_eq!(names, rows);
}

#[test]
fn the_line_of_a_rejected_row_counts_quoted_line_breaks() {
    let read = read(&folder().join("quoted_line_breaks.csv"));
    assert_eq!(read.rejected[0].0, Origin { row: 2, line: 6 });
}

#[test]
fn a_record_of_more_than_a_mebibyte_stops_the_reading_where_it_begins() {
    let mut file = tempfile::NamedTempFile::with_suffix(".csv").expect("a file");
    let long = "x".repeat(1_258_291);
    write!(file, "user_id,public.note\nuser_good1,a\nuser_bad,{long}\nuser_good2,b\n").expect("is written");
    let read = read(file.path());
    assert_eq!(read.good, ["user_good1"]);
    let (error, is_midway) = read.error.expect("it breaks");
    assert!(is_midway && error.contains(", line 3: a record of more than 1048576 bytes"), "{error}");
}
