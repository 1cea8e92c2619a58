//! The laws of the algebra, tried on arbitrary values.

use proptest::prelude::*;

use super::*;
use crate::json::arbitrary::{config, object, object_with_nulls, value, value_with_nulls};

fn merging(target: &Value, patch: &Value) -> Value {
    merge(target.clone(), patch).expect("is shallow")
}

/// The `json-patch` crate's merge, which knows nothing of ours.
fn oracle(target: &Value, patch: &Value) -> Value {
    let mut merged = target.clone();
    json_patch::merge(&mut merged, patch);
    merged
}

/// The keys that lead to every null member, found without the code under test.
fn nulls_of(value: &Value, keys: &mut Vec<String>, found: &mut BTreeSet<Vec<String>>) {
    for (key, member) in value.as_object().into_iter().flatten() {
        keys.push(key.clone());
        if member.is_null() {
            found.insert(keys.clone());
        }
        nulls_of(member, keys, found);
        keys.pop();
    }
}

fn get<'v>(root: &'v Value, keys: &[String]) -> Option<&'v Value> {
    keys.iter().try_fold(root, |value, key| value.as_object()?.get(key))
}

/// Every way to leave one leaf out of a patch.
fn without_one_leaf(patch: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    for (key, value) in patch.as_object().into_iter().flatten() {
        let smaller = without_one_leaf(value);
        if smaller.is_empty() {
            let mut members = patch.as_object().cloned().unwrap_or_default();
            members.remove(key);
            all.push(Value::Object(members));
        }
        for inner in smaller {
            let mut members = patch.as_object().cloned().unwrap_or_default();
            members.insert(key.clone(), inner);
            all.push(Value::Object(members));
        }
    }
    all
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn merging_is_what_an_independent_merge_does(target in value(), patch in value()) {
        prop_assert_eq!(merging(&target, &patch), oracle(&target, &patch));
    }

    #[test]
    fn a_patch_merged_twice_is_the_patch_merged_once(target in value(), patch in value()) {
        let once = merging(&target, &patch);
        prop_assert_eq!(merging(&once, &patch), once);
    }

    #[test]
    fn merging_a_diff_gives_the_other_value(a in value(), b in value_with_nulls(0)) {
        let diff = diff(&a, &b).expect("is shallow");
        prop_assert_eq!(&diff.inexpressible, &Vec::<Vec<String>>::new());
        prop_assert!(same(&merging(&a, &diff.patch), &b), "{} is not {b}", merging(&a, &diff.patch));
    }

    #[test]
    fn what_a_diff_cannot_express_is_exactly_the_null_members_that_are_not_there_yet(a in value(), b in value()) {
        let diff = diff(&a, &b).expect("is shallow");
        let mut nulls = BTreeSet::new();
        nulls_of(&b, &mut Vec::new(), &mut nulls);
        // Between objects a null that stands there already need not be written.
        let both = a.is_object() && b.is_object();
        nulls.retain(|keys| !(both && get(&a, keys) == Some(&Value::Null)));
        prop_assert_eq!(diff.inexpressible.iter().cloned().collect::<BTreeSet<_>>(), nulls);
        if diff.inexpressible.is_empty() {
            prop_assert!(same(&merging(&a, &diff.patch), &b));
        }
    }

    #[test]
    fn a_diff_leaves_the_rest_right_even_where_it_cannot_express_all(a in object(), b in object()) {
        let diff = diff(&a, &b).expect("is shallow");
        let mut merged = merging(&a, &diff.patch);
        for keys in &diff.inexpressible {
            put(&mut merged, keys, Value::Null);
        }
        prop_assert!(same(&merged, &b), "{merged} is not {b}");
    }

    #[test]
    fn no_leaf_of_a_diff_can_be_left_out(a in object_with_nulls(1), b in object_with_nulls(0)) {
        let diff = diff(&a, &b).expect("is shallow");
        for smaller in without_one_leaf(&diff.patch) {
            prop_assert!(!same(&merging(&a, &smaller), &b), "{smaller} would do in place of {}", diff.patch);
        }
    }

    #[test]
    fn the_diff_of_an_object_and_itself_is_empty(a in object()) {
        let diff = diff(&a, &a).expect("is shallow");
        prop_assert_eq!(diff, Diff { patch: Value::Object(Map::new()), inexpressible: Vec::new() });
    }

    #[test]
    fn being_the_same_is_an_equivalence_and_agreement_is_symmetric(a in value(), b in value(), c in value()) {
        prop_assert_eq!(agreement(&a, &a), Agreement::Same);
        prop_assert_eq!(agreement(&a, &b), agreement(&b, &a));
        if same(&a, &b) {
            prop_assert_eq!(agreement(&a, &c), agreement(&b, &c));
        }
        prop_assert_eq!(differences(Some(&a), Some(&b), Agreement::Same).is_empty(), same(&a, &b));
        let rounded = agreement(&a, &b) <= Agreement::Rounded;
        prop_assert_eq!(differences(Some(&a), Some(&b), Agreement::Rounded).is_empty(), rounded);
    }

    #[test]
    fn a_value_written_and_read_is_the_same_value(a in value()) {
        let read = crate::json::parse(&a.to_string()).expect("is JSON");
        prop_assert_eq!(crate::json::compact_len(&a), a.to_string().len());
        prop_assert_eq!(read, a);
    }
}
