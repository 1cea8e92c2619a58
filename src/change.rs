//! One user's change: what the touched paths hold, what they will hold, and the request that gets them there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::json::{self, JsonError};
use crate::merge::{self, Agreement, TooDeep, agreement, differences, put};
use crate::patch::{Mode, Patch};
use crate::path::{Field, Path};

/// The most that Clerk stores in one field, in bytes of compact UTF-8 JSON.
pub const MAX_FIELD_BYTES: usize = 8192;

/// Some of a user's metadata fields as they stand; a field that is null or was never set is `{}`.
pub type Metadata = BTreeMap<Field, Value>;

/// A path that a user's rows speak of.
#[derive(Debug, Clone, PartialEq)]
pub struct Touch {
    /// Where.
    pub path: Path,
    /// What stood there when it was compared; `None` is absent.
    pub before: Option<Value>,
    /// What will stand there; `None` is absent.
    pub after: Option<Value>,
    /// How many of the keys that lead to the last one were objects before; the rest are created on the way.
    pub existed: usize,
}

/// Everything that is to happen to one user.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The touched paths, none of which leads to another, in order.
    pub touches: Vec<Touch>,
    /// How large each changed field will be, in bytes; see [`MAX_FIELD_BYTES`].
    pub sizes: BTreeMap<Field, usize>,
}

/// Folds a user's patches, in order, over what the user holds.
///
/// `before` must hold every field that a patch speaks of; one that is missing counts as empty.
pub fn fold(before: &Metadata, patches: &[Patch], mode: Mode) -> Result<Change, TooDeep> {
    let mut fold = Fold::new(mode);
    for patch in patches {
        fold.push(before, patch)?;
    }
    Ok(fold.finish())
}

/// A fold of patches that come one at a time, however many there are.
#[derive(Debug)]
pub struct Fold {
    mode: Mode,
    fields: BTreeMap<Field, Folding>,
}

/// One field while patches are folded over it.
#[derive(Debug)]
struct Folding {
    old: Value,
    new: Value,
    leaves: Leaves,
}

impl Fold {
    /// A fold of no patches yet.
    pub const fn new(mode: Mode) -> Self {
        Self { mode, fields: BTreeMap::new() }
    }

    /// Folds the next patch. What a field holds is looked up in `before` when the first patch speaks of it; one that
    /// is missing counts as empty. After an error the fold is of no more use.
    pub fn push(&mut self, before: &Metadata, patch: &Patch) -> Result<(), TooDeep> {
        for (field, value) in patch.fields() {
            let fresh = || {
                let old = object(before.get(&field));
                Folding { new: old.clone(), old, leaves: Leaves::new() }
            };
            self.fields.entry(field).or_insert_with(fresh).push(value, self.mode)?;
        }
        Ok(())
    }

    /// What the patches come to.
    pub fn finish(self) -> Change {
        let mut change = Change { touches: Vec::new(), sizes: BTreeMap::new() };
        for (field, Folding { old, new, leaves }) in self.fields {
            let touches = touches(field, &old, &new, &leaves);
            if touches.iter().any(Touch::is_change) {
                change.sizes.insert(field, json::compact_len(&new));
            }
            change.touches.extend(touches);
        }
        change
    }
}

impl Folding {
    fn push(&mut self, patch: &Value, mode: Mode) -> Result<(), TooDeep> {
        match mode {
            Mode::Merge => {
                collect_leaves(patch, &mut Vec::new(), &mut self.leaves);
                self.new = merge::merge(std::mem::take(&mut self.new), patch)?;
            }
            Mode::Replace => {
                self.leaves.insert(Vec::new(), Leaf::Value);
                self.new = patch.clone();
            }
        }
        Ok(())
    }
}

/// A field as the object that merging starts from.
fn object(value: Option<&Value>) -> Value {
    value.filter(|value| value.is_object()).cloned().unwrap_or_else(|| Value::Object(Map::new()))
}

