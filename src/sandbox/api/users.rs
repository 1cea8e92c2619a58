//! Users: list, count, get, create, change, delete.

use serde_json::value::RawValue;

use super::super::error::ApiError;
use super::super::fault::{FaultKind, Faults};
use super::super::rate::is_test_key;
use super::super::view;
use super::super::world::profile::{Contact, FIELDS, Handle, Metadata, Profile, raw};
use super::super::world::{World, now};
use super::metadata::{refuse_apart, replaced};
use super::page::{array, total_count};
use super::{Ask, select};
use crate::json::Value;

/// How many users a development instance holds.
const MOST_TEST_USERS: usize = 100;

/// What `PATCH /users/{id}` takes and the sandbox has no use for.
const WITHOUT_EFFECT: [&str; 19] = [
    "locale",
    "primary_email_address_id",
    "notify_primary_email_address_changed",
    "primary_phone_number_id",
    "primary_web3_wallet_id",
    "profile_image_id",
    "password",
    "password_digest",
    "password_hasher",
    "skip_password_checks",
    "sign_out_of_other_sessions",
    "totp_secret",
    "backup_codes",
    "delete_self_enabled",
    "create_organization_enabled",
    "legal_accepted_at",
    "skip_legal_checks",
    "create_organizations_limit",
    "bypass_client_trust",
];

/// What `POST /users` takes besides.
const WITHOUT_EFFECT_ON_CREATION: [&str; 7] = [
    "email_address_identification_status",
    "phone_number_identification_status",
    "web3_wallet",
    "skip_password_requirement",
    "skip_user_requirement",
    "banned",
    "locked",
];

const TEXTS: [&str; 4] = ["external_id", "username", "first_name", "last_name"];

/// `GET /users`: a bare array.
pub(super) fn list(world: &mut World, faults: &mut Faults, ask: &Ask<'_>) -> Result<Vec<u8>, ApiError> {
    let slots = select::page(world, ask)?;
    let mut out = Vec::with_capacity(64 + 2048 * slots.len());
    array(&mut out, slots.iter(), |out, &slot| write_user_view(out, world, slot, faults));
    follow_read(world, faults, &slots);
    Ok(out)
}

/// `GET /users/count`.
pub(super) fn count(world: &World, ask: &Ask<'_>) -> Result<Vec<u8>, ApiError> {
    select::count(world, ask.params).map(total_count)
}

/// `GET /users/{id}`.
pub(super) fn get(world: &mut World, faults: &mut Faults, ask: &Ask<'_>) -> Result<Vec<u8>, ApiError> {
    let slot = find(world, ask)?;
    let mut out = Vec::with_capacity(2048);
    write_user_view(&mut out, world, slot, faults);
    follow_read(world, faults, &[slot]);
    Ok(out)
}

fn find(world: &World, ask: &Ask<'_>) -> Result<u32, ApiError> {
    world.slot(&ask.route.id).ok_or_else(|| ApiError::user_not_found(&ask.route.id))
}

/// `POST /users`.
pub(super) fn create(world: &mut World, ask: &Ask<'_>) -> Result<Vec<u8>, ApiError> {
    let given = ask.json()?.ok_or_else(ApiError::body_invalid)?;
    refuse_unknown(&given, |key| {
        FIELDS.contains(&key)
            || ["email_address", "phone_number", "created_at"].contains(&key)
            || WITHOUT_EFFECT_ON_CREATION.contains(&key)
    })?;
    if ask.config.cap_test_users && is_test_key(ask.key) && world.len() >= MOST_TEST_USERS {
        return Err(ApiError::user_quota());
    }
    let mut profile = Profile { created_at: created_at(&given)?, ..Profile::default() };
    take_texts(&mut profile, &given)?;
    profile.emails = contacts(&given, "email_address")?;
    profile.phones = contacts(&given, "phone_number")?;
    refuse_taken(world, &profile, None)?;
    let metadata = replaced(&Metadata::default(), &given)?;
    let slot = world.add(profile, metadata, None);
    let mut out = Vec::with_capacity(2048);
    view::user(&mut out, world, slot, None);
    Ok(out)
}

/// `PATCH /users/{id}`: metadata is replaced by versions that still take it here, and refused by the others.
pub(super) fn patch(world: &mut World, faults: &Faults, ask: &Ask<'_>) -> Result<Vec<u8>, ApiError> {
    let given = ask.json()?.unwrap_or_default();
    for name in FIELDS.iter().filter(|name| given.get(name).is_some()) {
        refuse_apart(ask, name, "users/{user_id}")?;
    }
    refuse_unknown(&given, |key| FIELDS.contains(&key) || key == "created_at")?;
    let slot = find(world, ask)?;
    let metadata = replaced(&world.metadata(slot), &given)?;
    let mut profile = world.profile(slot).into_owned();
    take_texts(&mut profile, &given)?;
    refuse_taken(world, &profile, Some(slot))?;
    if !ask.noop {
        if let Some(metadata) = metadata {
            world.set_metadata(slot, metadata);
        }
        if profile != *world.profile(slot) {
            world.set_profile(slot, profile);
        }
    }
    let mut out = Vec::with_capacity(2048);
    write_user_view(&mut out, world, slot, faults);
    Ok(out)
}

