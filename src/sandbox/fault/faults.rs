//! The rules in force, and the dice that decide which of them fires.

use std::collections::BTreeMap;

use super::super::route::Kind;
use super::super::world::id::mix;
use super::{Fault, FaultKind};

/// The rules in force, and what they did.
#[derive(Debug)]
pub(in crate::sandbox) struct Faults {
    rules: Vec<Fault>,
    dice: fastrand::Rng,
    seed: u64,
    /// How often each kind has fired.
    pub(in crate::sandbox) fired: BTreeMap<FaultKind, u64>,
}

impl Faults {
    pub(in crate::sandbox) fn new(rules: Vec<Fault>, seed: u64) -> Self {
        Self { rules, dice: fastrand::Rng::with_seed(seed), seed, fired: BTreeMap::new() }
    }

    /// Puts other rules in force.
    pub(in crate::sandbox) fn replace(&mut self, rules: Vec<Fault>) {
        self.rules = rules;
    }

    /// The rules in force.
    pub(in crate::sandbox) fn rules(&self) -> &[Fault] {
        &self.rules
    }

    /// The fault that a request meets.
    pub(in crate::sandbox) fn meet(&mut self, kind: Kind, user_id: Option<&str>) -> Option<Fault> {
        self.fire(|rule| !rule.marks_users() && !rule.follows_reads() && rule.is_for(kind, user_id))
    }

    /// What happens to a user right after it was read.
    pub(in crate::sandbox) fn follow_read(&mut self, user_id: &str) -> Option<Fault> {
        self.fire(|rule| rule.follows_reads() && rule.user_id.as_deref().is_none_or(|id| id == user_id))
    }

    /// Whether anything happens after reads at all.
    pub(in crate::sandbox) fn any_follow_reads(&self) -> bool {
        self.rules.iter().any(Fault::follows_reads)
    }

    fn fire(&mut self, is_for: impl Fn(&Fault) -> bool) -> Option<Fault> {
        for rule in &mut self.rules {
            if !is_for(rule) || rule.next == Some(0) {
                continue;
            }
            if rule.after > 0 {
                rule.after -= 1;
                continue;
            }
            if rule.rate < 1.0 && self.dice.f64() >= rule.rate {
                continue;
            }
            rule.next = rule.next.map(|left| left - 1);
            *self.fired.entry(rule.kind).or_default() += 1;
            return Some(rule.clone());
        }
        None
    }

    /// What stands in for a user's public metadata in answers; always the same users.
    pub(in crate::sandbox) fn spoilt(&self, user_id: &str) -> Option<FaultKind> {
        let rule = self.rules.iter().filter(|rule| rule.marks_users()).find(|rule| match &rule.user_id {
            Some(id) => id == user_id,
            None => chance(self.seed, user_id) < rule.rate,
        })?;
        Some(rule.kind)
    }

    /// Whether any user is spoilt in answers.
    pub(in crate::sandbox) fn any_spoilt(&self) -> bool {
        self.rules.iter().any(Fault::marks_users)
    }
}

/// A number from 0 to 1 that is always the same for the same user.
fn chance(seed: u64, user_id: &str) -> f64 {
    let hash = user_id.bytes().fold(mix(seed), |sum, byte| mix(sum ^ u64::from(byte)));
    f64::from(u32::try_from(hash >> 32).expect("32 bits are left")) / f64::from(u32::MAX)
}