/// The places that patches speak of: every member that is not an object with members of its own.
type Leaves = BTreeMap<Vec<String>, Leaf>;

/// What a patch says at a leaf. An empty object says nothing where an object stands already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Leaf {
    EmptyObject,
    Value,
}

fn collect_leaves(patch: &Value, keys: &mut Vec<String>, leaves: &mut Leaves) {
    let Value::Object(members) = patch else { return };
    for (key, value) in members {
        keys.push(key.clone());
        match value.as_object().map(Map::is_empty) {
            Some(false) => collect_leaves(value, keys, leaves),
            Some(true) => {
                leaves.entry(keys.clone()).or_insert(Leaf::EmptyObject);
            }
            None => {
                leaves.insert(keys.clone(), Leaf::Value);
            }
        }
        keys.pop();
    }
}

fn touches(field: Field, old: &Value, new: &Value, leaves: &Leaves) -> Vec<Touch> {
    let roots: BTreeSet<Vec<String>> =
        leaves.iter().filter_map(|(keys, leaf)| touched_root(old, new, keys, *leaf)).collect();
    let mut touches: Vec<Touch> = Vec::new();
    // The order of key lists puts every path right before those it leads to.
    for keys in roots {
        let path = Path { field, keys };
        if touches.last().is_some_and(|last| last.path.covers(&path)) {
            continue;
        }
        let (before, after) = (path.find(old).cloned(), path.find(new).cloned());
        let existed = existing_parents(old, &path.keys);
        touches.push(Touch { path, before, after, existed });
    }
    touches
}

/// The path that stands for a leaf: the leaf itself, the root of a swap between an object and something else on the
/// way to it, or the empty object that was created because the leaf is removed where nothing was.
fn touched_root(old: &Value, new: &Value, keys: &[String], leaf: Leaf) -> Option<Vec<String>> {
    let is_object = |root, keys: &[String]| lookup(root, keys).map(Value::is_object);
    for end in 1..keys.len() {
        if let (Some(was), Some(is)) = (is_object(old, &keys[..end]), is_object(new, &keys[..end]))
            && was != is
        {
            return Some(keys[..end].to_vec());
        }
    }
    match (is_object(old, keys), is_object(new, keys)) {
        (Some(true), Some(true)) if leaf == Leaf::EmptyObject => None,
        (None, None) => Some(created_shell(old, new, keys).unwrap_or_else(|| keys.to_vec())),
        _ => Some(keys.to_vec()),
    }
}

/// The deepest key on the way to an absent leaf, where it is an empty object that did not exist before.
fn created_shell(old: &Value, new: &Value, leaf: &[String]) -> Option<Vec<String>> {
    let deepest = (1..leaf.len()).rev().find(|end| lookup(new, &leaf[..*end]).is_some())?;
    let keys = &leaf[..deepest];
    let empty = lookup(new, keys)?.as_object()?.is_empty();
    (empty && lookup(old, keys).is_none()).then(|| keys.to_vec())
}

fn existing_parents(old: &Value, keys: &[String]) -> usize {
    (1..keys.len()).take_while(|end| lookup(old, &keys[..*end]).is_some_and(Value::is_object)).count()
}

fn lookup<'v>(root: &'v Value, keys: &[String]) -> Option<&'v Value> {
    keys.iter().try_fold(root, |value, key| value.as_object()?.get(key))
}

fn remove(root: &mut Value, keys: &[String]) {
    let Some((last, parents)) = keys.split_last() else { return };
    let parent = parents.iter().try_fold(root, |value, key| value.as_object_mut()?.get_mut(key));
    if let Some(members) = parent.and_then(Value::as_object_mut) {
        members.remove(last);
    }
}

