//! A first look at a template: where its expressions are, and whether they use only what is offered.
//!
//! Only expressions are offered. Without statements nothing can loop or recurse, so the time a template takes is bounded
//! by its own length and its record's; what could still blow a value up is refused here, before it runs.

use super::environment::{FILTERS, TESTS};
use crate::nearest::nearest;

/// How often one expression may multiply: each time could make a text longer.
const MAX_PRODUCTS: usize = 8;

/// A piece of a template.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// Text that stands for itself.
    Text(&'t str),
    /// What stands between `{{` and `}}`.
    Expression(&'t str),
}

/// Cuts a template into text and expressions.
pub(super) fn pieces(template: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(open) = opening(rest) {
        let (text, inside) = (&rest[..open], &rest[open + 2..]);
        if !rest[open..].starts_with("{{") {
            return Err(format!(
                "`{}` is not offered; write a choice as an expression, `{{{{ a if b else c }}}}`, and the two characters \
                 themselves as `{{{{ \"{}\" }}}}`",
                &rest[open..open + 2],
                &rest[open..open + 2]
            ));
        }
        if inside.starts_with(['-', '+']) {
            return Err(format!("put a space behind `{{{{` in `{{{{{}`", &inside[..1]));
        }
        let end = end_of_expression(inside).ok_or("`{{` is never closed by `}}`")?;
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        pieces.push(Piece::Expression(inside[..end].trim()));
        rest = &inside[end + 2..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

/// Where the next `{{`, `{%` or `{#` is.
fn opening(text: &str) -> Option<usize> {
    let second = |at: usize| text.as_bytes().get(at + 1);
    text.match_indices('{').map(|(at, _)| at).find(|&at| matches!(second(at), Some(b'{' | b'%' | b'#')))
}

/// Where the `}}` is that closes an expression: outside its texts and objects.
fn end_of_expression(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(letter) = text.as_bytes().get(at) {
        match letter {
            b'"' | b'\'' => at = end_of_text(text, at)?,
            b'{' => depth += 1,
            b'}' if depth > 0 => depth -= 1,
            b'}' if text[at..].starts_with("}}") => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the quote is that closes the text which the quote at `open` opens.
fn end_of_text(text: &str, open: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = open + 1;
    while let Some(&letter) = bytes.get(at) {
        match letter {
            b'\\' => at += 1,
            _ if letter == bytes[open] => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// A word of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'e> {
    /// A name or keyword.
    Name(&'e str),
    /// A text, without its quotes but with its escapes.
    Text(&'e str),
    /// A number.
    Number,
    /// Anything else: one or two characters.
    Sign(&'e str),
}

/// The words of an expression. An unclosed text is left to the compiler to complain about.
pub(super) fn tokens(expression: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, len) = token(rest, first);
        tokens.push(token);
        rest = rest[len..].trim_start();
    }
    tokens
}

fn token(rest: &str, first: char) -> (Token<'_>, usize) {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let word_len = rest.find(|c| !word(c)).unwrap_or(rest.len());
    match first {
        '"' | '\'' => match end_of_text(rest, 0) {
            Some(end) => (Token::Text(&rest[1..end]), end + 1),
            None => (Token::Text(&rest[1..]), rest.len()),
        },
        _ if first.is_ascii_digit() => (Token::Number, word_len),
        _ if word(first) => (Token::Name(&rest[..word_len]), word_len),
        _ => {
            let two = ["==", "!=", "<=", ">=", "//", "**"].into_iter().find(|two| rest.starts_with(two));
            let len = two.map_or(first.len_utf8(), str::len);
            (Token::Sign(&rest[..len]), len)
        }
    }
}

/// Refuses what is not offered, with the way out.
pub(super) fn check(tokens: &[Token<'_>]) -> Result<(), String> {
    check_nulls(tokens)?;
    check_names(tokens)?;
    check_products(tokens)?;
    check_commas(tokens)
}

/// A null of the record equals no literal; the test for it is `is none`.
fn check_nulls(tokens: &[Token<'_>]) -> Result<(), String> {
    let is_none = |token: &Token<'_>| matches!(token, Token::Name("none" | "None"));
    let compares = |token: &Token<'_>| matches!(token, Token::Sign("==" | "!="));
    let found =
        tokens.windows(2).any(|two| (is_none(&two[0]) && compares(&two[1])) || (compares(&two[0]) && is_none(&two[1])));
    if found { Err("write `is none` or `is not none` to ask whether there is a value".to_owned()) } else { Ok(()) }
}

fn check_names(tokens: &[Token<'_>]) -> Result<(), String> {
    for (at, token) in tokens.iter().enumerate() {
        let name = |at: usize| match tokens.get(at) {
            Some(Token::Name(name)) => Some(*name),
            _ => None,
        };
        let (what, offered, found) = match token {
            Token::Sign("|") => ("filter", FILTERS, name(at + 1)),
            Token::Name("is") if name(at + 1) == Some("not") => ("test", TESTS, name(at + 2)),
            Token::Name("is") => ("test", TESTS, name(at + 1)),
            _ => continue,
        };
        let Some(found) = found.filter(|found| !offered.contains(found)) else { continue };
        return Err(match nearest(found, offered.iter().copied()) {
            Some(near) => format!("there is no {what} `{found}`; did you mean `{near}`?"),
            None => format!("there is no {what} `{found}`; there are {}", offered.join(", ")),
        });
    }
    Ok(())
}

/// Refuses to repeat texts and lists, which is how a short template makes a huge value.
fn check_products(tokens: &[Token<'_>]) -> Result<(), String> {
    let repeats = |token: Option<&Token<'_>>| matches!(token, Some(Token::Text(_) | Token::Sign("[" | "]")));
    let signs = tokens.iter().enumerate().filter(|(_, token)| matches!(token, Token::Sign("*")));
    let mut products = 0;
    for (at, _) in signs {
        products += 1;
        if repeats(at.checked_sub(1).and_then(|before| tokens.get(before))) || repeats(tokens.get(at + 1)) {
            return Err("only numbers are multiplied, not texts or lists".to_owned());
        }
    }
    if products > MAX_PRODUCTS {
        return Err(format!("an expression may multiply {MAX_PRODUCTS} times, this one does {products} times"));
    }
    Ok(())
}

/// Refuses tuples, which JSON does not know: a comma stands in a list, an object or a call.
fn check_commas(tokens: &[Token<'_>]) -> Result<(), String> {
    let mut open: Vec<bool> = Vec::new();
    let mut callable = false;
    for token in tokens {
        match token {
            Token::Sign("(") => open.push(callable),
            Token::Sign("[" | "{") => open.push(true),
            Token::Sign(")" | "]" | "}") => drop(open.pop()),
            Token::Sign(",") if !open.last().copied().unwrap_or(false) => {
                return Err("write a list in square brackets, `[a, b]`".to_owned());
            }
            _ => {}
        }
        let keyword = matches!(token, Token::Name("if" | "else" | "and" | "or" | "not" | "in" | "is"));
        callable = matches!(token, Token::Name(_) | Token::Sign(")" | "]")) && !keyword;
    }
    Ok(())
}
