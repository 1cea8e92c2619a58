use super::*;

fn row() -> RowReport {
    RowReport {
        row: 1,
        line: Some(2),
        user_id: Some("user_2abc".to_owned()),
        identity: Some("external_id=cus_1".to_owned()),
        outcome: Outcome::Applied,
        code: String::new(),
        message: String::new(),
        attempts: 1,
        changed: vec!["public_metadata.role".to_owned(), r"public_metadata.a\.b".to_owned()],
        trace_id: None,
    }
}

fn told(rows: &[RowReport], destination: Destination) -> String {
    let mut csv = RowsCsv::new(Vec::new(), destination).expect("memory takes everything");
    for row in rows {
        csv.push(row).expect("memory takes everything");
    }
    String::from_utf8(csv.finish().expect("memory takes everything")).expect("is UTF-8")
}

fn read_back(text: &str) -> Vec<csv::StringRecord> {
    csv::Reader::from_reader(text.as_bytes()).records().map(|record| record.expect("is CSV")).collect()
}

#[test]
fn the_contract_is_kept_to_the_letter() {
    let rollback = RowReport {
        row: 2,
        line: None,
        identity: None,
        outcome: Outcome::NotFound,
        code: "resource_not_found".to_owned(),
        message: "no user, \"really\"".to_owned(),
        attempts: 0,
        changed: Vec::new(),
        trace_id: Some("0123abcd".to_owned()),
        ..row()
    };
    let expected = "\
row,line,user_id,match,outcome,code,message,attempts,changed,trace_id
1,2,user_2abc,external_id=cus_1,applied,,,1,\"[\"\"public_metadata.role\"\",\"\"public_metadata.a\\\\.b\"\"]\",
2,,user_2abc,,not_found,resource_not_found,\"no user, \"\"really\"\"\",0,[],0123abcd
";
    assert_eq!(told(&[row(), rollback], Destination::Exact), expected);
}

#[test]
fn formulas_are_defused_and_our_own_numbers_are_not_touched() {
    for hostile in ["=1+1", "+1", "-2+3", "@SUM(A1)", "=HYPERLINK(\"http://x\")"] {
        let bad = RowReport {
            user_id: Some(hostile.to_owned()),
            identity: Some(hostile.to_owned()),
            code: hostile.to_owned(),
            message: hostile.to_owned(),
            trace_id: Some(hostile.to_owned()),
            ..row()
        };
        let text = told(&[bad], Destination::Exact);
        let record = &read_back(&text)[0];
        for column in [2, 3, 5, 6, 9] {
            assert_eq!(&record[column], format!("'{hostile}"));
        }
        assert_eq!((&record[0], &record[1], &record[7]), ("1", "2", "1"));
    }
}

#[test]
fn every_row_is_one_line_whatever_it_holds() {
    let hostile = "a\r\n=b\u{1b}[2J\0\u{9b}\u{85}\t\",";
    let bad = RowReport {
        message: hostile.to_owned(),
        changed: vec![hostile.to_owned()],
        identity: Some(hostile.to_owned()),
        ..row()
    };
    for destination in [Destination::Exact, Destination::Terminal { show_private: true }] {
        let text = told(std::slice::from_ref(&bad), destination);
        assert_eq!(text.lines().count(), 2);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        let record = &read_back(&text)[0];
        assert_eq!(&record[6], r#"a\r\n=b\u{1b}[2J\u{0}\u{9b}\u{85}\t","#);
        assert_eq!(crate::json::parse(&record[8]).expect("is JSON")[0], hostile);
    }
}

#[test]
fn a_file_keeps_what_only_a_terminal_must_not_see() {
    let joined = "username=\u{1f468}\u{200d}\u{1f469}";
    let bad = RowReport { identity: Some(joined.to_owned()), ..row() };
    assert!(told(std::slice::from_ref(&bad), Destination::Exact).contains(joined));
    let shown = told(&[bad], Destination::Terminal { show_private: false });
    assert!(shown.contains("username=\u{1f468}\\u{200d}\u{1f469}"), "{shown}");
}
