//! What templates can use: a few filters and tests, and nothing that reads, loops, loads or makes something large.

use std::sync::LazyLock;

use minijinja::value::{Rest, Value as Engine, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, filters, tests};
use serde_json::{Number, Value};

use super::MAX_VALUE_BYTES;
use super::expression::{FUEL, made_number};
use super::value::{Made, from_engine, is_nothing, nothing, number_of, to_engine};
use crate::json;

/// The filters that are offered.
pub(super) const FILTERS: &[&str] = &[
    "int",
    "number",
    "bool",
    "json",
    "string",
    "default",
    "d",
    "upper",
    "lower",
    "title",
    "capitalize",
    "trim",
    "replace",
    "split",
    "join",
    "length",
    "count",
    "first",
    "last",
    "reverse",
    "list",
    "sort",
    "unique",
    "min",
    "max",
    "abs",
    "round",
];

/// The tests that are offered.
pub(super) const TESTS: &[&str] = &[
    "none",
    "defined",
    "undefined",
    "string",
    "number",
    "integer",
    "float",
    "boolean",
    "mapping",
    "sequence",
    "true",
    "false",
    "odd",
    "even",
    "divisibleby",
    "startingwith",
    "endingwith",
    "in",
    "eq",
    "ne",
    "equalto",
];

/// A name that no template can spell: whether the expression puts values in order.
pub(super) const ORDERS: &str = " orders";

/// The longest text that a filter takes: a record is no longer, and no result may be.
const MAX_ARGUMENT_BYTES: usize = 1024 * 1024;

/// The same for all templates.
pub(super) static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(16);
    add_conversions(&mut environment);
    add_text_filters(&mut environment);
    add_list_filters(&mut environment);
    add_tests(&mut environment);
    environment
});

fn add_conversions(environment: &mut Environment<'static>) {
    add(environment, "int", Engine::from_function(int));
    add(environment, "number", Engine::from_function(number));
    add(environment, "bool", Engine::from_function(boolean));
    add(environment, "json", Engine::from_function(parsed));
    add(environment, "string", Engine::from_function(string));
    add(environment, "abs", Engine::from_function(filters::abs));
    add(environment, "round", Engine::from_function(filters::round));
    // These two are asked about nulls, so they are not kept from them.
    environment.add_filter("default", default);
    environment.add_filter("d", default);
}

fn add_text_filters(environment: &mut Environment<'static>) {
    add(environment, "upper", Engine::from_function(filters::upper));
    add(environment, "lower", Engine::from_function(filters::lower));
    add(environment, "title", Engine::from_function(filters::title));
    add(environment, "capitalize", Engine::from_function(filters::capitalize));
    add(environment, "trim", Engine::from_function(filters::trim));
    add(environment, "replace", Engine::from_function(replace));
    add(environment, "split", Engine::from_function(filters::split));
    add(environment, "join", Engine::from_function(join));
}

fn add_list_filters(environment: &mut Environment<'static>) {
    add(environment, "length", Engine::from_function(filters::length));
    add(environment, "count", Engine::from_function(filters::length));
    add(environment, "first", Engine::from_function(filters::first));
    add(environment, "last", Engine::from_function(filters::last));
    add(environment, "reverse", Engine::from_function(filters::reverse));
    add(environment, "list", Engine::from_function(filters::list));
    add(environment, "sort", Engine::from_function(filters::sort));
    add(environment, "unique", Engine::from_function(filters::unique));
    add(environment, "min", Engine::from_function(filters::min));
    add(environment, "max", Engine::from_function(filters::max));
}

fn add_tests(environment: &mut Environment<'static>) {
    environment.add_test("none", |value: &Engine| is_nothing(value));
    environment.add_test("defined", tests::is_defined);
    environment.add_test("undefined", tests::is_undefined);
    environment.add_test("string", tests::is_string);
    environment.add_test("number", |value: &Engine| number_of(value).is_some());
    environment.add_test("integer", tests::is_integer);
    environment.add_test("float", tests::is_float);
    environment.add_test("boolean", tests::is_boolean);
    environment.add_test("mapping", tests::is_mapping);
    environment.add_test("sequence", tests::is_sequence);
    environment.add_test("true", tests::is_true);
    environment.add_test("false", tests::is_false);
    environment.add_test("odd", tests::is_odd);
    environment.add_test("even", tests::is_even);
    environment.add_test("divisibleby", tests::is_divisibleby);
    environment.add_test("startingwith", tests::is_startingwith);
    environment.add_test("endingwith", tests::is_endingwith);
    environment.add_test("in", tests::is_in);
    environment.add_test("eq", tests::is_eq);
    environment.add_test("equalto", tests::is_eq);
    environment.add_test("ne", tests::is_ne);
}

/// Adds a filter that is kept from nulls, which it gives back as they are, and from huge texts and lists.
fn add(environment: &mut Environment<'static>, name: &'static str, filter: Engine) {
    environment.add_filter(name, move |state: &mut State<'_, '_>, arguments: Rest<ValueOrKwargs>| {
        let arguments: Vec<Engine> = arguments.0.into_iter().map(ValueOrKwargs::into_value).collect();
        if arguments.first().is_some_and(is_nothing) {
            return Ok(nothing());
        }
        if arguments.iter().any(|value| !value.is_kwargs() && is_large(value)) {
            return Err(refuse(format!("`{name}` is given more than {MAX_ARGUMENT_BYTES} bytes or items")));
        }
        filter.call(state, &arguments)
    });
}

