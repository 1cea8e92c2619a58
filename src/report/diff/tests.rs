use super::*;
use crate::change::{Metadata, fold};
use crate::json::parse;
use crate::patch::{Mode, Patch};
use crate::path::Field;

fn change(before: &str, patch: &str) -> Change {
    let parsed = parse(before).expect("is JSON");
    let metadata: Metadata =
        Field::ALL.into_iter().filter_map(|field| Some((field, parsed.get(field.name())?.clone()))).collect();
    fold(&metadata, &[Patch::from_json(patch).expect("is a patch")], Mode::Merge).expect("is shallow")
}

#[test]
fn only_what_differs_is_told_in_a_stable_order() {
    let change = change(
        r#"{"public_metadata":{"role":"member","plan":{"tier":1,"name":"x"},"old":[1]},"private_metadata":{"k":"s3cret"}}"#,
        r#"{"public_metadata":{"role":"editor","plan":{"tier":2,"name":"x"},"old":null,"new":{}},
            "private_metadata":{"k":"s3cret-too","added":"s3cret"}}"#,
    );
    let diff = UserDiff::of("user_2abc", Some(7), &change, false);
    assert!(!format!("{diff:?}").contains("s3cret"), "not even kept");
    let expected = [
        "  user_2abc  roles.csv:7",
        "    + public_metadata.new: {}",
        "    - public_metadata.old: [1]",
        "    - public_metadata.plan.tier: 1",
        "    + public_metadata.plan.tier: 2",
        r#"    - public_metadata.role: "member""#,
        r#"    + public_metadata.role: "editor""#,
        "    + private_metadata.added: •••",
        "    - private_metadata.k: •••",
        "    + private_metadata.k: •••",
    ];
    assert_eq!(diff.lines("roles.csv", Look::plain(80)), expected);
    let shown = UserDiff::of("user_2abc", None, &change, true).lines("roles.csv", Look::plain(80));
    assert_eq!((shown[0].as_str(), shown[9].as_str()), ("  user_2abc", r#"    + private_metadata.k: "s3cret-too""#));
}

#[test]
fn a_user_with_many_changes_is_told_in_part() {
    let members: Vec<String> = (0..MAX_EDITS + 3).map(|n| format!(r#""k{n}":{n}"#)).collect();
    let change = change("{}", &format!(r#"{{"public_metadata":{{{}}}}}"#, members.join(",")));
    let lines = UserDiff::of("user_2abc", None, &change, false).lines("", Look::plain(80));
    assert_eq!(lines.len(), 1 + MAX_EDITS + 1);
    assert_eq!(lines[lines.len() - 1], "    … and 3 more");
}