/// Whether two values, either of which may be absent, agree.
pub(crate) fn agree(a: Option<&Value>, b: Option<&Value>) -> Agreement {
    match (a, b) {
        (Some(a), Some(b)) => agreement(a, b),
        (None, None) => Agreement::Same,
        _ => Agreement::Different,
    }
}

impl Touch {
    /// Whether it will hold something else than it did, beyond the rounding of numbers.
    pub fn is_change(&self) -> bool {
        agree(self.before.as_ref(), self.after.as_ref()) == Agreement::Different
    }

    fn found<'v>(&self, metadata: &'v Metadata) -> Option<&'v Value> {
        self.path.find(metadata.get(&self.path.field)?)
    }

    /// Whether writing it would destroy a value that has meanwhile come to stand on the way to it.
    fn is_barred(&self, now: &Metadata) -> bool {
        let root = now.get(&self.path.field);
        let blocks = |end| root.and_then(|root| lookup(root, &self.path.keys[..end])).is_some_and(|v| !v.is_object());
        self.is_change() && (1..self.path.keys.len()).any(blocks)
    }
}

/// One line of a diff: a path that will hold something else.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit<'c> {
    /// Where.
    pub path: Path,
    /// What stands there; `None` is absent.
    pub before: Option<&'c Value>,
    /// What will stand there; `None` is absent.
    pub after: Option<&'c Value>,
}

/// The request that turns *before* into *after*.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// Merged, or put in place of whole fields.
    pub mode: Mode,
    /// The JSON object to send.
    pub json: Value,
}

impl Change {
    /// How far *before* and *after* agree over all touched paths: anything but `Different` is an unchanged user.
    pub fn agreement(&self) -> Agreement {
        let each = self.touches.iter().map(|touch| agree(touch.before.as_ref(), touch.after.as_ref()));
        each.max().unwrap_or(Agreement::Same)
    }

    /// What will differ, one line each, in order.
    pub fn edits(&self) -> Vec<Edit<'_>> {
        let each = self.touches.iter().flat_map(|touch| {
            differences(touch.before.as_ref(), touch.after.as_ref(), Agreement::Rounded).into_iter().map(|d| Edit {
                path: d.keys.iter().fold(touch.path.clone(), |path, key| path.child(key)),
                before: d.before,
                after: d.after,
            })
        });
        each.collect()
    }

    /// The field that will be larger than Clerk stores, and its size in bytes.
    pub fn too_large(&self) -> Option<(Field, usize)> {
        self.sizes.iter().map(|(field, size)| (*field, *size)).find(|(_, size)| *size > MAX_FIELD_BYTES)
    }

    /// The smallest request that makes the change: a merge patch, or whole fields where a null has to be stored, which
    /// no merge patch can.
    pub fn body(&self) -> Body {
        let edits = self.edits();
        let stores_null = edits.iter().any(|edit| edit.after.is_some_and(holds_null_member));
        let whole = self.touches.iter().all(|touch| touch.path.keys.is_empty());
        let mut json = Value::Object(Map::new());
        if stores_null && whole {
            for touch in self.touches.iter().filter(|touch| touch.is_change()) {
                put(&mut json, &[touch.path.field.name().to_owned()], object(touch.after.as_ref()));
            }
            return Body { mode: Mode::Replace, json };
        }
        for edit in edits {
            let mut keys = vec![edit.path.field.name().to_owned()];
            keys.extend(edit.path.keys);
            put(&mut json, &keys, edit.after.cloned().unwrap_or(Value::Null));
        }
        Body { mode: Mode::Merge, json }
    }

    /// How far what a user holds now agrees with *after* on every touched path.
    pub fn holds_after(&self, now: &Metadata) -> Agreement {
        let each = self.touches.iter().map(|touch| agree(touch.found(now), touch.after.as_ref()));
        each.max().unwrap_or(Agreement::Same)
    }

    /// The touched paths that hold neither what they held when they were compared nor what they will hold, and those
    /// that something other than an object now stands on the way to: a merge would put an object in its place.
    pub fn drifted(&self, now: &Metadata) -> Vec<&Path> {
        let is = |touch: &Touch, value: &Option<Value>| agree(touch.found(now), value.as_ref()) == Agreement::Same;
        let has_moved = |touch: &Touch| !is(touch, &touch.before) && !is(touch, &touch.after);
        let moved = self.touches.iter().filter(|touch| has_moved(touch) || touch.is_barred(now));
        moved.map(|touch| &touch.path).collect()
    }

    /// The touched paths that do not hold *after*, written out.
    pub fn missing(&self, now: &Metadata) -> Vec<String> {
        let misses = |touch: &&Touch| agree(touch.found(now), touch.after.as_ref()) == Agreement::Different;
        self.touches.iter().filter(misses).map(|touch| touch.path.to_string()).collect()
    }

    /// What a field will hold where it holds `before` now.
    pub fn field_after(&self, field: Field, before: &Metadata) -> Value {
        let mut value = object(before.get(&field));
        for touch in self.touches.iter().filter(|touch| touch.path.field == field) {
            match &touch.after {
                Some(after) => put(&mut value, &touch.path.keys, after.clone()),
                None => remove(&mut value, &touch.path.keys),
            }
        }
        value
    }

    /// The metadata fields that are touched.
    pub fn fields(&self) -> BTreeSet<Field> {
        self.touches.iter().map(|touch| touch.path.field).collect()
    }
}

