//! JSON as this tool reads it: strictly, exactly, and to a bounded depth.
//!
//! Numbers keep the text they were written with, an object with the same key twice is refused (which of the two would
//! win is anybody's guess), and nesting beyond [`MAX_DEPTH`] is an error, so that nothing which walks a value can
//! exhaust the stack.

use std::fmt;
use std::io;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
pub use serde_json::{Map, Number, Value};

/// How many arrays and objects may stand inside one another, the outermost counted as one.
pub const MAX_DEPTH: usize = 128;

/// What `serde_json` calls the one key of the map that a number is handed over as.
const NUMBER_TOKEN: &str = "$serde_json::private::Number";

/// Why a text is not JSON that this tool accepts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} (column {column})")]
pub struct JsonError {
    /// The line within the text, counted from 1.
    pub line: usize,
    /// The column within that line, in bytes, counted from 1.
    pub column: usize,
    /// What is wrong, as a lower-case fragment.
    pub what: String,
}

impl JsonError {
    /// A word for machines: `duplicate_key`, `too_deep` or `invalid_json`.
    pub fn code(&self) -> &'static str {
        match self.what.as_str() {
            what if what.starts_with("the key `") => "duplicate_key",
            what if what.starts_with("nested deeper than ") => "too_deep",
            _ => "invalid_json",
        }
    }
}

/// Reads one JSON value; anything but white space behind it is an error.
pub fn parse(text: &str) -> Result<Value, JsonError> {
    parse_within(text, MAX_DEPTH)
}

/// Reads back a value that this tool wrote down inside a few levels of its own.
pub fn parse_stored(text: &str) -> Result<Value, JsonError> {
    parse_within(text, MAX_DEPTH + 8)
}

fn parse_within(text: &str, left: usize) -> Result<Value, JsonError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.disable_recursion_limit();
    let strict = Strict { text, left };
    let value = strict.deserialize(&mut reader).map_err(|e| position(&e))?;
    reader.end().map_err(|e| position(&e))?;
    Ok(value)
}

/// The size of a value as compact UTF-8 JSON, in bytes: what Clerk's limit of 8192 is measured on.
pub fn compact_len(value: &Value) -> usize {
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, value).expect("writing a value to a counter cannot fail");
    counter.0
}

/// Whether a value nests no deeper than [`MAX_DEPTH`], found without recursing deeper than that.
pub fn is_shallow(value: &Value) -> bool {
    fn within(value: &Value, left: usize) -> bool {
        match value {
            Value::Array(items) => left > 0 && items.iter().all(|item| within(item, left - 1)),
            Value::Object(members) => left > 0 && members.values().all(|item| within(item, left - 1)),
            _ => true,
        }
    }
    within(value, MAX_DEPTH)
}

fn position(error: &serde_json::Error) -> JsonError {
    let text = error.to_string();
    // A key that is quoted in the message may hold ` at line ` itself.
    let place = format!(" at line {} column {}", error.line(), error.column());
    let what = text.strip_suffix(&place).unwrap_or(&text).to_owned();
    JsonError { line: error.line().max(1), column: error.column().max(1), what }
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Builds a [`Value`] and refuses what `serde_json`'s own reader would let pass.
#[derive(Clone, Copy)]
struct Strict<'t> {
    text: &'t str,
    /// How many more levels may be opened.
    left: usize,
}

impl Strict<'_> {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(Self { left, ..self }),
            None => Err(E::custom(format!("nested deeper than {MAX_DEPTH} levels"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key_seed(KeySeed(self.text))? {
            let key = match key {
                Key::Number => return number(&members.next_value::<String>()?),
                Key::Text(key) => key,
            };
            let value = members.next_value_seed(self.deeper()?)?;
            if object.contains_key(&key) {
                return Err(de::Error::custom(format!("the key `{key}` stands twice in one object")));
            }
            object.insert(key, value);
        }
        if object.is_empty() {
            self.deeper::<A::Error>()?;
        }
        Ok(Value::Object(object))
    }
}

fn number<E: de::Error>(text: &str) -> Result<Value, E> {
    text.parse::<Number>().map(Value::Number).map_err(E::custom)
}

enum Key {
    Number,
    Text(String),
}

/// Tells `serde_json`'s own number token from a key of the text that merely looks like it.
///
/// The token is a constant of `serde_json`, so it never lies inside the text that is being read, where every key that is
/// borrowed does; a key written with escapes is not borrowed at all.
struct KeySeed<'t>(&'t str);

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key, E> {
        let inside = self.0.as_bytes().as_ptr_range().contains(&key.as_ptr());
        if key == NUMBER_TOKEN && !inside { Ok(Key::Number) } else { Ok(Key::Text(key.to_owned())) }
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        Ok(Key::Text(key.to_owned()))
    }
}

#[cfg(test)]
pub(crate) mod arbitrary;

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text).expect_err("must be refused").to_string()
    }

    #[test]
    fn numbers_keep_their_text() {
        for text in ["1.0", "123456789012345678901234567890", "-0.10", "12345678901234567890", "0.1e-7"] {
            assert_eq!(parse(text).expect("is a number").to_string(), text);
        }
    }

    #[test]
    fn a_key_that_looks_like_the_number_token_stays_a_key() {
        let text = r#"{"$serde_json::private::Number":"12"}"#;
        assert_eq!(parse(text).expect("is an object").to_string(), text);
        let escaped = r#"{"\u0024serde_json::private::Number":"12"}"#;
        assert_eq!(parse(escaped).expect("is an object").to_string(), text);
    }

    #[test]
    fn duplicate_keys_are_refused_at_any_depth() {
        assert!(refused(r#"{"a":{"b":1,"b":2}}"#).starts_with("the key `b` stands twice in one object"));
    }

    #[test]
    fn an_error_has_one_word_whatever_the_keys_are_called() {
        let code = |text: &str| parse(text).expect_err("must be refused").code();
        assert_eq!(code(r#"{"a at line 1":1,"a at line 1":2}"#), "duplicate_key");
        assert_eq!(refused(r#"{"a at line 1":1,"a at line 1":2}"#).matches("stands twice").count(), 1);
        assert_eq!(code(&"[".repeat(200)), "too_deep");
        assert_eq!(code(r#"{"the key `":"#), "invalid_json");
    }

    #[test]
    fn depth_is_bounded_and_the_bound_is_exact() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(parse(&nested(MAX_DEPTH)).is_ok());
        assert!(refused(&nested(MAX_DEPTH + 1)).starts_with("nested deeper than 128 levels"));
        assert!(refused(&"[".repeat(1_000_000)).starts_with("nested deeper than 128 levels"));
        let objects = |n: usize| format!("{}{}{}", r#"{"a":"#.repeat(n - 1), "{}", "}".repeat(n - 1));
        assert!(parse(&objects(MAX_DEPTH)).is_ok());
        assert!(parse(&objects(MAX_DEPTH + 1)).is_err());
    }

    #[test]
    fn trailing_text_lone_surrogates_and_bare_words_are_refused() {
        for text in ["{} {}", r#""\ud800""#, "nope", "", "01", "\"\n\""] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn size_is_that_of_compact_json() {
        let value = parse(r#"{ "a" : [ 1 , "ä" ] }"#).expect("is JSON");
        assert_eq!(compact_len(&value), r#"{"a":[1,"ä"]}"#.len());
    }
}
