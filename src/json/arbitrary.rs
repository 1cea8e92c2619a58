//! Values for property tests: small and of few keys, so that two of them meet in many places, and hostile.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::{Value, parse};

/// Keys that something may take for something else; the first few are the likely ones.
const KEYS: [&str; 11] =
    ["a", "b", "c", "", ".", "a.b", "\\", "\\.", "$serde_json::private::Number", "ä\u{202e}\u{0}", "before"];

/// Numbers that are the same decimal, that are the same 64-bit float, or that neither holds.
const NUMBERS: [&str; 18] = [
    "0",
    "-0",
    "0.0",
    "0e9",
    "1",
    "1.0",
    "10e-1",
    "1E0",
    "-1",
    "0.1",
    "12345678901234567890",
    "12345678901234567168",
    "12345678901234567000",
    "12345678901234567890.0",
    "1e400",
    "1e-400",
    "0.30000000000000004",
    "1e99999999999999999999999999999999999999999999",
];

/// A key.
pub(crate) fn key() -> impl Strategy<Value = String> {
    prop_oneof![6 => 0..3_usize, 4 => 0..KEYS.len()].prop_map(|n| KEYS[n].to_owned())
}

/// A number.
pub(crate) fn number() -> impl Strategy<Value = Value> {
    prop_oneof![3 => (0..NUMBERS.len()).prop_map(|n| NUMBERS[n].to_owned()), 1 => "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,5})?"]
        .prop_map(|text| parse(&text).expect("is a number"))
}

/// Any value; `null_weight` says how likely null is among the leaves, where ten others weigh one each.
pub(crate) fn value_with_nulls(null_weight: u32) -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        null_weight => Just(Value::Null),
        2 => any::<bool>().prop_map(Value::Bool),
        4 => number(),
        2 => prop_oneof![Just("x"), Just(""), Just("\u{0}\"\\"), Just("ä€😀")].prop_map(Value::from),
        1 => Just(Value::Array(Vec::new())),
        1 => Just(Value::Object(super::Map::new())),
    ];
    let inner = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            4 => btree_map(key(), inner.clone(), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
            1 => vec(inner, 0..3).prop_map(Value::Array),
        ]
    });
    inner.boxed()
}

/// Any value.
pub(crate) fn value() -> BoxedStrategy<Value> {
    value_with_nulls(3)
}

/// Any object.
pub(crate) fn object() -> BoxedStrategy<Value> {
    object_with_nulls(3)
}

/// Any object; see [`value_with_nulls`].
pub(crate) fn object_with_nulls(null_weight: u32) -> BoxedStrategy<Value> {
    btree_map(key(), value_with_nulls(null_weight), 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
        .boxed()
}

/// How many cases each law is tried on, and that nothing is written into the sources.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}
