//! What must not happen: guards that block single users, and limits on how much a run may change.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::change::{Change, Metadata, agree};
use crate::merge::{Agreement, same};
use crate::path::Path;

/// The guards of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Guards {
    /// The most users that may change, of those that were compared.
    pub max_changes: Option<Limit>,
    /// Transitions that no user may make.
    pub forbid: Vec<Forbid>,
}

/// A transition that no user may make. Where neither end is given, the path must not change at all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forbid {
    /// The path that is watched, and everything below it.
    pub path: Path,
    /// Only changes from this value.
    pub from: Option<Value>,
    /// Only changes to this value.
    pub to: Option<Value>,
}

impl Forbid {
    /// The name by which `--allow` lifts this guard.
    pub fn name(&self) -> String {
        format!("forbid:{}", self.path)
    }

    /// Whether a change of what a user holds makes this transition; `before` must hold the fields that change.
    ///
    /// The guard's path may lie inside a value that is swapped as a whole, or the change inside the guard's path, so
    /// what counts is what the path itself holds before and after.
    pub fn blocks(&self, before: &Metadata, change: &Change) -> bool {
        let concerns = |path: &Path| path.covers(&self.path) || self.path.covers(path);
        if !change.touches.iter().any(|touch| touch.is_change() && concerns(&touch.path)) {
            return false;
        }
        let after = change.field_after(self.path.field, before);
        let before = before.get(&self.path.field).and_then(|before| self.path.find(before));
        let after = self.path.find(&after);
        agree(before, after) == Agreement::Different
            && matches(self.from.as_ref(), before)
            && matches(self.to.as_ref(), after)
    }
}

/// Whether a value is the one that is watched for; an absent value is one that was written as null.
fn matches(watched: Option<&Value>, value: Option<&Value>) -> bool {
    watched.is_none_or(|watched| value.map_or(watched.is_null(), |value| same(watched, value)))
}

/// A number of users, or a share of those that were looked at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// So many users.
    Count(u64),
    /// So many in a hundred.
    Percent(f64),
}

impl Limit {
    /// Whether `part` of `whole` is beyond the limit.
    #[expect(clippy::cast_precision_loss, reason = "a share of users needs no more than 52 bits")]
    pub fn is_exceeded(self, part: u64, whole: u64) -> bool {
        match self {
            Self::Count(most) => part > most,
            Self::Percent(most) => part as f64 * 100.0 > most * whole as f64,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(most) => write!(f, "{most}"),
            Self::Percent(most) => write!(f, "{most}%"),
        }
    }
}

/// Why a text is no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a number of users such as `500`, or a share such as `5%`")]
pub struct LimitError;

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let Some(percent) = text.strip_suffix('%') else {
            return text.parse().map(Self::Count).map_err(|_| LimitError);
        };
        let percent: f64 = percent.trim_end().parse().map_err(|_| LimitError)?;
        if (0.0..=100.0).contains(&percent) { Ok(Self::Percent(percent)) } else { Err(LimitError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::fold;
    use crate::json::parse;
    use crate::patch::{Mode, Patch};
    use crate::path::Field;

    fn change(before: &str, patch: &str) -> (Metadata, Change) {
        let before = Metadata::from([(Field::Public, parse(before).expect("is JSON"))]);
        let patch = Patch::from_json(&format!(r#"{{"public_metadata":{patch}}}"#)).expect("is a patch");
        let change = fold(&before, &[patch], Mode::Merge).expect("is shallow");
        (before, change)
    }

    fn blocks(forbid: &Forbid, (before, change): &(Metadata, Change)) -> bool {
        forbid.blocks(before, change)
    }

    fn forbid(path: &str, from: Option<&str>, to: Option<&str>) -> Forbid {
        let value = |text: &str| parse(text).expect("is JSON");
        Forbid { path: path.parse().expect("is a path"), from: from.map(value), to: to.map(value) }
    }

    #[test]
    fn a_transition_is_blocked_only_as_described() {
        let demote = change(r#"{"role":"admin"}"#, r#"{"role":"member"}"#);
        assert!(blocks(&forbid("public.role", Some(r#""admin""#), None), &demote));
        assert!(blocks(&forbid("public.role", None, Some(r#""member""#)), &demote));
        assert!(blocks(&forbid("public.role", None, None), &demote));
        assert!(!blocks(&forbid("public.role", Some(r#""owner""#), None), &demote));
        assert!(!blocks(&forbid("public.plan", None, None), &demote));
    }

    #[test]
    fn a_swap_of_the_whole_object_does_not_get_round_a_guard() {
        let swap = change(r#"{"acl":{"role":"admin","x":1}}"#, r#"{"acl":5}"#);
        assert!(blocks(&forbid("public.acl.role", Some(r#""admin""#), None), &swap));
        assert!(blocks(&forbid("public.acl.role", None, Some("null")), &swap));
        assert!(!blocks(&forbid("public.acl.other", None, None), &swap));
        let below = change(r#"{"acl":{"role":"admin"}}"#, r#"{"acl":{"role":"x"}}"#);
        assert!(blocks(&forbid("public.acl", None, None), &below));
    }

    #[test]
    fn a_guard_on_an_object_sees_what_changes_inside() {
        let promote = change(r#"{"acl":{"role":"member"}}"#, r#"{"acl":{"role":"admin"}}"#);
        assert!(blocks(&forbid("public.acl", Some(r#"{"role":"member"}"#), None), &promote));
        assert!(blocks(&forbid("public.acl", None, Some(r#"{"role":"admin"}"#)), &promote));
        assert!(!blocks(&forbid("public.acl", Some(r#"{"role":"x"}"#), None), &promote));
        let created = change("{}", r#"{"acl":{"role":"admin"}}"#);
        assert!(blocks(&forbid("public.acl", Some("null"), None), &created));
    }

    #[test]
    fn limits_are_counts_or_shares() {
        assert!(!"5".parse::<Limit>().expect("is one").is_exceeded(5, 10));
        assert!("5".parse::<Limit>().expect("is one").is_exceeded(6, 10));
        assert!(!"5%".parse::<Limit>().expect("is one").is_exceeded(5, 100));
        assert!("5%".parse::<Limit>().expect("is one").is_exceeded(6, 100));
        for bad in ["", "-1", "101%", "x", "NaN%", "%"] {
            assert!(bad.parse::<Limit>().is_err(), "{bad}");
        }
    }
}
