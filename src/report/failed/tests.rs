use super::*;
use crate::json::parse;
use crate::report::MASK;

const TERMINAL: Destination = Destination::Terminal { show_private: false };

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn table(header: &[&str], any_unreadable: bool) -> Shape {
    Shape::Table { header: names(header), withheld: Vec::new(), delimiter: b',', any_unreadable }
}

fn failed(raw: Raw) -> FailedRow {
    FailedRow { raw, outcome: Outcome::Rejected, code: "invalid_cell".to_owned(), message: "no int, `x`".to_owned() }
}

fn cells(texts: &[&str]) -> FailedRow {
    failed(Raw::Cells(names(texts)))
}

fn object(text: &str) -> FailedRow {
    failed(Raw::Object(text.to_owned()))
}

fn written(shape: &Shape, destination: Destination, rows: &[FailedRow]) -> Vec<u8> {
    let mut out = FailedRows::new(Vec::new(), shape, destination).expect("memory takes everything");
    for row in rows {
        out.push(row).expect("fits");
    }
    out.finish().expect("memory takes everything")
}

fn text(shape: &Shape, destination: Destination, rows: &[FailedRow]) -> String {
    String::from_utf8(written(shape, destination, rows)).expect("is UTF-8")
}

fn records(bytes: &[u8], delimiter: u8) -> Vec<csv::ByteRecord> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).delimiter(delimiter).from_reader(bytes);
    reader.byte_records().map(|record| record.expect("is CSV")).collect()
}

const HOSTILE: [&str; 9] =
    ["", " ", "=1+1", "a,b", "a\tb", "\"quoted\"", "two\r\nlines", "\u{1b}[2J\u{202e}\0", "'apostrophe"];

#[test]
fn cells_come_back_as_they_were() {
    for delimiter in [b',', b'\t'] {
        let header = ["user_id", "public.a\"b", "public.c,d"];
        let Shape::Table { header, withheld, .. } = table(&header, false) else { unreachable!() };
        let shape = Shape::Table { header: header.clone(), withheld, delimiter, any_unreadable: false };
        let rows: Vec<FailedRow> = HOSTILE.iter().map(|cell| cells(&["user_1", cell, cell])).collect();
        let read = records(&written(&shape, Destination::Exact, &rows), delimiter);
        let expected = names(&["metapatch_outcome", "metapatch_code", "metapatch_message"]);
        assert_eq!(read[0], csv::ByteRecord::from([header, expected].concat()));
        for (record, cell) in read[1..].iter().zip(HOSTILE) {
            assert_eq!(*record, ["user_1", cell, cell, "rejected", "invalid_cell", "no int, `x`"][..]);
        }
        assert_eq!(read.len(), 1 + HOSTILE.len());
    }
}

#[test]
fn what_an_earlier_round_said_is_replaced_and_what_is_withheld_is_left_out() {
    let shape = Shape::Table {
        header: names(&["metapatch_code", "id", "password_digest", "public.role", "metapatch_message"]),
        withheld: names(&["password_digest"]),
        delimiter: b',',
        any_unreadable: false,
    };
    let rows = [cells(&["old", "user_1", "$2a$10$digest", "editor", "old"])];
    let expected = "id,public.role,metapatch_outcome,metapatch_code,metapatch_message\n\
                    user_1,editor,rejected,invalid_cell,\"no int, `x`\"\n";
    assert_eq!(text(&shape, Destination::Exact, &rows), expected);
}

#[test]
fn an_unreadable_record_is_kept_to_the_byte_and_has_no_identity() {
    let bytes = b"user_1,\"\xff\xfe\r\n,\",too,many".to_vec();
    let rows = [cells(&["user_1", "x"]), failed(Raw::Unreadable(bytes.clone())), failed(Raw::Withheld)];
    let out = written(&table(&["user_id", "public.a"], true), Destination::Exact, &rows);
    let read = records(&out, b',');
    assert_eq!(&read[0][5], b"metapatch_raw");
    assert_eq!((&read[1][0], &read[1][5]), (&b"user_1"[..], &b""[..]));
    assert_eq!((&read[2][0], &read[2][1], &read[2][5]), (&b""[..], &b""[..], &bytes[..]));
    assert_eq!((&read[3][0], &read[3][5]), (&b""[..], &b""[..]));
}

#[test]
fn an_unreadable_record_is_the_same_after_any_number_of_rounds() {
    let bytes = b"user_1,\"\xff\",x,y".to_vec();
    let shape = table(&["user_id", "public.a"], true);
    let first = written(&shape, Destination::Exact, &[failed(Raw::Unreadable(bytes.clone()))]);
    let header = ["user_id", "public.a", "metapatch_outcome", "metapatch_code", "metapatch_message", "metapatch_raw"];
    // Its line is not UTF-8, so that the next round cannot read it either.
    let line = first[first.iter().position(|b| *b == b'\n').expect("has a header") + 1..].trim_ascii_end().to_vec();
    let second = written(&table(&header, true), Destination::Exact, &[failed(Raw::Unreadable(line))]);
    assert_eq!(second, first);
    // One that is UTF-8 comes back as cells.
    let third = written(&table(&header, false), Destination::Exact, &[cells(&["", "", "rejected", "c", "m", "a,b,c"])]);
    assert_eq!(&records(&third, b',')[1][5], b"a,b,c");
}

