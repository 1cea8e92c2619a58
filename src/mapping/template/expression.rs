//! One `{{ expression }}`: compiled once, evaluated for each record.

use minijinja::value::Value as Engine;
use serde_json::{Number, Value};

use super::environment::{ENVIRONMENT, ORDERS};
use super::fields::Input;
use super::tokens::{self, Piece, Token};
use super::value::{Delete, Made, from_engine};
use super::{MAX_VALUE_BYTES, did_you_mean};
use crate::row::Rejection;

/// The names that are not columns: a column of such a name is `row["delete"]`.
const RESERVED: [&str; 2] = ["delete", "row"];

/// Names that the template language keeps for itself.
const KEYWORDS: [&str; 15] =
    ["true", "True", "false", "False", "none", "None", "and", "or", "not", "in", "is", "if", "else", "self", "loop"];

/// How many instructions one expression may run. Nothing can loop, so no template that may be written needs more.
pub(super) const FUEL: u64 = 20_000;

/// The longest message about a record, in characters: it may quote the record.
const MAX_MESSAGE: usize = 300;

/// A part of a template.
#[derive(Debug)]
pub(super) enum Part {
    Text(String),
    Expression(Expression),
}

/// Compiles the text of a template.
pub(super) fn compile(text: &str) -> Result<Vec<Part>, String> {
    let pieces = tokens::pieces(text)?.into_iter();
    pieces
        .map(|piece| match piece {
            Piece::Text(text) => Ok(Part::Text(text.to_owned())),
            Piece::Expression(source) => Expression::new(source).map(Part::Expression),
        })
        .collect()
}

/// Makes the value of a template: what its lone expression comes to, or a text of all its parts.
///
/// What is wrong with an `is_private` value is said without quoting it.
pub(super) fn make(parts: &[Part], input: &Input<'_>, is_private: bool) -> Result<Made, Rejection> {
    if let [Part::Expression(expression)] = parts {
        return expression.make(input, is_private);
    }
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text(literal) => text.push_str(literal),
            Part::Expression(expression) => match expression.make(input, is_private)? {
                Made::Leave => return Ok(Made::Leave),
                Made::Delete => return Err(bad("`delete` cannot be part of a text")),
                Made::Value(Value::String(value)) => text.push_str(&value),
                Made::Value(value) => text.push_str(&value.to_string()),
            },
        }
        if text.len() > MAX_VALUE_BYTES {
            return Err(bad(&format!("the text is longer than {MAX_VALUE_BYTES} bytes; a metadata field holds 8192")));
        }
    }
    Ok(Made::Value(Value::String(text)))
}

fn bad(what: &str) -> Rejection {
    Rejection::new("invalid_template_value", what)
}

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Expression {
    source: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// A plain name or dotted path: the value is taken as it is.
    Direct(Vec<String>),
    /// Anything else is left to the template engine.
    Computed {
        expression: minijinja::Expression<'static, 'static>,
        /// The names it uses, reserved ones included.
        names: Vec<String>,
        /// Whether it has an `if` without `else`, which leaves the key alone where it does not hold.
        optional: bool,
        /// Whether it puts values in order, which needs numbers that the engine holds exactly.
        orders: bool,
    },
}

impl Expression {
    fn new(source: &str) -> Result<Self, String> {
        if source.is_empty() {
            return Err("there is nothing between `{{` and `}}`".to_owned());
        }
        let tokens = tokens::tokens(source);
        if let Some(path) = direct_path(&tokens) {
            return Ok(Self { source: source.to_owned(), kind: Kind::Direct(path) });
        }
        tokens::check(&tokens)?;
        let compiled = ENVIRONMENT.compile_expression_owned(source.to_owned());
        let expression = compiled.map_err(|error| syntax_error(source, &error))?;
        let mut names: Vec<String> = expression.undeclared_variables(false).into_iter().collect();
        names.sort();
        Ok(Self {
            source: source.to_owned(),
            kind: Kind::Computed { expression, names, optional: optional(&tokens), orders: orders(&tokens) },
        })
    }

