use std::time::Duration;

use super::*;
use crate::event::Requests;
use crate::json::parse;
use crate::report::summary::sample::{empty, many, pair, plan, tally};
use crate::state::State;

fn told(summary: &Summary) -> String {
    let mut out = Vec::new();
    write(&mut out, summary).expect("memory takes everything");
    String::from_utf8(out).expect("is UTF-8")
}

#[test]
fn the_contract_is_kept_to_the_letter() {
    let mut summary = empty(State::Applied);
    summary.rows.read = 5;
    summary.rows.rejected = 1;
    summary.users = tally(&[(Outcome::Applied, 3), (Outcome::TooLarge, 1), (Outcome::Rejected, 1)]);
    summary.requests = Requests { read: 1, write: 4, retried: 1, throttled: 2 };
    summary.transitions = vec![pair("public_metadata.role", r#""member""#, r#""editor""#, 812)];
    summary.duration = Duration::from_micros(1_234_567);
    let expected = concat!(
        r#"{"run":{"id":"20260512-k3f9","file":".metapatch/runs/20260512-k3f9.sqlite","job":null,"state":"applied"},"#,
        r#""rows":{"read":5,"rejected":1},"#,
        r#""users":{"planned":0,"applied":3,"unchanged":0,"not_found":0,"ambiguous":0,"too_large":1,"blocked":0,"#,
        r#""drifted":0,"failed":0,"pending":0},"#,
        r#""requests":{"read":1,"write":4,"retried":1,"throttled":2},"#,
        r#""transitions":[{"path":"public_metadata.role","before":"member","after":"editor","users":812}],"#,
        r#""duration_s":1.235}"#,
        "\n"
    );
    assert_eq!(told(&summary), expected);
}

#[test]
fn a_stored_null_an_absent_value_and_a_masked_one_are_told_apart() {
    let mut summary = empty(State::Planned);
    summary.transitions = vec![
        pair("public_metadata.a", "null", "-", 4),
        pair("public_metadata.b", "-", "12345678901234567890.10", 3),
        pair("private_metadata", "*", "*", 2),
        many("public_metadata.c", 21, false, 1),
        many(r"public_metadata.d\.e", 500_000, true, 1),
    ];
    let text = told(&summary);
    for entry in [
        r#"{"path":"public_metadata.a","before":null,"after":null,"users":4,"after_absent":true}"#,
        r#"{"path":"public_metadata.b","before":null,"after":12345678901234567890.10,"users":3,"before_absent":true}"#,
        r#"{"path":"private_metadata","before":null,"after":null,"users":2,"before_masked":true,"after_masked":true}"#,
        r#"{"path":"public_metadata.c","distinct":21,"users":1}"#,
        r#"{"path":"public_metadata.d\\.e","distinct":500000,"users":1,"distinct_at_least":true}"#,
    ] {
        assert!(text.contains(entry), "{text}");
    }
}

#[test]
fn the_object_is_one_line_and_drives_no_terminal() {
    let mut summary = plan();
    let hostile = "\u{1b}[2J\u{9b}2J\u{202e}\n\u{7f}\u{e0041}\"\\";
    summary.run.job = Some(hostile.to_owned());
    let text = told(&summary);
    assert_eq!(text.find('\n'), Some(text.len() - 1));
    assert!(!text.trim_end().chars().any(is_unsafe), "{text}");
    assert_eq!(parse(&text).expect("is JSON")["run"]["job"], hostile);
}

#[test]
fn an_error_is_an_object_with_a_code_and_a_message() {
    let mut out = Vec::new();
    write_error(&mut out, "no_key", "no secret key; set CLERK_SECRET_KEY").expect("memory takes everything");
    let expected = "{\"error\":{\"code\":\"no_key\",\"message\":\"no secret key; set CLERK_SECRET_KEY\"}}\n";
    assert_eq!(String::from_utf8(out).expect("is UTF-8"), expected);
}

#[test]
fn a_value_that_looks_like_the_number_token_stays_an_object() {
    let mut summary = empty(State::Planned);
    let odd = r#"{"$serde_json::private::Number":"12"}"#;
    summary.transitions = vec![pair("public_metadata.a", odd, "1e400", 1)];
    let text = told(&summary);
    assert!(text.contains(&format!(r#""before":{odd},"after":1e+400"#)), "{text}");
}

#[test]
fn a_value_as_text_has_nothing_that_a_terminal_obeys() {
    let value = serde_json::json!({"a\u{9b}": "\u{202e}x\u{1b}[2J"});
    let text = to_text(&value);
    assert!(!text.chars().any(is_unsafe), "{text:?}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("is JSON"), value);
}
