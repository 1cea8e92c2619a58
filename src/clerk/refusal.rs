//! What an answer means that is no success: the API's error envelope, or whatever stands in its place.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use serde_json::Value;

use super::Call;
use super::key::SecretKey;
use crate::json;
use crate::retry::{Failure, FailureKind};

/// The longest message that is kept, in characters.
const MAX_MESSAGE: usize = 500;

/// The longest code or trace id.
const MAX_WORD: usize = 100;

/// The longest that a server can ask to be left alone for.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

/// What the API says in its envelope, as far as it is there.
#[derive(Debug, Default)]
struct Envelope {
    code: Option<String>,
    message: Option<String>,
    trace_id: Option<String>,
}

/// The failure that an answer stands for; neither the key nor a page of HTML gets into it.
pub(super) fn refusal(call: Call, status: StatusCode, headers: &HeaderMap, body: &[u8], key: &SecretKey) -> Failure {
    // A redirect is nothing that the API says.
    let envelope = if status.is_redirection() { None } else { Envelope::read(body) };
    let kind = kind(call, status, envelope.as_ref().and_then(|envelope| envelope.code.as_deref()));
    let said = envelope.is_some();
    let envelope = envelope.unwrap_or_default();
    let code = envelope.code.unwrap_or_else(|| default_code(status));
    let message = envelope.message.unwrap_or_else(|| default_message(status, said, body));
    let trace_id = envelope.trace_id.or_else(|| trace_id(headers));
    Failure {
        kind,
        status: Some(status.as_u16()),
        code: cut(&key.redact(&code), MAX_WORD),
        message: cut(&key.redact(&message), MAX_MESSAGE),
        trace_id: trace_id.map(|id| cut(&key.redact(&id), MAX_WORD)),
        retry_after: retry_after(headers, SystemTime::now()),
    }
}

/// The trace id that comes with every answer.
pub(super) fn trace_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("x-clerk-trace-id")?.to_str().ok()?;
    Some(cut(text, MAX_WORD)).filter(|id| !id.is_empty())
}

fn kind(call: Call, status: StatusCode, code: Option<&str>) -> FailureKind {
    match (status.as_u16(), code) {
        (429, _) => FailureKind::Throttled,
        (409, Some("resource_locked")) => FailureKind::Locked,
        (408 | 500.., _) => FailureKind::Ambiguous,
        (401 | 403, _) => FailureKind::KeyRefused,
        // Without the API's own words, a 404 says that the address is wrong rather than that there is no such user.
        (404, Some(_)) if call == Call::Write => FailureKind::NotFound,
        (422, Some("form_param_exceeds_allowed_size")) => FailureKind::TooLarge,
        _ => FailureKind::Refused,
    }
}

fn default_code(status: StatusCode) -> String {
    match status.as_u16() {
        429 => "too_many_requests".to_owned(),
        300..400 => "redirected".to_owned(),
        other => format!("http_{other}"),
    }
}

fn default_message(status: StatusCode, said: bool, body: &[u8]) -> String {
    let name = status.canonical_reason().unwrap_or("no name for it");
    let answer = format!("the server answered {} ({name})", status.as_u16());
    if status.is_redirection() {
        return format!("{answer}; redirects are not followed, for the key would go along: check the API's address");
    }
    match (said, body.is_empty()) {
        (true, _) | (_, true) => answer,
        (false, false) => format!("{answer} with something that is not the API's JSON"),
    }
}

impl Envelope {
    fn read(body: &[u8]) -> Option<Self> {
        let Value::Object(members) = json::parse(&String::from_utf8_lossy(body)).ok()? else { return None };
        let first = members.get("errors")?.as_array()?.first();
        let word = |value: Option<&Value>| value?.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let of_first = |name: &str| word(first.and_then(|error| error.get(name)));
        let message = of_first("long_message").or_else(|| of_first("message"));
        let param = word(first.and_then(|error| error.get("meta")?.get("param_name")));
        let message = message.map(|message| match param {
            Some(param) if !message.contains(&param) => format!("{message} ({param})"),
            _ => message,
        });
        Some(Self { code: of_first("code"), message, trace_id: word(members.get("clerk_trace_id")) })
    }
}

/// `Retry-After` in seconds, or as a date that is measured against the server's own clock.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let date = headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    Some(until.duration_since(date.unwrap_or(now)).unwrap_or_default().min(MAX_RETRY_AFTER))
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
