//! Misbehaviour on demand: which request meets what.
//!
//! Each [`Fault`] is a rule with a chance; a request meets the first rule that fires. The chances come from a generator
//! with the seed of the sandbox, so that the same requests in the same order meet the same faults.

mod faults;

use std::str::FromStr;

pub(super) use faults::Faults;
use serde::{Deserialize, Serialize};

use super::route::Kind;
use super::world::World;
use crate::json::Value;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// 429 `too_many_requests` with `Retry-After`.
    #[serde(rename = "429")]
    #[value(name = "429")]
    Throttled,
    /// 429 without `Retry-After`.
    #[serde(rename = "429-bare")]
    #[value(name = "429-bare")]
    ThrottledBare,
    /// 409 `resource_locked`.
    #[serde(rename = "409")]
    #[value(name = "409")]
    Locked,
    /// 500 `internal_clerk_error`; nothing was applied.
    #[serde(rename = "500")]
    #[value(name = "500")]
    Internal,
    /// 500 after the write was applied.
    #[serde(rename = "500-after")]
    #[value(name = "500-after")]
    InternalAfter,
    /// 502 with an HTML page, as a proxy answers.
    #[serde(rename = "502")]
    #[value(name = "502")]
    BadGateway,
    /// 503 `service_unavailable`.
    #[serde(rename = "503")]
    #[value(name = "503")]
    Unavailable,
    /// 504 `gateway_timeout`; the write was applied.
    #[serde(rename = "504")]
    #[value(name = "504")]
    GatewayTimeout,
    /// The connection, or over HTTP/2 the stream, is cut and nothing was applied.
    CutBefore,
    /// The connection, or over HTTP/2 the stream, is cut after the write was applied.
    CutAfter,
    /// The stream is refused, with the word that nothing was applied; over HTTP/1.1 as `CutBefore`.
    RefusedStream,
    /// The connection goes away: what is under way on it is answered, and then it is closed.
    Goaway,
    /// The connection goes away after the write was applied, and all that is under way on it is cut.
    GoawayCut,
    /// Half of the answer, then the connection, or over HTTP/2 the stream, is cut; the write was applied.
    Truncated,
    /// Half of the answer, then drips for ever; the write was applied.
    Endless,
    /// The answer comes `delay` late (a minute unless told); the write was applied at once.
    Slow,
    /// 200, and nothing was changed.
    Noop,
    /// The user is deleted right before the write, or right after a read.
    Deleted,
    /// Somebody else changes the user right before the write, or right after a read (`patch`).
    Concurrent,
    /// The key is unknown from here on.
    Revoked,
    /// In answers, the user's public metadata holds 3,000 nested arrays.
    UnreadableDeep,
    /// In answers, the user's public metadata holds a lone surrogate escape.
    UnreadableSurrogate,
    /// A list ignores its filters.
    Surplus,
}

/// Which requests a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum On {
    /// All.
    Any,
    /// Requests that only read.
    Read,
    /// Requests that write.
    Write,
}

/// A rule: which fault, how often, and for whom.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// How likely it is for each request the rule is for, 0 to 1.
    #[serde(default = "always")]
    pub rate: f64,
    /// How often it happens at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// How many requests it spares first.
    #[serde(default)]
    pub after: u64,
    /// The only user it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Reads, writes or both; by default what suits the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<On>,
    /// Seconds in the `Retry-After` of a 429; 1 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// How late a slow answer is, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// What the concurrent writer merges in; by default `{"public_metadata":{"sandbox_writer":n}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<Value>,
}

fn always() -> f64 {
    1.0
}

impl Fault {
    /// A rule that always fires.
    pub fn new(kind: FaultKind) -> Self {
        let (next, user_id, on, retry_after, delay_ms, patch) = (None, None, None, None, None, None);
        Self { kind, rate: 1.0, next, after: 0, user_id, on, retry_after, delay_ms, patch }
    }

