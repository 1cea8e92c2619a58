//! The query of a batched read.

use std::fmt::Write as _;

use crate::target::{Batch, MAX_PAGE};

/// The query that asks for a batch: the key repeated for each value, and always an explicit limit, for the API's own is
/// ten.
pub(super) fn query(batch: &Batch) -> String {
    let kind = batch.kind();
    let mut query = String::new();
    for value in batch.values() {
        query.push_str(kind.name());
        query.push('=');
        // A leading sign would be taken as "with" or "without" what follows it.
        if kind.is_unique() && value.starts_with(['+', '-']) {
            encode("+", &mut query);
        }
        encode(value, &mut query);
        query.push('&');
    }
    // Several users may share an address or a name until they have proved to own it.
    let limit = if kind.is_unique() { batch.values().len() } else { MAX_PAGE };
    // Writing to a string cannot fail.
    let _ = write!(query, "limit={limit}");
    query
}

/// Percent-encodes everything that could mean something else anywhere in a query.
fn encode(text: &str, query: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            query.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(query, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::IdentityKind;

    fn asked(kind: IdentityKind, values: &[&str]) -> String {
        query(&Batch::of(kind, values.iter().map(|value| (*value).to_owned()).collect()))
    }

    #[test]
    fn the_key_is_repeated_and_the_limit_is_explicit() {
        assert_eq!(asked(IdentityKind::UserId, &["user_1", "user_2"]), "user_id=user_1&user_id=user_2&limit=2");
        assert_eq!(asked(IdentityKind::Username, &["ann"]), "username=ann&limit=500");
    }

    #[test]
    fn no_value_can_change_the_query() {
        assert_eq!(
            asked(IdentityKind::EmailAddress, &["a+b&limit=1@ex.com#%20 ü"]),
            "email_address=a%2Bb%26limit%3D1%40ex.com%23%2520%20%C3%BC&limit=500"
        );
    }

    #[test]
    fn an_external_id_with_a_leading_sign_is_asked_for_and_not_left_out() {
        assert_eq!(
            asked(IdentityKind::ExternalId, &["-7", "+7", "7-"]),
            "external_id=%2B-7&external_id=%2B%2B7&external_id=7-&limit=3"
        );
        assert_eq!(asked(IdentityKind::PhoneNumber, &["+15555550100"]), "phone_number=%2B15555550100&limit=500");
    }
}
