//! Values on their way from a record through an expression into a patch: JSON, the template engine's, and back.
//!
//! Nothing goes through serde, which would round numbers and betray `serde_json`'s private map. A number that the engine
//! cannot hold exactly travels as an opaque [`Exact`]; a null as [`Nothing`], which unlike the engine's own `none` cannot
//! be glued into a text unseen.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{DynObject, Object, ObjectRepr, Value as Engine, ValueKind};
use minijinja::{Error, ErrorKind};
use serde_json::{Map, Number, Value};

use super::MAX_VALUE_BYTES;
use crate::json::MAX_DEPTH;
use crate::number::same_decimal;

/// Stands in a text for a null that was glued into it. No text of a record that holds it gets into an expression.
const NOTHING_MARK: char = '\u{fdd1}';
/// Stands in a text for `delete`, likewise.
const DELETE_MARK: char = '\u{fdd2}';

/// What a part of the patch comes to for one record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Made {
    /// The key is not in the patch.
    Leave,
    /// The key is removed.
    Delete,
    /// The key gets this value; a null member of an object in it removes that member.
    Value(Value),
}

/// A value of a record as it is, with nulls left alone.
pub(super) fn from_record(value: &Value) -> Made {
    match value {
        Value::Null => Made::Leave,
        Value::Object(members) => {
            let kept: Map<String, Value> = members
                .iter()
                .filter_map(|(key, member)| match from_record(member) {
                    Made::Value(value) => Some((key.clone(), value)),
                    Made::Leave | Made::Delete => None,
                })
                .collect();
            if kept.is_empty() && !members.is_empty() { Made::Leave } else { Made::Value(Value::Object(kept)) }
        }
        other => Made::Value(other.clone()),
    }
}

/// The `delete` of templates.
#[derive(Debug)]
pub(super) struct Delete;

impl Object for Delete {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{DELETE_MARK}")
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        other.downcast_ref::<Self>().map(|_| Ordering::Equal)
    }
}

/// A null of the record; whatever is below it is null, too.
#[derive(Debug)]
pub(super) struct Nothing;

impl Object for Nothing {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, _key: &Engine) -> Option<Engine> {
        Some(nothing())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        false
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NOTHING_MARK}")
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        other.downcast_ref::<Self>().map(|_| Ordering::Equal)
    }
}

/// A number that the engine cannot hold exactly. It can be passed on, printed and asked whether it equals another.
#[derive(Debug)]
struct Exact(Number);

impl Object for Exact {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = &other.downcast_ref::<Self>()?.0;
        Some(if same_decimal(&self.0, other) { Ordering::Equal } else { self.0.as_str().cmp(other.as_str()) })
    }
}

pub(super) fn nothing() -> Engine {
    Engine::from_object(Nothing)
}

/// Whether a value is a null, the record's or the engine's own.
pub(super) fn is_nothing(value: &Engine) -> bool {
    value.is_none() || value.downcast_object_ref::<Nothing>().is_some()
}

/// The exact number that a value of the engine stands for.
pub(super) fn number_of(value: &Engine) -> Option<Number> {
    if let Some(exact) = value.downcast_object_ref::<Exact>() {
        return Some(exact.0.clone());
    }
    if value.kind() != ValueKind::Number {
        return None;
    }
    if value.is_integer() {
        let wide = i128::try_from(value.clone()).map(|n| n.to_string());
        let text = wide.or_else(|_| u128::try_from(value.clone()).map(|n| n.to_string()));
        return text.ok()?.parse().ok();
    }
    f64::try_from(value.clone()).ok().and_then(Number::from_f64)
}

/// Gives JSON to the engine. Where an expression orders values, a number that the engine could only compare after
/// rounding is refused instead.
pub(super) fn to_engine(value: &Value, orders: bool) -> Engine {
    match value {
        Value::Null => nothing(),
        Value::Bool(flag) => Engine::from(*flag),
        Value::Number(number) => number_to_engine(number, orders),
        Value::String(text) => text_to_engine(text),
        Value::Array(items) => items.iter().map(|item| to_engine(item, orders)).collect::<Vec<_>>().into(),
        Value::Object(members) => {
            Engine::from_pairs(members.iter().map(|(key, member)| (key.clone(), to_engine(member, orders))))
        }
    }
}

pub(super) fn text_to_engine(text: &str) -> Engine {
    if text.contains([NOTHING_MARK, DELETE_MARK]) {
        return invalid("a text holds U+FDD1 or U+FDD2, which are no characters");
    }
    Engine::from(text)
}

pub(super) fn number_to_engine(number: &Number, orders: bool) -> Engine {
    let text = number.as_str();
    if let Ok(integer) = text.parse::<i128>() {
        return i64::try_from(integer).map_or_else(|_| Engine::from(integer), Engine::from);
    }
    let float = text.parse::<f64>().ok().filter(|float| float.is_finite());
    match float.filter(|&float| Number::from_f64(float).is_some_and(|rounded| same_decimal(&rounded, number))) {
        Some(float) => Engine::from(float),
        None if orders => invalid("a number has more digits than can be put in order; leave out the comparison"),
        None => Engine::from_object(Exact(number.clone())),
    }
}

