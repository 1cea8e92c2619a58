//! The shape of answers, held against the field lists of the official schema (2026-05-12).

use metapatch::json::Value;
use metapatch::sandbox::Config;

use super::{Stage, unlimited};

const USER_REQUIRED: &str = "id object username first_name last_name has_image primary_email_address_id \
    primary_phone_number_id primary_web3_wallet_id password_enabled two_factor_enabled totp_enabled \
    backup_code_enabled email_addresses phone_numbers web3_wallets passkeys external_accounts saml_accounts \
    enterprise_accounts public_metadata external_id last_sign_in_at banned locked lockout_expires_in_seconds \
    verification_attempts_remaining created_at updated_at delete_self_enabled create_organization_enabled \
    last_active_at mfa_enabled_at mfa_disabled_at legal_accepted_at";
const USER_OPTIONAL: &str = "locale profile_image_url image_url private_metadata unsafe_metadata \
    password_last_updated_at organization_memberships deprovisioned create_organizations_limit bypass_client_trust scim";
const EMAIL: &str = "object email_address verification linked_to reserved created_at updated_at";
const EMAIL_OPTIONAL: &str = "id matches_sso_connection";
const PHONE: &str = "object phone_number verification linked_to reserved created_at updated_at";
const PHONE_OPTIONAL: &str = "id reserved_for_second_factor default_second_factor backup_codes";
const VERIFICATION: &str = "status strategy attempts expire_at";
const VERIFICATION_OPTIONAL: &str = "object channel verified_at_client";
const ORGANIZATION: &str = "object id name slug has_image max_allowed_memberships admin_delete_enabled \
    public_metadata created_at updated_at";
const MEMBERSHIP: &str = "object id role permissions public_metadata created_at updated_at organization";
const PUBLIC_USER_DATA: &str = "user_id first_name last_name profile_image_url image_url has_image";

/// All required fields are there, and, where others are forbidden, no unknown one.
fn check(object: &Value, required: &str, optional: Option<&str>) {
    let members = object.as_object().expect("is an object");
    for name in required.split_whitespace() {
        assert!(members.contains_key(name), "{name} is missing");
    }
    let Some(optional) = optional else { return };
    let known: Vec<_> = required.split_whitespace().chain(optional.split_whitespace()).collect();
    for name in members.keys() {
        assert!(known.contains(&name.as_str()), "{name} is unknown");
    }
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().expect("is a list")
}

#[tokio::test]
async fn users_have_the_fields_of_the_schema() {
    let stage = Stage::new(Config { users: 300, ..unlimited() }).await;
    let list = stage.get("/v1/users?limit=500").await;
    for user in rows(&list.body) {
        check(user, USER_REQUIRED, Some(USER_OPTIONAL));
        for email in rows(&user["email_addresses"]) {
            check(email, EMAIL, Some(EMAIL_OPTIONAL));
            check(&email["verification"], VERIFICATION, Some(VERIFICATION_OPTIONAL));
        }
        for phone in rows(&user["phone_numbers"]) {
            check(phone, PHONE, Some(PHONE_OPTIONAL));
            check(&phone["verification"], VERIFICATION, Some(VERIFICATION_OPTIONAL));
        }
        assert!(user["created_at"].as_i64() > Some(1_600_000_000_000), "milliseconds");
        assert!(user["public_metadata"].is_object() && user["unsafe_metadata"].is_object());
    }
    assert!(rows(&list.body).iter().any(|user| user["private_metadata"].is_null()));
}

#[tokio::test]
async fn organizations_and_memberships_have_the_fields_of_the_schema() {
    let stage = Stage::new(unlimited()).await;
    for organization in rows(&stage.get("/v1/organizations").await.body["data"]) {
        check(organization, ORGANIZATION, None);
    }
    for membership in rows(&stage.get("/v1/organization_memberships?limit=100").await.body["data"]) {
        check(membership, MEMBERSHIP, None);
        check(&membership["organization"], ORGANIZATION, None);
        check(&membership["public_user_data"], PUBLIC_USER_DATA, Some("identifier username banned deprovisioned"));
    }
}