/// A null as a member at any depth, or the value itself; nulls inside arrays are stored as they are.
fn holds_null_member(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(members) => members.values().any(holds_null_member),
        _ => false,
    }
}

impl Change {
    /// The touched paths as JSON text, for the run file; an absent value is a missing key, so that a stored null stays
    /// one.
    pub fn to_text(&self) -> String {
        let stored = self.touches.iter().map(|touch| {
            let mut members = Map::new();
            // A list, because a key may be empty, which no written path can say.
            let keys = std::iter::once(touch.path.field.name()).chain(touch.path.keys.iter().map(String::as_str));
            members.insert("path".to_owned(), keys.collect::<Vec<_>>().into());
            members.insert("existed".to_owned(), touch.existed.into());
            members.extend(touch.before.clone().map(|value| ("before".to_owned(), value)));
            members.extend(touch.after.clone().map(|value| ("after".to_owned(), value)));
            Value::Object(members)
        });
        Value::Array(stored.collect()).to_string()
    }

    /// Reads what [`Self::to_text`] wrote, checked like any input; sizes are not kept.
    pub fn from_text(text: &str) -> Result<Self, JsonError> {
        let refuse = |what: &str| JsonError { line: 1, column: 1, what: what.to_owned() };
        let Value::Array(stored) = json::parse_stored(text)? else {
            return Err(refuse("expected an array of touched paths"));
        };
        let touches = stored.into_iter().map(|touch| {
            let Value::Object(mut members) = touch else {
                return Err(refuse("expected a touched path"));
            };
            let path = members.get("path").and_then(stored_path);
            let existed = members.get("existed").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
            let (Some(path), Some(existed)) = (path, existed) else {
                return Err(refuse("expected a touched path with `path` and `existed`"));
            };
            if existed > path.keys.len().saturating_sub(1) {
                return Err(refuse("more keys existed than lead to the touched path"));
            }
            Ok(Touch { path, existed, before: members.remove("before"), after: members.remove("after") })
        });
        Ok(Self { touches: touches.collect::<Result<_, _>>()?, sizes: BTreeMap::new() })
    }
}

/// Reads a path from its list of keys, the field first.
fn stored_path(list: &Value) -> Option<Path> {
    let mut keys = list.as_array()?.iter().map(Value::as_str);
    let field = Field::from_name(keys.next()??)?;
    Some(Path { field, keys: keys.map(|key| key.map(str::to_owned)).collect::<Option<_>>()? })
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
