use super::*;
use crate::json::parse;

fn json(text: &str) -> Value {
    parse(text).expect("is JSON")
}

/// Folds patches of public metadata over `before` and shows each touch as `path before → after @existed`.
fn touched(before: &str, patches: &[&str]) -> Vec<String> {
    let change = folded(before, patches, Mode::Merge);
    let show = |value: &Option<Value>| value.as_ref().map_or("·".to_owned(), Value::to_string);
    let line = |t: &Touch| format!("{} {} → {} @{}", t.path, show(&t.before), show(&t.after), t.existed);
    change.touches.iter().map(line).map(|line| line.replace("public_metadata", "p")).collect()
}

fn folded(before: &str, patches: &[&str], mode: Mode) -> Change {
    let before = Metadata::from([(Field::Public, json(before))]);
    let patches: Vec<Patch> = patches
        .iter()
        .map(|text| Patch::from_json(&format!(r#"{{"public_metadata":{text}}}"#)).expect("is a patch"))
        .collect();
    fold(&before, &patches, mode).expect("is shallow")
}

#[test]
fn a_leaf_is_touched_and_its_neighbours_are_not() {
    assert_eq!(touched(r#"{"a":{"b":1,"z":9}}"#, &[r#"{"a":{"b":2}}"#]), ["p.a.b 1 → 2 @1"]);
    assert_eq!(touched(r#"{"a":1}"#, &[r#"{"a":null}"#]), ["p.a 1 → · @0"]);
    assert_eq!(touched("{}", &[r#"{"a":null}"#]), ["p.a · → · @0"]);
}

#[test]
fn objects_created_on_the_way_are_counted() {
    assert_eq!(touched(r#"{"a":{}}"#, &[r#"{"a":{"b":{"c":1}}}"#]), ["p.a.b.c · → 1 @1"]);
    assert_eq!(touched("{}", &[r#"{"a":{"b":1,"c":2}}"#]), ["p.a.b · → 1 @0", "p.a.c · → 2 @0"]);
}

#[test]
fn a_swap_is_touched_at_its_root() {
    assert_eq!(touched(r#"{"a":5}"#, &[r#"{"a":{"b":{"c":1}}}"#]), [r#"p.a 5 → {"b":{"c":1}} @0"#]);
    assert_eq!(touched(r#"{"a":{"b":1}}"#, &[r#"{"a":5}"#]), [r#"p.a {"b":1} → 5 @0"#]);
    assert_eq!(touched(r#"{"a":null}"#, &[r#"{"a":{"b":1}}"#]), [r#"p.a null → {"b":1} @0"#]);
    assert_eq!(touched(r#"{"a":{"b":1}}"#, &[r#"{"a":null}"#, r#"{"a":{"c":1}}"#]), [r#"p.a {"b":1} → {"c":1} @0"#]);
    assert_eq!(touched(r#"{"a":5}"#, &[r#"{"a":{"x":1}}"#, r#"{"a":{"x":null}}"#]), ["p.a 5 → {} @0"]);
}

#[test]
fn nulls_on_an_absent_key_create_and_touch_an_empty_object() {
    assert_eq!(touched("{}", &[r#"{"a":{"b":null}}"#]), ["p.a · → {} @0"]);
    assert_eq!(touched("{}", &[r#"{"a":{"b":{"c":null}}}"#]), ["p.a.b · → {} @0"]);
    assert_eq!(touched("{}", &[r#"{"a":{"b":null,"c":1}}"#]), ["p.a.b · → · @0", "p.a.c · → 1 @0"]);
}

#[test]
fn an_empty_object_says_something_only_where_there_is_none() {
    assert_eq!(touched(r#"{"a":{"b":1}}"#, &[r#"{"a":{}}"#]), Vec::<String>::new());
    assert_eq!(touched("{}", &[r#"{"a":{}}"#]), ["p.a · → {} @0"]);
    assert_eq!(touched(r#"{"a":{"b":1}}"#, &[r#"{"a":{}}"#, r#"{"a":{"b":2}}"#]), ["p.a.b 1 → 2 @1"]);
    assert_eq!(touched("{}", &["{}"]), Vec::<String>::new());
}

#[test]
fn the_request_is_minimal() {
    let before = r#"{"a":{"b":1,"z":9},"role":"member","same":[1,2],"n":1}"#;
    let change = folded(
        before,
        &[r#"{"a":{"b":2,"y":null},"role":null,"same":[1,2],"n":1.0,"new":{"k":{"l":1}}}"#],
        Mode::Merge,
    );
    let body = change.body();
    assert_eq!(body.mode, Mode::Merge);
    assert_eq!(body.json, json(r#"{"public_metadata":{"a":{"b":2},"role":null,"new":{"k":{"l":1}}}}"#));
}

#[test]
fn replacing_is_still_a_minimal_merge_unless_a_null_is_stored() {
    let change = folded(r#"{"a":1,"b":{"c":1,"d":2}}"#, &[r#"{"b":{"c":1},"e":[null]}"#], Mode::Replace);
    assert_eq!(change.touches.len(), 1);
    let body = change.body();
    assert_eq!(
        (body.mode, body.json),
        (Mode::Merge, json(r#"{"public_metadata":{"a":null,"b":{"d":null},"e":[null]}}"#))
    );
    let body = folded(r#"{"a":1}"#, &[r#"{"a":1,"b":null}"#], Mode::Replace).body();
    assert_eq!((body.mode, body.json), (Mode::Replace, json(r#"{"public_metadata":{"a":1,"b":null}}"#)));
}

#[test]
fn rounded_numbers_are_not_written_again_but_are_drift() {
    let change = folded(r#"{"id":12345678901234567000}"#, &[r#"{"id":12345678901234567890}"#], Mode::Merge);
    assert_eq!(change.agreement(), Agreement::Rounded);
    assert_eq!(change.body().json, json("{}"));
    let now = Metadata::from([(Field::Public, json(r#"{"id":12345678901234567168}"#))]);
    assert_eq!(change.holds_after(&now), Agreement::Rounded);
    assert_eq!(change.drifted(&now).len(), 1);
}

#[test]
fn touches_survive_being_written_down() {
    let deep = format!("{}1{}", r#"{"k":"#.repeat(120), "}".repeat(120));
    let change = folded(r#"{"a":null,"n":1}"#, &[r#"{"a":{"b.c\\":1.50},"n":null}"#, &deep], Mode::Merge);
    let read = Change::from_text(&change.to_text()).expect("is readable");
    assert_eq!(read.touches, change.touches);
    assert!(Change::from_text("{}").is_err());
    assert!(Change::from_text(r#"[{"path":"nope.a","existed":0}]"#).is_err());
}

#[test]
fn only_a_third_value_on_a_touched_path_is_drift() {
    let change = folded(r#"{"a":1,"b":1,"other":1}"#, &[r#"{"a":2,"b":2}"#], Mode::Merge);
    let now = |text: &str| Metadata::from([(Field::Public, json(text))]);
    assert!(change.drifted(&now(r#"{"a":1,"b":1,"other":9}"#)).is_empty());
    assert!(change.drifted(&now(r#"{"a":2,"b":1}"#)).is_empty());
    let moved = now(r#"{"a":3,"b":1}"#);
    assert_eq!(change.drifted(&moved).iter().map(ToString::to_string).collect::<Vec<_>>(), ["public_metadata.a"]);
}

#[test]
fn a_value_that_came_to_stand_on_the_way_is_drift() {
    let now = |text: &str| Metadata::from([(Field::Public, json(text))]);
    let added = folded(r#"{"a":{}}"#, &[r#"{"a":{"b":1},"c":1}"#], Mode::Merge);
    assert_eq!(added.drifted(&now(r#"{"a":5}"#)).len(), 1);
    assert!(added.drifted(&now("{}")).is_empty());
    let removed = folded(r#"{"a":{"b":1}}"#, &[r#"{"a":{"b":null},"c":1}"#], Mode::Merge);
    assert_eq!(removed.drifted(&now(r#"{"a":[1]}"#)).len(), 1);
}

#[test]
fn an_empty_key_survives_being_written_down() {
    let change = folded("{}", &[r#"{"":{"":1},"a":{"":null}}"#], Mode::Merge);
    assert_eq!(Change::from_text(&change.to_text()).expect("is readable").touches, change.touches);
}
