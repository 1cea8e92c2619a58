//! Who a row speaks of: one identifier of one kind.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest identifier that is looked up, in bytes; a longer one could not share a request with any other.
const MAX_LEN: usize = 1024;

/// The kinds of identifiers by which the API finds users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityKind {
    /// Clerk's own id, `user_…`.
    UserId,
    /// The id the customer's own system gave the user.
    ExternalId,
    /// One of the user's email addresses.
    EmailAddress,
    /// One of the user's phone numbers.
    PhoneNumber,
    /// The user's name for signing in.
    Username,
}

impl IdentityKind {
    /// All kinds, in the order in which they are offered.
    pub const ALL: [Self; 5] = [Self::UserId, Self::ExternalId, Self::EmailAddress, Self::PhoneNumber, Self::Username];

    /// The name in headers, input keys, reports and as the API's filter parameter.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserId => "user_id",
            Self::ExternalId => "external_id",
            Self::EmailAddress => "email_address",
            Self::PhoneNumber => "phone_number",
            Self::Username => "username",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether at most one user can have a given identifier of this kind.
    pub const fn is_unique(self) -> bool {
        matches!(self, Self::UserId | Self::ExternalId)
    }

    /// The form of an identifier in which what was asked for and what came back are compared.
    ///
    /// Clerk does not say how it normalises addresses, names and numbers, so what people type in several ways is
    /// compared without case and without the punctuation of phone numbers.
    pub fn comparable(self, value: &str) -> Cow<'_, str> {
        match self {
            Self::UserId | Self::ExternalId => value.into(),
            Self::EmailAddress | Self::Username => value.to_lowercase().into(),
            Self::PhoneNumber => value.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.')).collect(),
        }
    }
}

impl fmt::Display for IdentityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An identifier that can be looked up; it is checked when it is made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    kind: IdentityKind,
    value: String,
}

/// Why a text cannot be an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Nothing to look for.
    #[error("the {0} is empty")]
    Empty(IdentityKind),
    /// Longer than any real one.
    #[error("the {0} is longer than {MAX_LEN} bytes")]
    TooLong(IdentityKind),
    /// Control characters never belong to an identifier.
    #[error("the {0} holds a control character")]
    Control(IdentityKind),
    /// A user id becomes part of the URL that is written to.
    #[error("the user_id may hold only letters, digits, `_` and `-`, and begins with a letter or digit")]
    NotAnId,
}

impl Identity {
    /// Checks an identifier.
    pub fn new(kind: IdentityKind, value: String) -> Result<Self, IdentityError> {
        if value.is_empty() {
            return Err(IdentityError::Empty(kind));
        }
        if value.len() > MAX_LEN {
            return Err(IdentityError::TooLong(kind));
        }
        if value.chars().any(char::is_control) {
            return Err(IdentityError::Control(kind));
        }
        if kind == IdentityKind::UserId && !is_user_id(&value) {
            return Err(IdentityError::NotAnId);
        }
        Ok(Self { kind, value })
    }

    /// What kind of identifier it is.
    pub const fn kind(&self) -> IdentityKind {
        self.kind
    }

    /// The identifier as it was given.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.kind, self.value)
    }
}

/// Whether a text can stand in the path of a URL without changing it: no id of Clerk's needs more than this.
pub fn is_user_id(text: &str) -> bool {
    text.len() <= 255
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_user_id_can_change_the_url() {
        for bad in ["", "..", "a/b", "a?b", "a#b", "a%2e", "-user_1", "+user_1", "user 1", "user_\u{e9}", "a\n", "a.b"]
        {
            assert!(Identity::new(IdentityKind::UserId, bad.to_owned()).is_err(), "{bad:?}");
        }
        for good in ["user_2abcDEF", "user_123", "legacy-42"] {
            assert!(Identity::new(IdentityKind::UserId, good.to_owned()).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn other_identifiers_may_hold_anything_printable() {
        for good in ["+1 (555) 555-0100", "-dash", "a/b", "ünï"] {
            assert!(Identity::new(IdentityKind::ExternalId, good.to_owned()).is_ok(), "{good:?}");
        }
        assert!(Identity::new(IdentityKind::ExternalId, "a\tb".to_owned()).is_err());
    }

    #[test]
    fn identifiers_compare_as_people_mean_them() {
        assert_eq!(IdentityKind::EmailAddress.comparable("A@Example.com"), "a@example.com");
        assert_eq!(IdentityKind::PhoneNumber.comparable("+1 (555) 555-0100"), "+15555550100");
        assert_eq!(IdentityKind::ExternalId.comparable("Ab"), "Ab");
    }
}
