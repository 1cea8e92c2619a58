//! The laws of folding, tried on arbitrary metadata and patches, against the `json-patch` crate's merge.

use proptest::collection::{btree_map, vec};
use proptest::option::weighted;
use proptest::prelude::*;

use super::*;
use crate::guard::Forbid;
use crate::json::arbitrary::{config, key, object, object_with_nulls, value};

/// What a user holds, and a few patches of it.
fn case() -> impl Strategy<Value = (Metadata, Vec<Patch>)> {
    let field = || prop_oneof![4 => Just(Field::Public), 1 => Just(Field::Unsafe)];
    let before = (object_with_nulls(1), object())
        .prop_map(|(public, r#unsafe)| Metadata::from([(Field::Public, public), (Field::Unsafe, r#unsafe)]));
    let patch = btree_map(field(), object(), 0..3).prop_map(|fields| {
        let members = |value: Value| value.as_object().cloned().unwrap_or_default();
        Patch::new(fields.into_iter().map(|(field, value)| (field, members(value))).collect())
    });
    (before, vec(patch, 1..5))
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Merge), Just(Mode::Replace)]
}

fn folded(before: &Metadata, patches: &[Patch], mode: Mode) -> Change {
    fold(before, patches, mode).expect("is shallow")
}

/// What the user will hold, by merges one after the other that know nothing of ours.
fn expected(before: &Metadata, patches: &[Patch], mode: Mode) -> Metadata {
    let mut now = before.clone();
    for (field, patch) in patches.iter().flat_map(Patch::fields) {
        let value = now.entry(field).or_insert_with(|| object_of(None));
        match mode {
            Mode::Merge => json_patch::merge(value, patch),
            Mode::Replace => *value = patch.clone(),
        }
    }
    now
}

fn object_of(value: Option<Value>) -> Value {
    value.unwrap_or_else(|| Value::Object(Map::new()))
}

/// What the API makes of a request.
fn sent(before: &Metadata, body: &Body) -> Metadata {
    let mut now = before.clone();
    for (name, value) in body.json.as_object().into_iter().flatten() {
        let field = now.entry(Field::from_name(name).expect("is a field")).or_insert_with(|| object_of(None));
        match body.mode {
            Mode::Merge => json_patch::merge(field, value),
            Mode::Replace => *field = value.clone(),
        }
    }
    now
}

fn all_agree(a: &Metadata, b: &Metadata) -> Agreement {
    a.iter().map(|(field, a)| agree(Some(a), b.get(field))).max().unwrap_or(Agreement::Same)
}

/// The places of all values that are no objects, and of all objects.
fn places(root: &Value, field: Field) -> Vec<(Path, &Value)> {
    let mut found = vec![(Path::root(field), root)];
    let mut next = 0;
    while let Some((path, value)) = found.get(next).cloned() {
        found.extend(value.as_object().into_iter().flatten().map(|(key, value)| (path.child(key), value)));
        next += 1;
    }
    found
}

fn covered<'c>(change: &'c Change, path: &Path) -> Option<&'c Touch> {
    change.touches.iter().find(|touch| touch.path.covers(path))
}

/// Takes a change back, path by path: what was there is put back, what was added is removed, and so are the objects
/// that were created on the way, where nothing else has come to stand in them.
fn undone(now: &Metadata, change: &Change) -> Metadata {
    let mut now = now.clone();
    for Touch { path, before, existed, .. } in &change.touches {
        let root = now.entry(path.field).or_insert_with(|| object_of(None));
        if let Some(before) = before {
            put(root, &path.keys, before.clone());
            continue;
        }
        remove(root, &path.keys);
        for end in (existed + 1..path.keys.len()).rev() {
            if lookup(root, &path.keys[..end]).and_then(Value::as_object).is_some_and(Map::is_empty) {
                remove(root, &path.keys[..end]);
            }
        }
    }
    now
}