/// `DELETE /users/{id}`.
pub(super) fn delete(world: &mut World, ask: &Ask<'_>) -> Result<Vec<u8>, ApiError> {
    let slot = find(world, ask)?;
    if !ask.noop {
        world.delete(slot);
    }
    let id = Value::String(ask.route.id.clone());
    Ok(format!(r#"{{"id":{id},"object":"user","deleted":true}}"#).into_bytes())
}

/// Writes a user as answers show it, spoilt where that is wanted.
pub(super) fn write_user_view(out: &mut Vec<u8>, world: &World, slot: u32, faults: &Faults) {
    let kind = if faults.any_spoilt() { faults.spoilt(&world.profile(slot).id) } else { None };
    let public = kind.map(spoilt_field);
    view::user(out, world, slot, public.as_deref());
}

fn spoilt_field(kind: FaultKind) -> Box<RawValue> {
    const DEPTH: usize = 3_000;
    match kind {
        FaultKind::UnreadableDeep => raw(&format!(r#"{{"deep":{}{}}}"#, "[".repeat(DEPTH), "]".repeat(DEPTH))),
        _ => raw(r#"{"lone":"\ud800"}"#),
    }
}

/// Lets others get at users that were just read.
fn follow_read(world: &mut World, faults: &mut Faults, slots: &[u32]) {
    if !faults.any_follow_reads() {
        return;
    }
    for &slot in slots {
        if let Some(fault) = faults.follow_read(&world.profile(slot).id) {
            let count = faults.fired.get(&fault.kind).copied().unwrap_or_default();
            fault.interfere(world, slot, count);
        }
    }
}

fn refuse_unknown(given: &Value, is_known: impl Fn(&str) -> bool) -> Result<(), ApiError> {
    let is_known = |key: &str| is_known(key) || TEXTS.contains(&key) || WITHOUT_EFFECT.contains(&key);
    let mut keys = given.as_object().into_iter().flat_map(|members| members.keys());
    keys.find(|key| !is_known(key)).map_or(Ok(()), |key| Err(ApiError::unknown(key)))
}

/// Takes over names and identifiers; null and the empty text remove them.
fn take_texts(profile: &mut Profile, given: &Value) -> Result<(), ApiError> {
    let Profile { external_id, username, first_name, last_name, .. } = profile;
    for (name, own) in TEXTS.iter().zip([external_id, username, first_name, last_name]) {
        match given.get(name) {
            None => {}
            Some(Value::Null) => *own = None,
            Some(Value::String(text)) => *own = Some(text.clone()).filter(|text| !text.is_empty()),
            Some(_) => return Err(ApiError::value_invalid(name, format!("{name} must be a string."))),
        }
    }
    Ok(())
}

fn contacts(given: &Value, name: &str) -> Result<Vec<Contact>, ApiError> {
    let wrong = || ApiError::value_invalid(name, format!("{name} must be an array of strings."));
    let items = match given.get(name) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(items) => items.as_array().ok_or_else(wrong)?,
    };
    items.iter().map(|item| item.as_str().map(Contact::verified).ok_or_else(wrong)).collect()
}

fn created_at(given: &Value) -> Result<i64, ApiError> {
    let name = "created_at";
    let wrong = || ApiError::format_invalid(name, "created_at must be a date and time as RFC 3339 has it.");
    match given.get(name) {
        None | Some(Value::Null) => Ok(now()),
        Some(text) => {
            let moment = text.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
            moment.map(jiff::Timestamp::as_millisecond).ok_or_else(wrong)
        }
    }
}

/// Identifiers are unique among verified ones.
fn refuse_taken(world: &World, profile: &Profile, own: Option<u32>) -> Result<(), ApiError> {
    for (handle, text) in profile.handles() {
        let (name, verified): (_, fn(&Profile) -> &[Contact]) = match handle {
            Handle::ExternalId => ("external_id", |_| &[]),
            Handle::Username => ("username", |_| &[]),
            Handle::Email => ("email_address", |user| &user.emails),
            Handle::Phone => ("phone_number", |user| &user.phones),
        };
        let holds = |slot: u32| {
            let other = world.profile(slot);
            let contacts = verified(&other);
            contacts.is_empty() || contacts.iter().any(|contact| contact.verified && contact.text == text)
        };
        if world.find(handle, text).into_iter().any(|slot| Some(slot) != own && holds(slot)) {
            return Err(ApiError::identifier_exists(name));
        }
    }
    Ok(())
}