    /// The same rule, with a chance.
    #[must_use]
    pub fn rate(self, rate: f64) -> Self {
        Self { rate, ..self }
    }

    /// The same rule, which fires `count` times at most.
    #[must_use]
    pub fn next(self, count: u64) -> Self {
        Self { next: Some(count), ..self }
    }

    /// The same rule, after it spared `count` requests.
    #[must_use]
    pub fn after(self, count: u64) -> Self {
        Self { after: count, ..self }
    }

    /// The same rule, for one user only.
    #[must_use]
    pub fn user(self, id: &str) -> Self {
        Self { user_id: Some(id.to_owned()), ..self }
    }

    /// The same rule, for reads or writes only.
    #[must_use]
    pub fn on(self, on: On) -> Self {
        Self { on: Some(on), ..self }
    }

    /// Lets somebody else get at a user; `count` is the how-manieth time it is.
    pub(super) fn interfere(&self, world: &mut World, slot: u32, count: u64) {
        match self.kind {
            FaultKind::Deleted => {
                world.delete(slot);
            }
            FaultKind::Concurrent => {
                let usual = || serde_json::json!({ "public_metadata": { "sandbox_writer": count } });
                let mut metadata = world.metadata(slot).into_owned();
                metadata.merge_fields(&self.patch.clone().unwrap_or_else(usual));
                world.set_metadata(slot, metadata);
            }
            _ => {}
        }
    }

    /// Whether the rule marks users in answers instead of meeting requests.
    fn marks_users(&self) -> bool {
        matches!(self.kind, FaultKind::UnreadableDeep | FaultKind::UnreadableSurrogate)
    }

    /// Whether the rule follows a read instead of meeting the request.
    fn follows_reads(&self) -> bool {
        matches!(self.kind, FaultKind::Deleted | FaultKind::Concurrent) && self.on == Some(On::Read)
    }

    fn is_for(&self, kind: Kind, user_id: Option<&str>) -> bool {
        use FaultKind::{Concurrent, Deleted, Noop, Surplus};
        let on = match self.kind {
            Surplus => return kind == Kind::ListUsers && self.user_id.is_none(),
            Noop | Deleted | Concurrent => self.on.unwrap_or(On::Write),
            _ => self.on.unwrap_or(On::Any),
        };
        let suits = on == On::Any || (on == On::Write) == kind.is_write();
        suits && self.user_id.as_deref().is_none_or(|id| user_id == Some(id))
    }
}

impl FromStr for Fault {
    type Err = String;

    /// Reads `KIND=RATE`, or `KIND=` and a list of `rate=`, `next=`, `after=`, `user=`, `on=`, `retry-after=`, `delay=`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once('=').ok_or("a fault is KIND=RATE, such as 500=0.01")?;
        let mut fault = Self::new(<FaultKind as clap::ValueEnum>::from_str(kind, false)?);
        for part in rest.split(',') {
            let (name, value) = part.split_once('=').unwrap_or(("rate", part));
            let wrong = || format!("`{part}` is not understood");
            let number = || value.parse::<u64>().map_err(|_| wrong());
            match name {
                "rate" => fault.rate = value.parse().map_err(|_| wrong())?,
                "next" => fault.next = Some(number()?),
                "after" => fault.after = number()?,
                "user" => fault.user_id = Some(value.to_owned()),
                "on" => fault.on = Some(on(value).ok_or_else(wrong)?),
                "retry-after" => fault.retry_after = Some(number()?),
                "delay" => fault.delay_ms = u64::try_from(super::rate::duration(value)?.as_millis()).ok(),
                _ => return Err(wrong()),
            }
        }
        if (0.0..=1.0).contains(&fault.rate) { Ok(fault) } else { Err(format!("`{text}`: a rate is 0 to 1")) }
    }
}

fn on(text: &str) -> Option<On> {
    match text {
        "any" => Some(On::Any),
        "read" => Some(On::Read),
        "write" => Some(On::Write),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