#[test]
fn a_row_that_does_not_fit_is_an_error_and_writes_nothing() {
    let mut out = FailedRows::new(Vec::new(), &table(&["user_id"], false), Destination::Exact).expect("writes");
    for row in [cells(&["user_1", "x"]), failed(Raw::Unreadable(b"x".to_vec()))] {
        assert_eq!(out.push(&row).expect_err("does not fit").kind(), io::ErrorKind::InvalidData);
    }
    let header = "user_id,metapatch_outcome,metapatch_code,metapatch_message\n";
    assert_eq!(out.finish().expect("writes"), header.as_bytes());
}

#[test]
fn objects_keep_their_text() {
    let ours = r#""metapatch_outcome":"rejected","metapatch_code":"invalid_cell","metapatch_message":"no int, `x`"}"#;
    for (line, start) in [
        ("{}", "{"),
        (" { } \r", "{"),
        (r#"{"user_id":"u","n":1.0,"z":1,"a":{"b":{}}}"#, r#"{"user_id":"u","n":1.0,"z":1,"a":{"b":{}},"#),
        (r#"{ "a" : "}", "b":12345678901234567890 }"#, r#"{ "a" : "}", "b":12345678901234567890,"#),
        (r#"{"a":"\u007d\ud83d\ude00"}"#, r#"{"a":"\u007d\ud83d\ude00","#),
    ] {
        let out = text(&Shape::Lines, Destination::Exact, &[object(line)]);
        assert_eq!(out, format!("{start}{ours}\n"));
        parse(&out).expect("is JSON");
    }
}

#[test]
fn members_of_an_earlier_round_are_replaced_however_they_are_escaped() {
    let line = r#"{"user_id":"u","\u006detapatch_code":"old","metapatch_outcome":"failed","metapatch_x":1,"n":1.0}"#;
    let out = text(&Shape::Lines, Destination::Exact, &[object(line)]);
    assert!(!out.contains("old") && !out.contains("metapatch_x"), "{out}");
    let read = parse(&out).expect("no key stands twice");
    assert_eq!((read["user_id"].as_str(), read["n"].to_string()), (Some("u"), "1.0".to_owned()));
    assert_eq!(read["metapatch_outcome"], "rejected");
}

#[test]
fn an_unreadable_line_is_kept_and_has_no_identity() {
    for line in [&b"{\"user_id\":\"u\",}"[..], b"[1]", b"{\"a\":1,\"a\":2}", b"\xff\"\\\x1b", b"}{"] {
        let kept = String::from_utf8_lossy(line).into_owned();
        let rows = [failed(Raw::Unreadable(line.to_vec())), object(&kept)];
        let out = text(&Shape::Lines, Destination::Exact, &rows);
        for written in out.lines() {
            let read = parse(written).expect("is JSON");
            assert_eq!(read["metapatch_raw"], kept);
            assert!(read.get("user_id").is_none());
            // Fed back, it is an object with nothing but members of ours, and stays the same.
            assert_eq!(text(&Shape::Lines, Destination::Exact, &[object(written)]).trim_end().len(), written.len());
        }
    }
    let withheld = text(&Shape::Lines, Destination::Exact, &[failed(Raw::Withheld)]);
    assert!(withheld.starts_with(r#"{"metapatch_outcome":"rejected","#), "{withheld}");
}

#[test]
fn a_terminal_sees_no_private_value_unless_asked_and_obeys_nothing() {
    let header = ["user_id", "private.key", "private_metadata.x:json", "private_metadata", "privateer", "public.a"];
    let row = cells(&["user_1", "s3cret", "s3cret", "", "open", "\u{1b}[2J\n"]);
    let unreadable = failed(Raw::Unreadable(b"s3cret,\x1b[2J".to_vec()));
    let rows = [row, unreadable];
    let shown = text(&table(&header, true), TERMINAL, &rows);
    assert!(!shown.contains("s3cret") && !shown.contains('\u{1b}'), "{shown}");
    let line = format!(r"user_1,{MASK},{MASK},,open,\u{{1b}}[2J\n,rejected");
    assert!(shown.contains(&line), "{shown}");
    assert!(text(&table(&header, true), Destination::Terminal { show_private: true }, &rows).contains("s3cret"));
    assert!(text(&table(&header, true), Destination::Exact, &rows).contains("s3cret"));

    let objects = [
        object(r#"{"user_id":"u","private_metadata":{"k":"s3cret"},"public_metadata":{"a":"x\u009b"}}"#),
        object("{\"user_id\":\"\u{9b}2J\u{202e}\"}"),
        failed(Raw::Unreadable(br#"{"private_metadata":"s3cret"#.to_vec())),
        object(r#"{"metapatch_raw":"s3cret"}"#),
    ];
    let shown = text(&Shape::Lines, TERMINAL, &objects);
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(!shown.chars().any(|c| crate::harmless::is_unsafe(c) && c != '\n'), "{shown:?}");
    assert_eq!(shown.matches(MASK).count(), 3);
}

#[test]
fn our_own_cells_are_no_formulas() {
    let row = FailedRow { message: "=1+1".to_owned(), ..cells(&["=1+1"]) };
    let out = text(&table(&["user_id"], false), Destination::Exact, &[row]);
    assert!(out.ends_with("\n=1+1,rejected,invalid_cell,'=1+1\n"), "{out}");
}
