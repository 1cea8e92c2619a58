use super::*;
use crate::change::{Metadata, fold};
use crate::json::parse;
use crate::patch::{Mode, Patch};
use crate::report::summary::sample::{many, pair};

/// The change of a user who holds `before` in a field and is patched with `patch`.
fn change(field: Field, before: &str, patch: &str) -> Change {
    let metadata = Metadata::from([(field, parse(before).expect("is JSON"))]);
    let patch = Patch::from_json(&format!(r#"{{"{field}":{patch}}}"#)).expect("is a patch");
    fold(&metadata, &[patch], Mode::Merge).expect("is shallow")
}

fn public(before: &str, patch: &str) -> Change {
    change(Field::Public, before, patch)
}

#[test]
fn changes_are_grouped_by_path_and_pair_with_most_users_first() {
    let mut transitions = Transitions::new(false);
    for _ in 0..3 {
        transitions.add(&public(r#"{"role":"member","keep":1}"#, r#"{"role":"editor","keep":1}"#));
    }
    transitions.add(&public(r#"{"role":"admin"}"#, r#"{"role":"editor"}"#));
    transitions.add(&public(r#"{"role":null}"#, r#"{"role":"editor"}"#));
    transitions.add(&public("{}", r#"{"role":"editor","gone":null}"#));
    transitions.add(&public(r#"{"gone":{"a":1}}"#, r#"{"gone":null}"#));
    let found = transitions.finish();
    let path = "public_metadata.role";
    assert_eq!(found[0], pair(path, r#""member""#, r#""editor""#, 3));
    assert!(found.contains(&pair(path, "-", r#""editor""#, 1)), "{found:?}");
    assert!(found.contains(&pair(path, "null", r#""editor""#, 1)), "{found:?}");
    assert!(found.contains(&pair("public_metadata.gone", r#"{"a":1}"#, "-", 1)), "{found:?}");
    assert_eq!(found.len(), 5);
}

#[test]
fn the_twenty_first_pair_makes_one_entry_of_all() {
    let mut transitions = Transitions::new(false);
    for n in 0..20 {
        transitions.add(&public("{}", &format!(r#"{{"score":{n}}}"#)));
    }
    for n in [20, 3, 20] {
        transitions.add(&public("{}", &format!(r#"{{"score":{n}}}"#)));
    }
    assert_eq!(transitions.finish(), [many("public_metadata.score", 21, false, 23)]);

    let mut twenty = Transitions::new(false);
    (0..20).for_each(|n| twenty.add(&public("{}", &format!(r#"{{"score":{n}}}"#))));
    assert_eq!(twenty.finish().len(), 20);
}

#[test]
fn private_values_are_masked_and_their_paths_told_once() {
    let changes = [
        ("{}", r#"{"k":"secret-1"}"#),
        (r#"{"k":"secret-2"}"#, r#"{"k":"secret-3"}"#),
        (r#"{"k":1}"#, r#"{"k":null}"#),
    ]
    .map(|(before, patch)| change(Field::Private, before, patch));
    let mut masked = Transitions::new(false);
    for change in &changes {
        masked.add(change);
    }
    assert!(!format!("{masked:?}").contains("secret"), "not even kept");
    assert_eq!(masked.finish(), [pair("private_metadata.k", "*", "*", 3)]);

    let mut asked_for = Transitions::new(true);
    for change in &changes {
        asked_for.add(change);
    }
    assert!(asked_for.finish().contains(&pair("private_metadata.k", "-", r#""secret-1""#, 1)));
}

#[test]
fn no_more_than_fifty_entries_are_told() {
    let mut transitions = Transitions::new(false);
    for n in 0..60 {
        for _ in 0..=n {
            transitions.add(&public("{}", &format!(r#"{{"k{n}":true}}"#)));
        }
    }
    let found = transitions.finish();
    assert_eq!(found.len(), TOLD);
    assert_eq!((found[0].users, found[49].users), (60, 11));
}

#[test]
fn memory_is_bounded_however_many_paths_and_however_large_the_values() {
    let mut transitions = Transitions::new(false);
    for n in 0..MAX_PATHS + 500 {
        transitions.add(&public("{}", &format!(r#"{{"k{n}":{{"deep":{n}}}}}"#)));
    }
    assert_eq!(transitions.groups.len(), MAX_PATHS);

    let mut large = Transitions::new(false);
    for n in 0..2_000 {
        let value = format!("{n}{}", "x".repeat(8_000));
        large.add(&public("{}", &format!(r#"{{"k{n}":"{value}"}}"#)));
    }
    let kept: usize = large
        .groups
        .values()
        .map(|group| match &group.kept {
            Kept::Few(pairs) => pairs.iter().map(Pair::bytes).sum(),
            Kept::Masked | Kept::Many { .. } => 0,
        })
        .sum();
    assert!(kept <= MAX_BYTES, "{kept}");
    assert_eq!(large.groups.len(), 2_000, "a path without room for its values is still counted");
}

#[test]
fn beyond_the_bound_the_number_of_pairs_is_a_lower_one() {
    let mut transitions = Transitions::new(false);
    transitions.room.hashes = 25;
    for n in 0..40 {
        transitions.add(&public("{}", &format!(r#"{{"score":{n}}}"#)));
    }
    assert_eq!(transitions.finish(), [many("public_metadata.score", 25, true, 40)]);
}

#[test]
fn the_order_does_not_depend_on_chance() {
    let run = || {
        let mut transitions = Transitions::new(false);
        (0..40).for_each(|n| transitions.add(&public("{}", &format!(r#"{{"k{}":{n}}}"#, n % 7))));
        transitions.finish()
    };
    assert_eq!(run(), run());
}
