//! Organizations and memberships: like the users, computed from the seed until they are changed.

use std::collections::HashMap;

use super::id::{Family, mix};
use super::now;
use super::profile::{Metadata, raw};

/// How many users make up one organization.
const MEMBERS: u32 = 50;
/// When the first one was founded.
const FIRST_DAY: i64 = 1_700_000_100_000;

/// All organizations: number `k` has a share of the users from `50 k` on.
#[derive(Debug)]
pub(crate) struct Organizations {
    seed: u64,
    users: u32,
    names: HashMap<u32, String>,
    changes: HashMap<Subject, Held>,
}

/// What holds metadata besides a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// An organization, by number.
    Organization(u32),
    /// A membership: organization and user.
    Membership(u32, u32),
}

/// What such a subject holds, and since when. Its third field is never used.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) metadata: Metadata,
    pub(crate) updated_at: i64,
}

impl Organizations {
    pub(crate) fn new(seed: u64, users: u32) -> Self {
        Self { seed, users, names: HashMap::new(), changes: HashMap::new() }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        self.users.div_ceil(MEMBERS)
    }

    /// The organization of an id or a slug.
    pub(crate) fn number(&self, id_or_slug: &str) -> Option<u32> {
        let by_slug = || id_or_slug.strip_prefix("sample-org-")?.parse().ok();
        let by_id = Family::Organization.number(self.seed, id_or_slug).and_then(|number| u32::try_from(number).ok());
        by_id.or_else(by_slug).filter(|&number| number < self.count())
    }

    pub(crate) fn id(&self, number: u32) -> String {
        Family::Organization.id(self.seed, u64::from(number))
    }

    pub(crate) fn membership_id(&self, user: u32) -> String {
        Family::Membership.id(self.seed, u64::from(user))
    }

    pub(crate) fn slug(number: u32) -> String {
        format!("sample-org-{number}")
    }

    pub(crate) fn name(&self, number: u32) -> String {
        self.names.get(&number).cloned().unwrap_or_else(|| format!("Sample Org {number}"))
    }

    pub(crate) fn rename(&mut self, number: u32, name: String) {
        self.names.insert(number, name);
    }

    pub(crate) fn created_at(number: u32) -> i64 {
        FIRST_DAY + i64::from(number) * 250_000
    }

    /// The organization a user is a member of.
    pub(crate) fn of_user(&self, user: u32) -> Option<u32> {
        let member = mix(self.seed ^ (u64::from(user) << 20)) & 1 == 0 || user.is_multiple_of(MEMBERS);
        (member && user < self.users).then_some(user / MEMBERS)
    }

    /// The members of an organization; some of them may be deleted users.
    pub(crate) fn members(&self, number: u32) -> impl Iterator<Item = u32> + '_ {
        let first = number * MEMBERS;
        (first..first.saturating_add(MEMBERS).min(self.users)).filter(|&user| self.of_user(user).is_some())
    }

    /// The role of a member: the first one leads.
    pub(crate) fn role(user: u32) -> &'static str {
        if user.is_multiple_of(MEMBERS) { "org:admin" } else { "org:member" }
    }

    /// What an organization or a membership holds.
    pub(crate) fn held(&self, subject: Subject) -> Held {
        self.changes.get(&subject).cloned().unwrap_or_else(|| {
            let (number, text) = match subject {
                Subject::Organization(number) => (number, r#"{"tier":"standard"}"#),
                Subject::Membership(number, _) => (number, r#"{"team":"core"}"#),
            };
            let metadata = Metadata([raw(text), raw("{}"), raw("{}")]);
            Held { metadata, updated_at: Self::created_at(number) }
        })
    }

    /// Gives an organization or a membership other metadata.
    pub(crate) fn set(&mut self, subject: Subject, metadata: Metadata) {
        let updated_at = now().max(self.held(subject).updated_at + 1);
        self.changes.insert(subject, Held { metadata, updated_at });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn organizations_share_out_the_users() {
        let organizations = Organizations::new(1, 120);
        assert_eq!(organizations.count(), 3);
        for number in 0..3 {
            assert_eq!(organizations.number(&organizations.id(number)), Some(number));
            assert_eq!(organizations.number(&format!("sample-org-{number}")), Some(number));
            let members: Vec<_> = organizations.members(number).collect();
            assert!(!members.is_empty() && members.len() < 50);
            assert!(members.iter().all(|&user| user < 120 && organizations.of_user(user) == Some(number)));
        }
        assert_eq!(organizations.number("sample-org-3"), None);
        assert_eq!(Organizations::new(1, 0).count(), 0);
    }
}
