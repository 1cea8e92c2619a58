//! The merge algebra: JSON Merge Patch (RFC 7396) and its inverse problem, the smallest patch between two values.
//!
//! Pure: no I/O, no clock, no randomness. The laws are held as properties in the tests:
//!
//! - `merge` is RFC 7396, whose appendix is a test table;
//! - `merge(a, diff(a, b).patch)` equals `b` for every `b` whose changed parts hold no null member, and for the others
//!   `diff` names the paths that no merge patch can express;
//! - a patch merged twice is the patch merged once.
//!
//! Nothing recurses deeper than [`MAX_DEPTH`]: a value nested deeper is refused with [`TooDeep`].

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::json::{MAX_DEPTH, is_shallow};
use crate::number;

/// A value nests deeper than [`MAX_DEPTH`] levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nested deeper than {MAX_DEPTH} levels")]
pub struct TooDeep;

/// Merges `patch` into `target` as RFC 7396, section 2 says: objects are merged member by member, null removes a
/// member, and everything else replaces what was there, arrays as a whole.
pub fn merge(target: Value, patch: &Value) -> Result<Value, TooDeep> {
    if !is_shallow(&target) || !is_shallow(patch) {
        return Err(TooDeep);
    }
    Ok(merged(target, patch))
}

fn merged(target: Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut members = match target {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    for (key, value) in patch {
        if value.is_null() {
            members.remove(key);
        } else {
            let old = members.remove(key).unwrap_or(Value::Null);
            members.insert(key.clone(), merged(old, value));
        }
    }
    Value::Object(members)
}

/// The smallest merge patch from one value to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// What to merge into the first value to get the second.
    pub patch: Value,
    /// Where the second value holds a null member that no merge patch can put there: the keys leading to it.
    pub inexpressible: Vec<Vec<String>>,
}

/// Works out the smallest merge patch that turns `before` into `after`; `{}` between two equal objects.
///
/// Two values that are not both objects have only one patch: `after` itself.
pub fn diff(before: &Value, after: &Value) -> Result<Diff, TooDeep> {
    if !is_shallow(before) || !is_shallow(after) {
        return Err(TooDeep);
    }
    let mut inexpressible = Vec::new();
    if !(before.is_object() && after.is_object()) {
        null_members(after, &mut Vec::new(), &mut inexpressible);
        return Ok(Diff { patch: after.clone(), inexpressible });
    }
    let mut patch = Value::Object(Map::new());
    for Difference { mut keys, after, .. } in differences(Some(before), Some(after), Agreement::Same) {
        match after {
            Some(Value::Null) => inexpressible.push(keys),
            Some(value) => {
                put(&mut patch, &keys, value.clone());
                null_members(value, &mut keys, &mut inexpressible);
            }
            None => put(&mut patch, &keys, Value::Null),
        }
    }
    Ok(Diff { patch, inexpressible })
}

/// A place where two values differ and where they are not both objects, so that it can be said in one line.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference<'v> {
    /// The keys leading to the place.
    pub keys: Vec<String>,
    /// What the first value holds there, if anything.
    pub before: Option<&'v Value>,
    /// What the second value holds there, if anything.
    pub after: Option<&'v Value>,
}

/// The places where two values differ, in the order of their keys; values that agree to `enough` are no difference.
pub fn differences<'v>(before: Option<&'v Value>, after: Option<&'v Value>, enough: Agreement) -> Vec<Difference<'v>> {
    let mut found = Vec::new();
    collect_differences(before, after, enough, &mut Vec::new(), &mut found);
    found
}

fn collect_differences<'v>(
    before: Option<&'v Value>,
    after: Option<&'v Value>,
    enough: Agreement,
    keys: &mut Vec<String>,
    found: &mut Vec<Difference<'v>>,
) {
    match (before, after) {
        (None, None) => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let all: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in all {
                keys.push(key.clone());
                collect_differences(old.get(key), new.get(key), enough, keys, found);
                keys.pop();
            }
        }
        (Some(old), Some(new)) if agreement(old, new) <= enough => {}
        _ => found.push(Difference { keys: keys.clone(), before, after }),
    }
}

/// Puts `value` where `keys` lead to, creating the objects on the way.
pub fn put(root: &mut Value, keys: &[String], value: Value) {
    let mut place = root;
    for key in keys {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(members) = place else { return };
        place = members.entry(key.clone()).or_insert(Value::Null);
    }
    *place = value;
}

/// Collects where `value` holds null members; those inside arrays are stored as they are and do not count.
fn null_members(value: &Value, keys: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let Value::Object(members) = value else { return };
    for (key, member) in members {
        keys.push(key.clone());
        if member.is_null() {
            found.push(keys.clone());
        }
        null_members(member, keys, found);
        keys.pop();
    }
}

/// How far two values agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Agreement {
    /// They are the same JSON value; numbers are the same decimal.
    Same,
    /// They would be the same if some numbers were rounded to 64-bit floats.
    Rounded,
    /// They differ.
    Different,
}

/// Whether two values are the same JSON value: key order is nothing, numbers are compared as decimals.
pub fn same(a: &Value, b: &Value) -> bool {
    agreement(a, b) == Agreement::Same
}

/// How far two values agree; see [`Agreement`].
pub fn agreement(a: &Value, b: &Value) -> Agreement {
    let all = |pairs: &mut dyn Iterator<Item = Agreement>| pairs.max().unwrap_or(Agreement::Same);
    match (a, b) {
        (Value::Number(a), Value::Number(b)) if number::same_decimal(a, b) => Agreement::Same,
        (Value::Number(a), Value::Number(b)) if number::same_after_rounding(a, b) => Agreement::Rounded,
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            all(&mut a.iter().zip(b).map(|(a, b)| agreement(a, b)))
        }
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => {
            all(&mut a.iter().map(|(key, a)| b.get(key).map_or(Agreement::Different, |b| agreement(a, b))))
        }
        (Value::Number(_), Value::Number(_)) => Agreement::Different,
        _ if a == b => Agreement::Same,
        _ => Agreement::Different,
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
