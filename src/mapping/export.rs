//! What an export of the Clerk Dashboard looks like.

/// The column that identifies the user.
pub(super) const ID: &str = "id";

/// Columns of an export that other files have, too.
const COMMON: [&str; 3] = ["first_name", "last_name", "username"];

/// Columns that hardly anything but an export has.
const CHARACTERISTIC: [&str; 9] = [
    "primary_email_address",
    "primary_phone_number",
    "verified_email_addresses",
    "unverified_email_addresses",
    "verified_phone_numbers",
    "unverified_phone_numbers",
    "totp_secret",
    "password_digest",
    "password_hasher",
];

/// Whether columns of these names are those of an export, with or without some that were added.
pub(super) fn is_export(names: &[&str]) -> bool {
    names.contains(&ID) && names.iter().any(|name| CHARACTERISTIC.contains(name))
}

/// Whether this is one of an export's own columns, the identity aside.
pub(super) fn is_own_column(name: &str) -> bool {
    COMMON.contains(&name) || CHARACTERISTIC.contains(&name)
}

/// Whether a column of this name in a file means that its records hold password digests.
pub(super) fn holds_digests(name: &str) -> bool {
    name == "totp_secret" || name == "password_digest"
}