/// Puts a value somewhere, unless that would touch what the change touches or take an object's place.
fn with_foreign(now: &Metadata, change: &Change, path: &Path, value: &Value) -> Option<Metadata> {
    let apart = change.touches.iter().all(|touch| !touch.path.covers(path) && !path.covers(&touch.path));
    let root = now.get(&path.field)?;
    let free = (1..path.keys.len()).all(|end| lookup(root, &path.keys[..end]).is_none_or(Value::is_object));
    (apart && free).then(|| {
        let mut now = now.clone();
        put(now.get_mut(&path.field).expect("was found"), &path.keys, value.clone());
        now
    })
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn after_is_what_the_patches_make_one_after_the_other((before, patches) in case(), mode in mode()) {
        let change = folded(&before, &patches, mode);
        let expected = expected(&before, &patches, mode);
        for touch in &change.touches {
            let (was, will_be) = (touch.path.find(&before[&touch.path.field]), touch.path.find(&expected[&touch.path.field]));
            prop_assert_eq!((touch.before.as_ref(), touch.after.as_ref()), (was, will_be), "{}", touch.path);
        }
        for (field, value) in &expected {
            prop_assert_eq!(&change.field_after(*field, &before), value);
        }
        for (field, size) in &change.sizes {
            prop_assert_eq!(*size, expected[field].to_string().len());
        }
        prop_assert_eq!(change.agreement(), all_agree(&before, &expected));
    }

    #[test]
    fn the_request_leads_to_after((before, patches) in case(), mode in mode()) {
        let change = folded(&before, &patches, mode);
        let now = sent(&before, &change.body());
        let expected = expected(&before, &patches, mode);
        prop_assert_ne!(all_agree(&now, &expected), Agreement::Different, "{:?}", change.body());
        prop_assert_ne!(change.holds_after(&now), Agreement::Different);
        prop_assert_eq!(change.missing(&now), Vec::<String>::new());
        prop_assert_eq!(change.holds_after(&expected), Agreement::Same);
        let nothing = change.agreement() != Agreement::Different;
        prop_assert_eq!(change.body().json.as_object().map(Map::is_empty), Some(nothing));
        let again = folded(&now, &patches, mode);
        prop_assert_ne!(again.agreement(), Agreement::Different, "a second run would write again");
    }

    #[test]
    fn no_touched_path_leads_to_another_and_each_difference_is_covered((before, patches) in case(), mode in mode()) {
        let change = folded(&before, &patches, mode);
        let expected = expected(&before, &patches, mode);
        for touch in &change.touches {
            let covering = change.touches.iter().filter(|other| other.path.covers(&touch.path)).count();
            prop_assert_eq!(covering, 1, "{}", touch.path);
            prop_assert!(touch.existed <= touch.path.keys.len().saturating_sub(1));
        }
        for (field, value) in &expected {
            let (old, new) = (places(&before[field], *field), places(value, *field));
            for (path, value) in old.iter().chain(&new) {
                let (was, is) = (path.find(&before[field]), path.find(&expected[field]));
                let objects = (was.is_some_and(Value::is_object), is.is_some_and(Value::is_object));
                let differs = if value.is_object() { objects.0 != objects.1 } else { was != is };
                let on_the_way = change.touches.iter().any(|touch| path.covers(&touch.path) && touch.existed < path.keys.len());
                prop_assert!(!differs || covered(&change, path).is_some() || on_the_way, "{} is not covered", path);
            }
        }
    }

    #[test]
    fn a_foreign_change_elsewhere_is_no_drift_and_is_kept(
        (before, patches) in case(),
        keys in vec(key(), 1..4),
        value in value(),
    ) {
        let change = folded(&before, &patches, Mode::Merge);
        let path = Path { field: Field::Public, keys };
        let after = expected(&before, &patches, Mode::Merge);
        if let Some(now) = with_foreign(&before, &change, &path, &value) {
            prop_assert_eq!(change.drifted(&now), Vec::<&Path>::new());
            let now = sent(&now, &change.body());
            prop_assert_ne!(change.holds_after(&now), Agreement::Different);
            prop_assert_eq!(path.find(&now[&path.field]), Some(&value));
        }
        if let Some(now) = with_foreign(&after, &change, &path, &value) {
            prop_assert_eq!(change.holds_after(&now), Agreement::Same);
            let mut kept = before.clone();
            put(kept.get_mut(&path.field).expect("is there"), &path.keys, value);
            prop_assert_eq!(undone(&now, &change), kept);
        }
    }

    #[test]
    fn what_is_not_drift_loses_nothing_that_somebody_else_wrote(
        (before, patches) in case(),
        mode in mode(),
        foreign in object(),
    ) {
        let change = folded(&before, &patches, mode);
        let mut now = before.clone();
        json_patch::merge(now.get_mut(&Field::Public).expect("is there"), &foreign);
        if !change.drifted(&now).is_empty() {
            return Ok(());
        }
        let then = sent(&now, &change.body());
        prop_assert_ne!(change.holds_after(&then), Agreement::Different);
        for (path, value) in places(&now[&Field::Public], Field::Public) {
            if !value.is_object() && covered(&change, &path).is_none() {
                prop_assert_eq!(path.find(&then[&Field::Public]), Some(value), "{} is lost", path);
            }
        }
    }

    #[test]
    fn taking_a_change_back_path_by_path_restores_what_was((before, patches) in case(), mode in mode()) {
        let change = folded(&before, &patches, mode);
        prop_assert_eq!(undone(&expected(&before, &patches, mode), &change), before);
    }

    #[test]
    fn a_change_written_and_read_is_the_same_change((before, patches) in case(), mode in mode()) {
        let change = folded(&before, &patches, mode);
        let read = Change::from_text(&change.to_text()).expect("is readable");
        prop_assert_eq!(&read.touches, &change.touches);
        prop_assert_eq!(read.body(), change.body());
        prop_assert_eq!(read.to_text(), change.to_text());
    }

    #[test]
    fn hostile_text_is_an_error_or_a_change_and_never_a_panic(
        (before, patches) in case(),
        at in any::<prop::sample::Index>(),
        text in prop_oneof!["\\PC{0,3}", Just("\"existed\":18446744073709551616".to_owned()), Just("[".repeat(200))],
        len in 0..9_usize,
    ) {
        let written: Vec<char> = folded(&before, &patches, Mode::Merge).to_text().chars().collect();
        let at = at.index(written.len());
        let rest = written.iter().skip(at + len);
        let broken: String = written[..at].iter().copied().chain(text.chars()).chain(rest.copied()).collect();
        if let Ok(change) = Change::from_text(&broken) {
            change.body();
            change.drifted(&before);
            change.missing(&before);
            prop_assert_eq!(Change::from_text(&change.to_text()), Ok(change));
        }
    }

    #[test]
    fn a_guard_blocks_exactly_the_transition_that_it_names(
        (before, patches) in case(),
        mode in mode(),
        keys in vec(key(), 0..3),
        from in weighted(0.7, weighted(0.2, value())),
        to in weighted(0.5, weighted(0.2, value())),
    ) {
        let path = Path { field: Field::Public, keys };
        let change = folded(&before, &patches, mode);
        let after = expected(&before, &patches, mode);
        let (was, is) = (path.find(&before[&Field::Public]), path.find(&after[&Field::Public]));
        // Most guards watch for what is there, or they would hardly ever be met.
        let watch = |given: Option<Option<Value>>, held: Option<&Value>| given.map(|given| given.or_else(|| held.cloned()).unwrap_or(Value::Null));
        let forbid = Forbid { path: path.clone(), from: watch(from, was), to: watch(to, is) };
        let null = Value::Null;
        let meets = |watched: &Option<Value>, value: Option<&Value>| {
            watched.as_ref().is_none_or(|watched| merge::same(watched, value.unwrap_or(&null)))
        };
        let forbidden = agree(was, is) == Agreement::Different && meets(&forbid.from, was) && meets(&forbid.to, is);
        prop_assert_eq!(forbid.blocks(&before, &change), forbidden, "{:?} {:?} → {:?}", forbid, was, is);
    }
}

#[test]
fn the_deepest_values_survive_being_written_down() {
    let deep = |levels: usize| format!("{}1{}", r#"{"k":"#.repeat(levels), "}".repeat(levels));
    for levels in [126, 127, 128] {
        let patch = Patch::from_json(&format!(r#"{{"public_metadata":{}}}"#, deep(levels))).expect("is a patch");
        for before in ["{}".to_owned(), deep(levels).replace('1', "[null]"), r#"{"k":5}"#.to_owned()] {
            let Ok(before) = json::parse(&before) else { continue };
            let before = Metadata::from([(Field::Public, before)]);
            for mode in [Mode::Merge, Mode::Replace] {
                let change = folded(&before, std::slice::from_ref(&patch), mode);
                let read = Change::from_text(&change.to_text()).expect("is readable");
                assert_eq!(read.touches, change.touches);
                assert_eq!(read.holds_after(&sent(&before, &read.body())), Agreement::Same);
            }
        }
    }
}
