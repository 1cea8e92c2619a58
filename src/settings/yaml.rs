//! YAML as `jobs.yaml` uses it: strict, bounded, and with a place for everything.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{
    DefaultMessageFormatter, DuplicateKeyPolicy, Error, Location, MessageFormatter, Options, Spanned, budget, options,
};

use crate::json;
use crate::nearest::nearest;

/// Where something is wrong, and what.
pub(super) type Problem = (Location, String);

/// Reads a document. Keys that stand twice, `yes` for true, and files that would grow when read are refused.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    serde_saphyr::from_str_with_options(text, settings(DuplicateKeyPolicy::Error))
        .map_err(|error| explain(error.without_snippet(), text))
}

fn settings(duplicate_keys: DuplicateKeyPolicy) -> Options {
    // The depth is far from what would exhaust a thread's stack where nothing is optimised.
    let mut options = options! {
        budget: budget! { max_depth: 24, max_nodes: 50_000, max_aliases: 100, max_documents: 1 },
        duplicate_keys: duplicate_keys,
        strict_booleans: true,
        with_snippet: false,
    };
    options.alias_limits.max_total_replayed_events = 50_000;
    options
}

/// A piece of a document, of any shape.
#[derive(Debug)]
pub(super) struct Node(Spanned<Kind>);

#[derive(Debug)]
enum Kind {
    Null,
    Bool(bool),
    /// The number itself is in the text of the document.
    Number,
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Spanned<String>, Node)>),
}

impl Node {
    /// Where it begins.
    pub(super) const fn at(&self) -> Location {
        self.0.referenced
    }

    /// The piece that keys lead to, or the last one on the way.
    pub(super) fn find(&self, keys: &[String]) -> &Self {
        let Some((key, rest)) = keys.split_first() else { return self };
        let next = match &self.0.value {
            Kind::Map(members) => members.iter().find(|(name, _)| name.value == *key).map(|(_, node)| node),
            Kind::List(items) => key.parse().ok().and_then(|index: usize| items.get(index)),
            _ => None,
        };
        next.map_or(self, |next| next.find(rest))
    }

    /// The JSON value it stands for; `text` is the document.
    pub(super) fn to_json(&self, text: &str) -> Result<Value, Problem> {
        Ok(match &self.0.value {
            Kind::Null => Value::Null,
            Kind::Bool(flag) => Value::Bool(*flag),
            Kind::Number => Value::Number(self.number(text)?),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => items.iter().map(|item| item.to_json(text)).collect::<Result<_, _>>()?,
            Kind::Map(members) => {
                let mut object = Map::new();
                for (key, node) in members {
                    object.insert(key.value.clone(), node.to_json(text)?);
                }
                Value::Object(object)
            }
        })
    }

    /// A number with every digit it is written with. YAML's other ways to write one would be rounded or misread.
    fn number(&self, text: &str) -> Result<Number, Problem> {
        let span = self.0.defined.span();
        let range = span.byte_offset().zip(span.byte_len()).and_then(|(start, len)| {
            let start = usize::try_from(start).ok()?;
            Some(start..start.checked_add(usize::try_from(len).ok()?)?)
        });
        let written = range.and_then(|range| text.get(range)).unwrap_or_default().trim();
        match json::parse(written) {
            Ok(Value::Number(number)) => Ok(number),
            _ => Err((
                self.at(),
                format!("write the number `{written}` as JSON does, such as `10` or `0.5`, or in quotes as a text"),
            )),
        }
    }

