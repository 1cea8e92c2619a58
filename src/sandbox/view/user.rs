//! Users in the shape of the official schema.

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::world::World;
use super::super::world::id::{Family, mix};
use super::super::world::profile::{Contact, Metadata, Profile};
use super::{IMAGE, write};

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the schema has them")]
struct User<'a> {
    id: &'a str,
    object: &'static str,
    username: Option<&'a str>,
    first_name: Option<&'a str>,
    last_name: Option<&'a str>,
    locale: Option<&'a str>,
    image_url: &'static str,
    has_image: bool,
    primary_email_address_id: Option<&'a str>,
    primary_phone_number_id: Option<&'a str>,
    primary_web3_wallet_id: Option<&'a str>,
    password_enabled: bool,
    two_factor_enabled: bool,
    totp_enabled: bool,
    backup_code_enabled: bool,
    email_addresses: Vec<EmailAddress<'a>>,
    phone_numbers: Vec<PhoneNumber<'a>>,
    web3_wallets: [(); 0],
    passkeys: [(); 0],
    external_accounts: [(); 0],
    saml_accounts: [(); 0],
    enterprise_accounts: [(); 0],
    password_last_updated_at: Option<i64>,
    public_metadata: &'a RawValue,
    private_metadata: &'a RawValue,
    unsafe_metadata: &'a RawValue,
    external_id: Option<&'a str>,
    last_sign_in_at: Option<i64>,
    banned: bool,
    locked: bool,
    lockout_expires_in_seconds: Option<i64>,
    verification_attempts_remaining: Option<i64>,
    created_at: i64,
    updated_at: i64,
    delete_self_enabled: bool,
    bypass_client_trust: bool,
    create_organization_enabled: bool,
    last_active_at: Option<i64>,
    mfa_enabled_at: Option<i64>,
    mfa_disabled_at: Option<i64>,
    legal_accepted_at: Option<i64>,
    profile_image_url: &'static str,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the schema has them")]
struct EmailAddress<'a> {
    id: &'a str,
    object: &'static str,
    email_address: &'a str,
    reserved: bool,
    verification: Verification,
    linked_to: [(); 0],
    matches_sso_connection: bool,
    created_at: i64,
    updated_at: i64,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the schema has them")]
struct PhoneNumber<'a> {
    id: &'a str,
    object: &'static str,
    phone_number: &'a str,
    reserved_for_second_factor: bool,
    default_second_factor: bool,
    reserved: bool,
    verification: Verification,
    linked_to: [(); 0],
    backup_codes: Option<[(); 0]>,
    created_at: i64,
    updated_at: i64,
}

#[derive(Serialize)]
struct Verification {
    object: &'static str,
    status: &'static str,
    strategy: &'static str,
    attempts: u32,
    expire_at: i64,
}

impl Verification {
    fn of(contact: &Contact, strategy: &'static str, created_at: i64) -> Self {
        let status = if contact.verified { "verified" } else { "unverified" };
        let (attempts, expire_at) = (u32::from(contact.verified), created_at + 600_000);
        Self { object: "verification_otp", status, strategy, attempts, expire_at }
    }
}

/// Writes a user; `public` stands in for its public metadata where an answer is to be spoilt.
pub(in crate::sandbox) fn user(out: &mut Vec<u8>, world: &World, slot: u32, public: Option<&RawValue>) {
    let (profile, metadata) = (world.profile(slot), world.metadata(slot));
    write_user(out, &profile, &metadata, public, world.updated_at(slot));
}

fn write_user(out: &mut Vec<u8>, profile: &Profile, metadata: &Metadata, public: Option<&RawValue>, updated_at: i64) {
    let created_at = profile.created_at;
    let ids = contact_ids(profile);
    let (email_ids, phone_ids) = ids.split_at(profile.emails.len());
    let emails = profile.emails.iter().zip(email_ids);
    let phones = profile.phones.iter().zip(phone_ids);
    let [own_public, own_private, own_unsafe] = &metadata.0;
    let user = User {
        id: &profile.id,
        object: "user",
        username: profile.username.as_deref(),
        first_name: profile.first_name.as_deref(),
        last_name: profile.last_name.as_deref(),
        locale: None,
        image_url: IMAGE,
        has_image: false,
        primary_email_address_id: primary(&profile.emails, email_ids),
        primary_phone_number_id: primary(&profile.phones, phone_ids),
        primary_web3_wallet_id: None,
        password_enabled: false,
        two_factor_enabled: false,
        totp_enabled: false,
        backup_code_enabled: false,
        email_addresses: emails.map(|(contact, id)| email_address(contact, id, created_at)).collect(),
        phone_numbers: phones.map(|(contact, id)| phone_number(contact, id, created_at)).collect(),
        web3_wallets: [],
        passkeys: [],
        external_accounts: [],
        saml_accounts: [],
        enterprise_accounts: [],
        password_last_updated_at: None,
        public_metadata: public.unwrap_or(own_public),
        private_metadata: own_private,
        unsafe_metadata: own_unsafe,
        external_id: profile.external_id.as_deref(),
        last_sign_in_at: profile.last_sign_in_at,
        banned: false,
        locked: false,
        lockout_expires_in_seconds: None,
        verification_attempts_remaining: Some(100),
        created_at,
        updated_at,
        delete_self_enabled: true,
        bypass_client_trust: false,
        create_organization_enabled: true,
        last_active_at: profile.last_active_at,
        mfa_enabled_at: None,
        mfa_disabled_at: None,
        legal_accepted_at: None,
        profile_image_url: IMAGE,
    };
    write(out, &user);
}

/// Identifiers of the addresses and then of the numbers of a user, always the same for the same user.
fn contact_ids(profile: &Profile) -> Vec<String> {
    let own = profile.id.bytes().fold(0, |sum, byte| mix(sum ^ u64::from(byte)));
    let count = profile.emails.len() + profile.phones.len();
    (0..count as u64).map(|n| Family::Identification.id(own, n)).collect()
}

fn primary<'a>(contacts: &[Contact], ids: &'a [String]) -> Option<&'a str> {
    let place = contacts.iter().position(|contact| contact.verified)?;
    ids.get(place).map(String::as_str)
}

fn email_address<'a>(contact: &'a Contact, id: &'a str, created_at: i64) -> EmailAddress<'a> {
    EmailAddress {
        id,
        object: "email_address",
        email_address: &contact.text,
        reserved: false,
        verification: Verification::of(contact, "email_code", created_at),
        linked_to: [],
        matches_sso_connection: false,
        created_at,
        updated_at: created_at,
    }
}

fn phone_number<'a>(contact: &'a Contact, id: &'a str, created_at: i64) -> PhoneNumber<'a> {
    PhoneNumber {
        id,
        object: "phone_number",
        phone_number: &contact.text,
        reserved_for_second_factor: false,
        default_second_factor: false,
        reserved: false,
        verification: Verification::of(contact, "phone_code", created_at),
        linked_to: [],
        backup_codes: None,
        created_at,
        updated_at: created_at,
    }
}
