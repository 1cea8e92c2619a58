use super::*;
use crate::json::parse;

fn json(text: &str) -> Value {
    parse(text).expect("is JSON")
}

/// RFC 7396, appendix A: original, patch, result.
const APPENDIX: [(&str, &str, &str); 15] = [
    (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
    (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
    (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
    (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
    (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
    (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
    (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
    (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
    (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
    (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
    (r#"{"a":"foo"}"#, "null", "null"),
    (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
    (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"a":1,"e":null}"#),
    ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
    ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
];

#[test]
fn the_appendix_of_rfc_7396() {
    for (original, patch, result) in APPENDIX {
        assert_eq!(merge(json(original), &json(patch)).expect("is shallow"), json(result), "{original} + {patch}");
    }
}

#[test]
fn a_diff_is_minimal() {
    let before = json(r#"{"keep":{"x":1,"y":[1,2]},"drop":1,"turn":{"a":1},"num":1.0}"#);
    let after = json(r#"{"keep":{"x":2,"y":[1,2]},"turn":"scalar","new":{},"num":1}"#);
    let diff = diff(&before, &after).expect("is shallow");
    assert_eq!(diff.patch, json(r#"{"drop":null,"keep":{"x":2},"new":{},"turn":"scalar"}"#));
    assert_eq!(diff.inexpressible, Vec::<Vec<String>>::new());
}

#[test]
fn stored_nulls_are_named_where_they_would_have_to_be_written() {
    let diff = diff(&json(r#"{"a":1,"same":null}"#), &json(r#"{"a":null,"b":{"c":null,"d":[null]},"same":null}"#));
    let diff = diff.expect("is shallow");
    assert_eq!(diff.inexpressible, vec![vec!["a".to_owned()], vec!["b".to_owned(), "c".to_owned()]]);
}

#[test]
fn too_deep_is_an_error() {
    let mut deep = Value::Null;
    for _ in 0..=MAX_DEPTH {
        deep = Value::Array(vec![deep]);
    }
    assert_eq!(merge(json("{}"), &deep), Err(TooDeep));
    assert_eq!(merge(deep.clone(), &json("{}")), Err(TooDeep));
    assert_eq!(diff(&json("{}"), &deep), Err(TooDeep));
}