    /// What was written between `{{` and `}}`.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// The columns it speaks of by name.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        let names = match &self.kind {
            Kind::Direct(path) => &path[..1],
            Kind::Computed { names, .. } => names,
        };
        let direct = matches!(self.kind, Kind::Direct(_));
        names.iter().map(String::as_str).filter(move |name| direct || !RESERVED.contains(name))
    }

    fn make(&self, input: &Input<'_>, is_private: bool) -> Result<Made, Rejection> {
        match &self.kind {
            Kind::Direct(path) => input.direct(path).ok_or_else(|| self.undefined(input)),
            Kind::Computed { expression, names, optional, orders } => {
                let context = Engine::from_pairs(context(names, *orders, input));
                let value = expression.eval(context).map_err(|error| match error.kind() {
                    minijinja::ErrorKind::UndefinedError => self.undefined(input),
                    _ if self.columns().any(|name| !input.has(name)) => self.undefined(input),
                    // The engine and its filters quote what they were given.
                    _ if is_private => bad(&shortened(&format!("a private value does not fit `{}`", self.source))),
                    _ => bad(&shortened(&format!("{} in `{}`", plain(&error), self.source))),
                })?;
                if value.is_undefined() {
                    if *optional && self.columns().all(|name| input.has(name)) {
                        return Ok(Made::Leave);
                    }
                    return Err(self.undefined(input));
                }
                from_engine(&value).map_err(|what| bad(&shortened(&what)))
            }
        }
    }

    /// Says what the record lacks.
    fn undefined(&self, input: &Input<'_>) -> Rejection {
        let Some(name) = self.columns().find(|name| !input.has(name)) else {
            let what = format!("`{}` leads to nothing in this record", self.source);
            return Rejection::new("unknown_column", shortened(&what));
        };
        let near = did_you_mean(name, input.names());
        Rejection::new("unknown_column", shortened(&format!("the record has no `{name}`{near}"))).at(name)
    }
}

/// What an expression can see of the record: the names it uses and no more.
fn context(names: &[String], orders: bool, input: &Input<'_>) -> Vec<(String, Engine)> {
    let mut context: Vec<(String, Engine)> = names
        .iter()
        .filter_map(|name| {
            let value = match name.as_str() {
                "delete" => Some(Engine::from_object(Delete)),
                "row" => Some(input.whole(orders)),
                _ => input.engine(name, orders),
            };
            Some((name.clone(), value?))
        })
        .collect();
    context.push((ORDERS.to_owned(), Engine::from(orders)));
    context
}

/// The path of an expression that is just a name, a dotted path or `row["a name"]`.
fn direct_path(tokens: &[Token<'_>]) -> Option<Vec<String>> {
    if let [Token::Name("row"), Token::Sign("["), Token::Text(name), Token::Sign("]")] = tokens {
        return (!name.contains('\\')).then(|| vec![(*name).to_owned()]);
    }
    let mut path = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Name(name) if at % 2 == 0 => path.push((*name).to_owned()),
            Token::Sign(".") if at % 2 == 1 => {}
            _ => return None,
        }
    }
    if path.first().is_some_and(|name| name == "row") && path.len() > 1 {
        path.remove(0);
        return (tokens.len() % 2 == 1).then_some(path);
    }
    let plain = !path.is_empty() && tokens.len() % 2 == 1;
    let first_is_column = path.first().is_some_and(|name| !is_reserved(name));
    (plain && first_is_column).then_some(path)
}

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || KEYWORDS.contains(&name)
}

fn optional(tokens: &[Token<'_>]) -> bool {
    let count = |name: &str| tokens.iter().filter(|token| **token == Token::Name(name)).count();
    count("if") > count("else")
}

fn orders(tokens: &[Token<'_>]) -> bool {
    tokens.windows(2).any(|two| matches!(two, [Token::Sign("|"), Token::Name("sort" | "min" | "max")]))
        || tokens.iter().any(|token| matches!(token, Token::Sign("<" | ">" | "<=" | ">=")))
}

/// Numbers that an expression makes itself are exact, or refused where they would be put in order.
pub(super) fn made_number(number: &Number, orders: bool) -> Engine {
    super::value::number_to_engine(number, orders)
}

fn syntax_error(source: &str, error: &minijinja::Error) -> String {
    let hint = if source.is_ascii() { "" } else { "; a column whose name is no identifier is `row[\"its name\"]`" };
    shortened(&format!("{} in `{source}`{hint}", plain(error)))
}

/// The engine's message without its own idea of a file.
fn plain(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}

fn shortened(message: &str) -> String {
    if message.chars().count() <= MAX_MESSAGE {
        return message.to_owned();
    }
    message.chars().take(MAX_MESSAGE - 1).chain(['…']).collect()
}
