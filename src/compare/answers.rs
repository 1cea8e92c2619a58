//! Whose answer it is: the users that came back, held against the identities that were asked for.

use std::collections::{HashMap, HashSet};

use crate::identity::{Identity, IdentityKind};
use crate::outcome::Outcome;
use crate::phase::Abort;
use crate::target::{Match, User};

/// Why an identity has no single user.
pub(super) enum Miss {
    Nobody(IdentityKind),
    OnlyUnverified(IdentityKind),
    Several(IdentityKind, usize),
}

impl Miss {
    pub(super) const fn outcome(&self) -> Outcome {
        match self {
            Self::Nobody(_) | Self::OnlyUnverified(_) => Outcome::NotFound,
            Self::Several(..) => Outcome::Ambiguous,
        }
    }

    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Nobody(_) => "no_such_user",
            Self::OnlyUnverified(_) => "unverified",
            Self::Several(..) => "several_users",
        }
    }

    pub(super) fn message(&self) -> String {
        match self {
            Self::Nobody(kind) => format!("no user has this {kind}"),
            Self::OnlyUnverified(kind) => {
                format!("a user has this {kind}, but has not verified it; --allow-unverified accepts that")
            }
            Self::Several(kind, n) => format!("{n} users have this {kind}; name them by user_id"),
        }
    }
}

/// The users of one answer, by what was asked for.
pub(super) struct Answers {
    kind: IdentityKind,
    /// For each identifier, in the form in which they are compared: the users that have it, and how surely.
    by_value: HashMap<String, Vec<(usize, Match)>>,
}

impl Answers {
    /// Sorts an answer, and refuses it as a whole if it holds users that nobody asked for.
    pub(super) fn new(kind: IdentityKind, asked: &[Identity], users: &[User]) -> Result<Self, Abort> {
        let mut by_value: HashMap<String, Vec<(usize, Match)>> =
            asked.iter().map(|identity| (kind.comparable(identity.value()).into_owned(), Vec::new())).collect();
        let mut seen = HashSet::new();
        for (index, user) in users.iter().enumerate().filter(|(_, user)| seen.insert(&user.id)) {
            let mut answers = false;
            for value in identifiers(user, kind) {
                let Some(holders) = by_value.get_mut(kind.comparable(value).as_ref()) else { continue };
                answers = true;
                if holders.last().is_none_or(|(last, _)| *last != index) {
                    holders.push((index, user.answers_to(kind, value)));
                }
            }
            if !answers {
                return Err(Abort::FilterIgnored { user_id: user.id.clone(), kind: kind.name() });
            }
        }
        Ok(Self { kind, by_value })
    }

    pub(super) fn user_of(&self, identity: &Identity, allow_unverified: bool) -> Result<usize, Miss> {
        let holders = self.by_value.get(self.kind.comparable(identity.value()).as_ref()).map_or(&[][..], Vec::as_slice);
        let having = |how: Match| holders.iter().filter(move |(_, held)| *held == how).map(|(user, _)| *user);
        let (sure, unsure) = (having(Match::Yes).count(), having(Match::Unverified).count());
        match (sure, unsure) {
            (0, 0) => Err(Miss::Nobody(self.kind)),
            (0, _) if !allow_unverified => Err(Miss::OnlyUnverified(self.kind)),
            (1, _) => having(Match::Yes).next().ok_or(Miss::Nobody(self.kind)),
            (0, 1) => having(Match::Unverified).next().ok_or(Miss::Nobody(self.kind)),
            (0, n) | (n, _) => Err(Miss::Several(self.kind, n)),
        }
    }
}

/// All identifiers of a kind that a user has.
fn identifiers(user: &User, kind: IdentityKind) -> Vec<&str> {
    match kind {
        IdentityKind::UserId => vec![&user.id],
        IdentityKind::ExternalId => user.external_id.as_deref().into_iter().collect(),
        IdentityKind::Username => user.username.as_deref().into_iter().collect(),
        IdentityKind::EmailAddress => user.email_addresses.iter().map(|a| a.value.as_str()).collect(),
        IdentityKind::PhoneNumber => user.phone_numbers.iter().map(|a| a.value.as_str()).collect(),
    }
}
