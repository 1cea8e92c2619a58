//! The secret key: never shown, wiped when dropped.

use std::borrow::Cow;
use std::fmt::Write as _;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// A secret key of a Clerk instance.
#[derive(Debug, Clone)]
pub struct SecretKey(SecretString);

/// What kind of instance a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// A development instance.
    Test,
    /// Any other: real users.
    Live,
}

/// Why a text is no secret key. The text is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing there.
    #[error("the secret key is empty; copy it from the Clerk Dashboard, under API keys")]
    Empty,
    /// It could not stand in a header.
    #[error("the secret key holds a space, a line break or a character that no key has; copy it again, alone")]
    Unprintable,
    /// The one that browsers get.
    #[error("that is a publishable key (`pk_…`); the secret key begins with `sk_`")]
    Publishable,
}

impl SecretKey {
    /// Takes a key from what somebody typed or a file holds; white space around it is no part of it.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        let key = text.trim();
        if key.is_empty() {
            return Err(KeyError::Empty);
        }
        if !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(KeyError::Unprintable);
        }
        if key.starts_with("pk_") {
            return Err(KeyError::Publishable);
        }
        Ok(Self(key.into()))
    }

    /// The kind of instance, as the key's beginning tells it.
    pub fn kind(&self) -> KeyKind {
        let key = self.0.expose_secret();
        if key.starts_with("sk_test_") || key.starts_with("test_") { KeyKind::Test } else { KeyKind::Live }
    }

    /// A hash that stands for this key at one API: 64 hexadecimal digits. It gives nothing of the key away.
    pub fn hash_with(&self, origin: &str) -> String {
        let mut hash = Sha256::new();
        for part in ["metapatch instance", origin, self.0.expose_secret()] {
            hash.update(part);
            // No part holds a zero byte, so no two triples are hashed alike.
            hash.update([0]);
        }
        hash.finalize().iter().fold(String::new(), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// A text of the server's without the key, should it have sent it back.
    pub(super) fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let key = self.0.expose_secret();
        if text.contains(key) { text.replace(key, "[secret key]").into() } else { text.into() }
    }

    /// The value of the `Authorization` header.
    pub(super) fn bearer(&self) -> SecretString {
        format!("Bearer {}", self.0.expose_secret()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_keys_are_told_from_all_others() {
        for (text, kind) in [
            ("sk_test_notarealkey", KeyKind::Test),
            (" test_notarealkey\n", KeyKind::Test),
            ("sk_live_notarealkey", KeyKind::Live),
            ("live_notarealkey", KeyKind::Live),
            ("SK_TEST_notarealkey", KeyKind::Live),
            ("notarealkey", KeyKind::Live),
        ] {
            assert_eq!(SecretKey::new(text).expect("is a key").kind(), kind, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_without_being_repeated() {
        for text in [
            "",
            " \n",
            "sk_test_hunter2 x",
            "sk_test_hunter2\nsk",
            "sk_test_hunter2\u{e9}",
            "a\0hunter2",
            "pk_test_hunter2",
        ] {
            let error = SecretKey::new(text).expect_err("is no key");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn the_key_is_not_shown() {
        let key = SecretKey::new("sk_test_hunter2").expect("is a key");
        assert!(!format!("{key:?} {:?}", key.bearer()).contains("hunter2"));
        assert_eq!(key.redact("bad key sk_test_hunter2!"), "bad key [secret key]!");
    }

    #[test]
    fn the_hash_tells_keys_and_origins_apart() {
        let hash = |key: &str, origin: &str| SecretKey::new(key).expect("is a key").hash_with(origin);
        let one = hash("sk_test_a", "https://api.clerk.com:443");
        assert!(one.len() == 64 && one.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(one, hash("sk_test_a\n", "https://api.clerk.com:443"));
        assert_ne!(one, hash("sk_test_b", "https://api.clerk.com:443"));
        assert_ne!(one, hash("sk_test_a", "http://127.0.0.1:8080"));
    }
}
