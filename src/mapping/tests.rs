use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::json;
use crate::spec::Empty;

fn names(header: &str) -> Vec<String> {
    header.split(',').map(str::to_owned).collect()
}

fn columns(header: &str, empty: Empty, ignore: &[&str]) -> Result<Mapping, MappingError> {
    let ignore_columns = ignore.iter().map(|&name| name.to_owned()).collect();
    Mapping::new(&MappingSpec::Header { empty, ignore_columns }, Some(&names(header)))
}

fn mapped(header: &str) -> Mapping {
    columns(header, Empty::Skip, &[]).expect("is a header")
}

fn refused(header: &str) -> String {
    columns(header, Empty::Skip, &[]).expect_err("is no header").to_string()
}

fn cells(cells: &[&str]) -> Fields {
    Fields::Cells(cells.iter().map(|&cell| cell.to_owned()).collect())
}

fn patch_of(mapping: &Mapping, row: &[&str]) -> String {
    mapping.row(&cells(row)).expect("is a row").patch.to_json().to_string()
}

fn rejection(mapping: &Mapping, row: &[&str]) -> Rejection {
    mapping.row(&cells(row)).expect_err("is rejected")
}

/// One cell of a column of this name, or why it is rejected.
fn one(column: &str, cell: &str, empty: Empty) -> Result<String, Rejection> {
    let mapping = columns(&format!("user_id,{column}"), empty, &[]).expect("is a header");
    mapping.row(&cells(&["user_1", cell])).map(|row| row.patch.to_json().to_string())
}

fn body(text: &str) -> Result<Row, Rejection> {
    let Value::Object(members) = json::parse(text).expect("is JSON") else { panic!("is an object") };
    Body::new().row(&Fields::Members(members))
}

fn export_header() -> String {
    "id,first_name,last_name,username,primary_email_address,primary_phone_number,verified_email_addresses,\
     unverified_email_addresses,verified_phone_numbers,unverified_phone_numbers,totp_secret,password_digest,\
     password_hasher,public.role"
        .to_owned()
}

#[test]
fn a_header_says_what_each_cell_means() {
    let mapping = mapped(
        r"user_id,public.role,public_metadata.a\.b.c:int,unsafe.ok:bool,private.tags:json,public.urn:isbn:string,metapatch_code",
    );
    assert_eq!(
        patch_of(&mapping, &["user_1", " x ", "007".trim_start_matches('0'), "TRUE", "[1.0, null]", "i", "old"]),
        r#"{"private_metadata":{"tags":[1.0,null]},"public_metadata":{"a.b":{"c":7},"role":" x ","urn:isbn":"i"},"unsafe_metadata":{"ok":true}}"#
    );
    assert_eq!(patch_of(&mapping, &["user_1", "", "", "", "", "", ""]), "{}");
    assert_eq!(mapping.path_columns().len(), 5);
}