fn is_large(value: &Engine) -> bool {
    match value.as_str() {
        Some(text) => text.len() > MAX_ARGUMENT_BYTES,
        None => value.len().is_some_and(|len| len > MAX_ARGUMENT_BYTES),
    }
}

fn refuse(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, what.into())
}

fn orders(state: &State<'_, '_>) -> bool {
    state.lookup(ORDERS).is_some_and(|orders| orders.is_true())
}

/// `int`: a whole number, however long. Text must be one, and a number must have no fraction.
fn int(state: &State<'_, '_>, value: &Engine) -> Result<Engine, Error> {
    let text = match (value.as_str(), number_of(value)) {
        (Some(text), _) => text.to_owned(),
        (None, Some(number)) => {
            whole(&number).ok_or_else(|| refuse(format!("`{number}` has a fraction; use `| round | int`")))?
        }
        (None, None) => return Err(refuse(format!("`int` takes a text or a number, not a {}", value.kind()))),
    };
    let digits = text.strip_prefix('-').unwrap_or(&text);
    let plain = digits == "0" || (!digits.is_empty() && !digits.starts_with('0'));
    if !plain || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(refuse(format!("`{text}` is no whole number")));
    }
    let number = text.parse::<Number>().map_err(|_| refuse(format!("`{text}` is no whole number")))?;
    Ok(made_number(&number, orders(state)))
}

/// A number without its fraction, where that is zero.
fn whole(number: &Number) -> Option<String> {
    let text = number.as_str();
    if text.contains(['e', 'E']) {
        let float: f64 = text.parse().ok()?;
        return (float.fract() == 0.0 && float.abs() < 1e15).then(|| format!("{float:.0}"));
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = if whole == "-0" { "0" } else { whole };
    fraction.bytes().all(|digit| digit == b'0').then(|| whole.to_owned())
}

/// `number`: a JSON number, with every digit it is written with.
fn number(state: &State<'_, '_>, value: &Engine) -> Result<Engine, Error> {
    let Some(text) = value.as_str() else {
        let known = number_of(value).is_some();
        return if known {
            Ok(value.clone())
        } else {
            Err(refuse(format!("`number` takes a text or a number, not a {}", value.kind())))
        };
    };
    match json::parse(text) {
        Ok(Value::Number(number)) if text.trim() == text => Ok(made_number(&number, orders(state))),
        _ => Err(refuse(format!("`{text}` is no number"))),
    }
}

/// `bool`: true or false, in any case.
fn boolean(value: &Engine) -> Result<Engine, Error> {
    match value.as_str() {
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(Engine::from(true)),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(Engine::from(false)),
        Some(text) => Err(refuse(format!("`{text}` is neither true nor false"))),
        None if value.kind() == ValueKind::Bool => Ok(value.clone()),
        None => Err(refuse(format!("`bool` takes a text, not a {}", value.kind()))),
    }
}

/// `json`: the JSON value that a text holds.
fn parsed(state: &State<'_, '_>, value: &Engine) -> Result<Engine, Error> {
    let text = value.as_str().ok_or_else(|| refuse(format!("`json` takes a text, not a {}", value.kind())))?;
    let value = json::parse(text).map_err(|error| refuse(format!("the text is no JSON: {error}")))?;
    Ok(to_engine(&value, orders(state)))
}

/// `string`: a text as it is, and the compact JSON of everything else.
fn string(value: &Engine) -> Result<Engine, Error> {
    match from_engine(value).map_err(refuse)? {
        Made::Leave => Ok(nothing()),
        Made::Delete => Err(refuse("`delete` cannot be part of a text")),
        Made::Value(Value::String(text)) => Ok(Engine::from(text)),
        Made::Value(value) => Ok(Engine::from(value.to_string())),
    }
}

/// `default`: the other value where there is none, be it null or missing; with `true`, where it is empty or zero, too.
fn default(value: &Engine, other: Engine, falsy: Option<bool>) -> Engine {
    let absent = value.is_undefined() || is_nothing(value);
    if absent || (falsy == Some(true) && !value.is_true()) { other } else { value.clone() }
}

fn replace(text: &str, from: &str, to: &str) -> Result<String, Error> {
    if from.is_empty() {
        return Err(refuse("`replace` needs a text to look for"));
    }
    let found = text.matches(from).count();
    if text.len() + found * to.len() > MAX_ARGUMENT_BYTES {
        return Err(refuse(format!("`replace` makes a text longer than {MAX_ARGUMENT_BYTES} bytes")));
    }
    Ok(text.replace(from, to))
}

fn join(items: &Engine, separator: Option<&str>) -> Result<Engine, Error> {
    let mut joined = String::new();
    for (at, item) in items.try_iter()?.enumerate() {
        let item = string(&item)?;
        let Some(text) = item.as_str() else { return Ok(nothing()) };
        if at > 0 {
            joined.push_str(separator.unwrap_or_default());
        }
        joined.push_str(text);
        if joined.len() > MAX_VALUE_BYTES {
            return Err(refuse(format!("`join` makes a text longer than {MAX_VALUE_BYTES} bytes")));
        }
    }
    Ok(Engine::from(joined))
}