/// A value that fails the expression as soon as it is used.
fn invalid(what: &'static str) -> Engine {
    Engine::from(Error::new(ErrorKind::InvalidOperation, what))
}

/// Takes what an expression came to.
pub(super) fn from_engine(value: &Engine) -> Result<Made, String> {
    Taker { left: MAX_VALUE_BYTES }.take(value, 0)
}

/// Turns values of the engine into JSON within a budget of bytes.
struct Taker {
    left: usize,
}

impl Taker {
    fn take(&mut self, value: &Engine, depth: usize) -> Result<Made, String> {
        if is_nothing(value) {
            return Ok(Made::Leave);
        }
        if value.downcast_object_ref::<Delete>().is_some() {
            return Ok(Made::Delete);
        }
        match value.kind() {
            ValueKind::Map => self.object(value, depth),
            // A huge text is refused by its length, before anybody looks through it.
            ValueKind::String if value.as_str().is_some_and(|text| text.len() > self.left) => {
                self.spend(usize::MAX).map(|()| Made::Leave)
            }
            ValueKind::String if value.as_str().is_some_and(|text| text.contains(NOTHING_MARK)) => Ok(Made::Leave),
            _ => self.scalar_or_array(value, depth).map(Made::Value),
        }
    }

    fn scalar_or_array(&mut self, value: &Engine, depth: usize) -> Result<Value, String> {
        if let Some(number) = number_of(value) {
            self.spend(number.as_str().len())?;
            return Ok(Value::Number(number));
        }
        match value.kind() {
            ValueKind::Bool => Ok(Value::Bool(value.is_true())),
            ValueKind::String => self.text(value.as_str().unwrap_or_default()).map(Value::String),
            ValueKind::Seq | ValueKind::Iterable => self.array(value, depth),
            ValueKind::Number => Err("the result is no finite number".to_owned()),
            ValueKind::Undefined => Err("the result is undefined".to_owned()),
            kind => Err(format!("the result is no JSON value (a {kind})")),
        }
    }

    fn text(&mut self, text: &str) -> Result<String, String> {
        if text.contains(DELETE_MARK) {
            return Err("`delete` cannot be part of a text".to_owned());
        }
        self.spend(text.len())?;
        Ok(text.to_owned())
    }

    /// Members that are nulls are left alone; those that are `delete` become the null that deletes.
    fn object(&mut self, value: &Engine, depth: usize) -> Result<Made, String> {
        let members = self.members(value, depth)?;
        let empty = members.is_empty();
        let mut object = Map::new();
        for (key, member) in members {
            match self.take(&member, depth + 1)? {
                Made::Leave => continue,
                Made::Delete => object.insert(key, Value::Null),
                Made::Value(value) => object.insert(key, value),
            };
        }
        Ok(if object.is_empty() && !empty { Made::Leave } else { Made::Value(Value::Object(object)) })
    }

    fn array(&mut self, value: &Engine, depth: usize) -> Result<Value, String> {
        deeper(depth)?;
        let items = value.try_iter().map_err(|error| error.to_string())?;
        let mut array = Vec::new();
        for item in items {
            self.spend(1)?;
            array.push(self.item(&item, depth + 1)?);
        }
        Ok(Value::Array(array))
    }

    /// Inside an array everything stands as it is: an array is replaced as a whole.
    fn item(&mut self, value: &Engine, depth: usize) -> Result<Value, String> {
        if is_nothing(value) {
            return Ok(Value::Null);
        }
        if value.downcast_object_ref::<Delete>().is_some() {
            return Err("an array is replaced as a whole; nothing in it can be deleted".to_owned());
        }
        if value.kind() != ValueKind::Map {
            return self.scalar_or_array(value, depth);
        }
        let members = self.members(value, depth)?.into_iter();
        members
            .map(|(key, member)| Ok((key, self.item(&member, depth + 1)?)))
            .collect::<Result<_, String>>()
            .map(Value::Object)
    }

    fn members(&mut self, value: &Engine, depth: usize) -> Result<Vec<(String, Engine)>, String> {
        deeper(depth)?;
        let mut members = Vec::new();
        for key in value.try_iter().map_err(|error| error.to_string())? {
            let name =
                key.as_str().ok_or_else(|| format!("a key of an object must be a text, not a {}", key.kind()))?;
            let name = self.text(name)?;
            let member = value.get_item(&key).map_err(|error| error.to_string())?;
            members.push((name, member));
        }
        Ok(members)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), String> {
        self.left = self
            .left
            .checked_sub(bytes)
            .ok_or_else(|| format!("the result is larger than {MAX_VALUE_BYTES} bytes; a metadata field holds 8192"))?;
        Ok(())
    }
}

fn deeper(depth: usize) -> Result<(), String> {
    if depth < MAX_DEPTH { Ok(()) } else { Err("the result nests deeper than 128 levels".to_owned()) }
}