#[test]
fn cells_are_read_as_their_type_says_and_no_further() {
    let field = |value: &str| Ok(format!(r#"{{"public_metadata":{{"a":{value}}}}}"#));
    for (kind, good, bad) in [
        (
            "int",
            vec!["0", "-0", "-7", "123456789012345678901234567890"],
            vec!["01", "+1", " 1", "1 ", "1.0", "1e3", "-", "0x1", "١", "--1", "1_000", "1,000", "true", "null"],
        ),
        (
            "number",
            vec!["1.0", "-0.10", "1e+3", "1e-400", "0.1", "12345678901234567890.5"],
            vec![".5", "1.", "+1", "NaN", "Infinity", "-Infinity", " 1", "1 ", "01", "1e", "[1]", "\"1\"", "1\n"],
        ),
        ("bool", vec!["true", "false"], vec!["1", "0", "yes", " true", "t", "ＴＲＵＥ"]),
        (
            "json",
            vec!["null", "\"x\"", "[1,{\"b\":null}]", "{\"$serde_json::private::Number\":\"1\"}", "1e+400"],
            vec!["x", "{", "{}x", "[1,]", "{'a':1}", "{\"b\":1,\"b\":2}", "\"\\ud800\"", "NaN", "// c\n1"],
        ),
        ("string", vec![], vec![]),
    ] {
        for cell in good {
            assert_eq!(one(&format!("public.a:{kind}"), cell, Empty::Skip), field(cell), "{kind} {cell}");
        }
        for cell in bad {
            let rejection = one(&format!("public.a:{kind}"), cell, Empty::Skip).expect_err(cell);
            assert!(matches!(rejection.code, "invalid_cell" | "duplicate_key"), "{rejection:?}");
            assert_eq!(rejection.column, Some(format!("public.a:{kind}")));
        }
    }
    assert_eq!(one("public.a:bool", "fAlSe", Empty::Skip), field("false"));
    assert_eq!(one("public.a", "\0\u{1b}", Empty::Skip), field(r#""\u0000\u001b""#));
}

#[test]
fn an_empty_cell_means_what_was_chosen() {
    let a = |value: &str| Ok(format!(r#"{{"public_metadata":{{"a":{value}}}}}"#));
    for column in ["public.a", "public.a:int", "public.a:json", "public_metadata"] {
        assert_eq!(one(column, "", Empty::Skip), Ok("{}".to_owned()), "{column}");
    }
    assert_eq!(one("public.a", "", Empty::Delete), a("null"));
    assert_eq!(one("public.a:bool", "", Empty::Delete), a("null"));
    assert_eq!(one("public.a", "", Empty::String), a("\"\""));
    for (column, empty) in [
        ("public_metadata", Empty::Delete),
        ("public_metadata", Empty::String),
        ("public.a:int", Empty::String),
        ("public.a:json", Empty::String),
    ] {
        assert_eq!(one(column, "", empty).expect_err(column).code, "invalid_cell", "{column}");
    }
}

#[test]
fn a_whole_field_is_an_object() {
    for column in ["public_metadata", "public_metadata:json"] {
        assert_eq!(one(column, "{\"a\":null}", Empty::Skip), Ok(r#"{"public_metadata":{"a":null}}"#.to_owned()));
        for cell in ["null", "[]", "\"x\"", "1"] {
            assert_eq!(one(column, cell, Empty::Skip).expect_err(cell).code, "invalid_field");
        }
    }
    assert!(mapped("user_id,public_metadata").path_columns().is_empty());
}

#[test]
fn nesting_is_bounded_where_the_value_ends_up() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(one("public.a.b:json", &nested(126), Empty::Skip).is_ok());
    assert_eq!(one("public.a.b:json", &nested(127), Empty::Skip).expect_err("is deep").code, "too_deep");
    assert_eq!(one("public.a:json", &nested(200), Empty::Skip).expect_err("is deep").code, "too_deep");
    let deep = format!("public{}", ".a".repeat(128));
    let row = mapped(&format!("user_id,{deep}")).row(&cells(&["user_1", "x"])).expect("is a row");
    assert!(row.patch.fields().all(|(_, value)| json::is_shallow(value)));
    assert!(refused(&format!("user_id,{deep}.a")).contains("more than 128 keys"));
}

#[test]
fn what_is_wrong_with_a_header_is_an_error_that_names_the_column() {
    for (header, says) in [
        ("public.role", "no identity column; expected exactly one of user_id, external_id"),
        ("user_id,email_address", "both `user_id` and `email_address` say whom"),
        ("id,external_id,public.role", "both `id` and `external_id` say whom"),
        ("id,username,public.role", "both `id` and `username`"),
        ("userid,public.role", "`userid` (nearest: `user_id`)"),
        ("user_id,pubic.role", "`pubic.role` (nearest: `public.role`)"),
        ("user_id,role", "unknown column: `role` (nearest: `public_metadata.role`); "),
        ("user_id,a b,it's", r"`--ignore-column 'a b' --ignore-column 'it'\''s'`"),
        ("user_id,public", "`public` (nearest: `public_metadata`)"),
        ("user_id,public.a:integer", "`integer` is no type (did you mean `int`?)"),
        ("user_id,public.a:b.c", "`b.c` is no type"),
        ("user_id,public.a:", "`` is no type"),
        ("user_id,public_metadata:string", "a whole metadata field is a JSON object"),
        ("user_id,public.", "has an empty key"),
        (r"user_id,public.a\b", "stray backslash"),
        (r"user_id,C:\x", r"unknown column: `C:\x`"),
        (
            "user_id,public.a,public_metadata.a",
            "`public.a` and `public_metadata.a` overlap: both set `public_metadata.a`",
        ),
        ("user_id,public.a.b,public.a-b,public.a", "`public.a` and `public.a.b` overlap"),
        ("user_id,public.a,public_metadata", "`public_metadata` and `public.a` overlap"),
        ("user_id,public.a,public.a:int", "overlap"),
        ("user_id,\u{1b}[31mrole", r"`\u{1b}[31mrole`"),
    ] {
        let message = refused(header);
        assert!(message.contains(says), "{header}: {message}");
        assert!(!message.contains(char::is_control));
    }
    let many = format!("user_id,{}", (0..20).map(|n| format!("c{n}")).collect::<Vec<_>>().join(","));
    assert!(refused(&many).contains(", and 12 more"), "{}", refused(&many));
}

#[test]
fn columns_that_are_ignored_must_exist() {
    let mapping = columns("user_id,role,public.role", Empty::Skip, &["role"]).expect("is a header");
    assert_eq!(patch_of(&mapping, &["user_1", "x", "y"]), r#"{"public_metadata":{"role":"y"}}"#);
    let error = columns("user_id,role", Empty::Skip, &["rolle"]).expect_err("there is none").to_string();
    assert!(error.contains("no column `rolle` (did you mean `role`?)"), "{error}");
    let mapping = columns("user_id,email_address,public.a", Empty::Skip, &["user_id"]).expect("is a header");
    let row = mapping.row(&cells(&["user_1", "a@example.com", "x"])).expect("is a row");
    assert_eq!(row.identity.kind(), IdentityKind::EmailAddress);
}

#[test]
fn a_dashboard_export_works_as_it_is_and_keeps_no_secret() {
    let mapping = mapped(&export_header());
    let row = ["user_1", "A", "B", "ab", "a@example.com", "", "", "", "", "", "TOTP", "$2a$x", "bcrypt", "editor"];
    let read = mapping.row(&cells(&row)).expect("is a row");
    assert_eq!(read.identity.to_string(), "user_id=user_1");
    assert_eq!(read.patch.to_json().to_string(), r#"{"public_metadata":{"role":"editor"}}"#);
    assert_eq!(mapping.withheld(), ["totp_secret", "password_digest", "password_hasher"]);
    assert_eq!(mapping.kept_header(), names(&export_header()));
    let kept = format!("{:?}", mapping.keep(Raw::Cells(row.map(str::to_owned).to_vec())));
    assert!(kept.contains("editor") && !kept.contains("TOTP") && !kept.contains("$2a") && !kept.contains("bcrypt"));
    assert_eq!(mapping.keep(Raw::Unreadable(b"$2a$x".to_vec())), Raw::Withheld);
    let notices = mapping.notices();
    assert!(notices[0].contains("Dashboard") && notices[0].contains("username"), "{notices:?}");
    assert_eq!(notices.len(), 2);
    // Without the columns that hold secrets it is an export still.
    assert_eq!(mapped("id,username,primary_email_address,public.role").withheld().len(), 0);
    assert_eq!(mapped("id,primary_email_address,public.role").keep(Raw::Unreadable(b"x".to_vec())), Raw::Withheld);
}

#[test]
fn an_id_alone_is_a_user_id_and_an_export_needs_it() {
    let row = mapped("id,public.role").row(&cells(&["user_1", "x"])).expect("is a row");
    assert_eq!(row.identity.to_string(), "user_id=user_1");
    assert!(refused("user_id,primary_email_address,public.a").contains("unknown column: `primary_email_address`"));
    let both = refused(&format!("{},external_id", export_header()));
    assert!(both.contains("both `id` and `external_id`"), "{both}");
}

#[test]
fn secrets_are_blanked_in_any_file_unless_they_are_what_the_rows_are_about() {
    let mapping = columns("user_id,API Token,note,public.token,metapatch_code", Empty::Skip, &["API Token", "note"])
        .expect("is a header");
    let raw = ["user_1", "s3cr3t", "n", "t", "old"].map(str::to_owned).to_vec();
    assert_eq!(mapping.keep(Raw::Cells(raw)), Raw::Cells(["user_1", "", "n", "t"].map(str::to_owned).to_vec()));
    assert_eq!(mapping.kept_header(), names("user_id,API Token,note,public.token"));
    assert_eq!(mapping.keep(Raw::Unreadable(b"x".to_vec())), Raw::Withheld);
    let plain = mapped("user_id,public.token");
    assert_eq!(plain.keep(Raw::Unreadable(b"x".to_vec())), Raw::Unreadable(b"x".to_vec()));
}

#[test]
fn objects_are_kept_as_they_stand_but_for_secrets_and_what_was_added() {
    let body = Mapping::new(&MappingSpec::Body, None).expect("needs nothing");
    let keep = |text: &str| match body.keep(Raw::Object(text.to_owned())) {
        Raw::Object(text) => text,
        other => panic!("{other:?}"),
    };
    let same = r#"{ "user_id":"user_1", "public_metadata": {"token": 1.0, "é":"\u00e9"} }"#;
    assert_eq!(keep(same), same);
    assert_eq!(keep(r#"{"user_id":"user_1","metapatch_code":"x"}"#), r#"{"user_id":"user_1"}"#);
    assert_eq!(keep(r#"{"user_id":"user_1","\u006detapatch_code":"x"}"#), r#"{"user_id":"user_1"}"#);
    assert_eq!(keep(r#"{"a":1e400,"pass\u0077ord":"$2a"}"#), r#"{"a":1e+400,"password":null}"#);
}

#[test]
fn a_bad_identity_rejects_the_row() {
    for (header, cell, code) in [
        ("user_id,public.a", "", "missing_identity"),
        ("user_id,public.a", "../v1/users", "invalid_identity"),
        ("user_id,public.a", "user_%2e%2e", "invalid_identity"),
        ("user_id,public.a", " user_1", "invalid_identity"),
        ("email_address,public.a", "a@example.com\r", "invalid_identity"),
        ("username,public.a", "\u{1b}[2J", "invalid_identity"),
    ] {
        let rejection = rejection(&mapped(header), &[cell, "x"]);
        assert_eq!(rejection.code, code, "{cell}");
        assert!(!rejection.message.contains(char::is_control));
        assert_eq!(rejection.column.as_deref(), header.split(',').next());
    }
}

#[test]
fn a_line_that_cannot_be_read_is_not_kept_where_it_names_a_secret() {
    let body = Mapping::new(&MappingSpec::Body, None).expect("fits");
    for line in [
        r#"{"user_id":"user_1","password_digest":"$2a$x""#,
        r#"{"totp_secret":1,"totp_secret":2}"#,
        r#"{"pass\u0077ord":"x""#,
        r#"{"backup-codes":["x"]"#,
    ] {
        assert_eq!(body.keep(Raw::Unreadable(line.into())), Raw::Withheld, "{line}");
    }
    for line in [r#"{"user_id":"user_1","public_metadata":{"a":"\u00e4"}"#, r#"{"a":"\u""#, r#"{"a":"\u12ä4""#] {
        assert_eq!(body.keep(Raw::Unreadable(line.into())), Raw::Unreadable(line.into()), "{line}");
    }
}

#[test]
fn messages_are_short_harmless_and_quote_no_private_value() {
    let long = format!("\u{1b}[31m{}", "x".repeat(100_000));
    let public = rejection(&mapped("user_id,public.a:int"), &["user_1", &long]).message;
    assert!(public.chars().count() < 250 && public.contains(r"\u{1b}[31mx") && !public.contains('\u{1b}'), "{public}");
    for kind in ["int", "number", "bool", "json"] {
        let message = rejection(&mapped(&format!("user_id,private.a:{kind}")), &["user_1", "hunter2"]).message;
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn an_object_is_the_api_s_own_body() {
    let row = body(r#"{"external_id":"42","public_metadata":{"a":null},"private_metadata":{},"metapatch_code":1}"#);
    let row = row.expect("is a row");
    assert_eq!(row.identity.to_string(), "external_id=42");
    assert_eq!(row.patch.to_json().to_string(), r#"{"private_metadata":{},"public_metadata":{"a":null}}"#);
    for (text, code, says) in [
        (r#"{"public_metadata":{}}"#, "missing_identity", "expected exactly one of user_id"),
        (r#"{"user_id":"user_1","username":"x"}"#, "several_identities", "both user_id and username"),
        (r#"{"external_id":42}"#, "invalid_identity", "found a number, write it as `\"42\"`"),
        (r#"{"external_id":null}"#, "invalid_identity", "found null"),
        (r#"{"user_id":"a/../b"}"#, "invalid_identity", "found `a/../b`"),
        (r#"{"user_id":""}"#, "missing_identity", "is empty"),
        (r#"{"user_id":"user_1","public_metadata":null}"#, "invalid_field", "must be an object, found null"),
        (r#"{"user_id":"user_1","public_metadata":[{}]}"#, "invalid_field", "found an array"),
        (r#"{"user_id":"user_1","public_metdata":{}}"#, "unknown_key", "did you mean `public_metadata`?"),
        (r#"{"user_id":"user_1","__proto__":{}}"#, "unknown_key", "expected one of user_id, external_id"),
        (r#"{"user_id":"user_1","\u001b[2J":{}}"#, "unknown_key", r"`\u{1b}[2J`"),
        (r#"{"$serde_json::private::Number":"1"}"#, "unknown_key", "neither"),
    ] {
        let rejection = body(text).expect_err(text);
        assert_eq!(rejection.code, code, "{text}");
        assert!(rejection.message.contains(says), "{rejection:?}");
    }
}

#[test]
fn a_mapping_meets_the_source_it_was_made_for() {
    let header = names("user_id");
    let by_header = MappingSpec::Header { empty: Empty::Skip, ignore_columns: Vec::new() };
    assert_eq!(Mapping::new(&by_header, None).err(), Some(MappingError::NoHeader));
    assert_eq!(Mapping::new(&MappingSpec::Body, Some(&header)).err(), Some(MappingError::NoObjects));
    assert!(mapped("user_id").row(&Fields::Members(json::Map::new())).is_err());
    assert!(mapped("user_id,public.a").row(&cells(&["user_1"])).is_err());
    assert!(mapped("user_id").notices()[0].contains("no metadata column"));
}

proptest! {
    #[test]
    fn no_header_and_no_cells_make_it_panic(
        header in proptest::collection::vec(any::<String>(), 0..5),
        row in proptest::collection::vec(any::<String>(), 0..5),
    ) {
        let header = [vec!["user_id".to_owned()], header].concat();
        let spec = MappingSpec::Header { empty: Empty::Skip, ignore_columns: Vec::new() };
        match Mapping::new(&spec, Some(&header)) {
            Err(error) => prop_assert!(!error.to_string().contains(char::is_control)),
            Ok(mapping) => drop(mapping.row(&Fields::Cells(row))),
        }
    }

    #[test]
    fn a_number_keeps_its_exact_value_or_is_rejected(cell in "-?[0-9]{0,25}(\\.[0-9]{0,5})?([eE][+-]?[0-9]{0,4})?") {
        let is_json = json::parse(&cell).is_ok();
        match one("public.a:number", &cell, Empty::Skip) {
            Ok(patch) if cell.is_empty() => prop_assert_eq!(patch, "{}"),
            Ok(patch) => {
                let kept = json::parse(&patch).expect("is JSON")["public_metadata"]["a"].clone();
                let (Value::Number(kept), Ok(exact)) = (kept, cell.parse()) else { panic!("{cell} is a number") };
                prop_assert!(crate::number::same_decimal(&kept, &exact));
            }
            Err(_) => prop_assert!(!is_json),
        }
    }
}