    /// The keys that lead to a place. One that stands at the place itself does not.
    fn keys_to(&self, place: Location, keys: &mut Vec<String>) {
        let from = |at: Location| (at.line(), at.column());
        match &self.0.value {
            Kind::Map(members) => {
                let around = members.iter().rev().find(|(key, _)| from(key.referenced) <= from(place));
                let Some((key, node)) = around.filter(|(key, _)| from(key.referenced) < from(place)) else { return };
                keys.push(key.value.clone());
                node.keys_to(place, keys);
            }
            Kind::List(items) => {
                let around = items.iter().enumerate().rev().find(|(_, item)| from(item.at()) <= from(place));
                let Some((index, item)) = around else { return };
                keys.push(index.to_string());
                item.keys_to(place, keys);
            }
            _ => {}
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(flag))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Kind, E> {
        Ok(Kind::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Kind, E> {
        Ok(Kind::Number)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Kind, E> {
        Ok(Kind::Number)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Kind, E> {
        Ok(Kind::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Kind, E> {
        Ok(Kind::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Kind, E> {
        Ok(Kind::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Kind::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Kind, A::Error> {
        let mut map = Vec::new();
        while let Some(member) = members.next_entry()? {
            map.push(member);
        }
        Ok(Kind::Map(map))
    }
}

/// Says what is wrong in the words of `jobs.yaml`.
fn explain(error: &Error, text: &str) -> Problem {
    let at = error.location().unwrap_or(Location::UNKNOWN);
    let context = Context::of(at, text);
    let what = match error {
        Error::AliasError { error, .. } => return explain(error.without_snippet(), text),
        Error::SerdeUnknownField { field, expected, .. } => {
            format!("unknown key `{field}`{}{}", context.within(), offer(field, expected))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            format!("unknown word `{variant}`{}{}", context.within(), offer(variant, expected))
        }
        Error::SerdeMissingField { field, .. } => format!("the key `{field}` is missing{}", context.within()),
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            format!("expected {}, found {}{}", plain(expected), kind_of(unexpected), context.within())
        }
        Error::ExpectedMappingEndAfterEnumVariantValue { .. } => {
            format!("expected exactly one key{}", context.within())
        }
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key `{key}` stands twice"),
        Error::InvalidScalar { ty, .. } => format!("expected {}{}", plain(ty), context.within()),
        Error::InvalidBooleanStrict { .. } => format!("expected `true` or `false`{}", context.within()),
        Error::Unexpected { expected: "string scalar", .. } => format!(
            "expected a text as key{}; a template stands in quotes, as in `\"{{{{ role }}}}\"`",
            context.within()
        ),
        Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. } => format!("expected a word{}", context.within()),
        Error::Unexpected { expected, .. } => format!("expected {}{}", plain(expected), context.within()),
        Error::Eof { .. } => "the file ends too early; expected `version: 1`, `instances` and `jobs`".to_owned(),
        Error::NonFiniteFloat { .. } => "expected a finite number".to_owned(),
        Error::MultipleDocuments { .. } => "expected one document; `---` begins another".to_owned(),
        Error::Budget { breach, .. } => too_much(breach),
        Error::Message { msg, .. } => format!("{msg}{}", context.within()),
        other => DefaultMessageFormatter.format_message(other).into_owned(),
    };
    (at, what)
}

fn too_much(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Documents { .. } => "expected one document; `---` begins another".to_owned(),
        BudgetBreach::Depth { .. } => "nested too deep for a configuration".to_owned(),
        _ => "too many pieces or aliases for a configuration".to_owned(),
    }
}

fn offer(name: &str, expected: &[&'static str]) -> String {
    match nearest(name, expected.iter().copied()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => format!("; expected one of `{}`", expected.join("`, `")),
    }
}

/// What was found, without the value itself: it may be a secret in the wrong place.
fn kind_of(unexpected: &str) -> &str {
    let kind = unexpected.split(['`', '"', '\'']).next().unwrap_or_default().trim();
    match kind {
        "string" => "a text",
        "integer" | "floating point" => "a number",
        "boolean" => "true or false",
        "map" => "keys and values",
        "sequence" => "a list",
        "unit value" | "null" | "Option value" => "nothing",
        other => other,
    }
}

/// What was expected, in words for people who do not know the types.
fn plain(expected: &str) -> &str {
    match expected {
        "a string" | "string" => "a text",
        "a boolean" | "bool" => "`true` or `false`",
        "u64" | "integer" => "a whole number",
        "a sequence" | "sequence start" => "a list",
        _ if expected.starts_with("struct ") || matches!(expected, "a map" | "mapping start") => "keys and values",
        other => other,
    }
}

/// The keys around a place.
struct Context(Vec<String>);

impl Context {
    fn of(at: Location, text: &str) -> Self {
        let mut keys = Vec::new();
        // A key that stands twice must not keep the others from being found.
        if let Ok(root) = serde_saphyr::from_str_with_options::<Node>(text, settings(DuplicateKeyPolicy::FirstWins)) {
            root.keys_to(at, &mut keys);
        }
        Self(keys)
    }

    fn within(&self) -> String {
        let keys: Vec<&str> = self.0.iter().map(String::as_str).collect();
        match keys.as_slice() {
            [] => String::new(),
            ["jobs", job] => format!(" in job `{job}`"),
            ["jobs", job, inner @ ..] => format!(" in `{}` of job `{job}`", inner.join(".")),
            ["instances", name] => format!(" in instance `{name}`"),
            ["instances", name, inner @ ..] => format!(" in `{}` of instance `{name}`", inner.join(".")),
            keys => format!(" in `{}`", keys.join(".")),
        }
    }
}
