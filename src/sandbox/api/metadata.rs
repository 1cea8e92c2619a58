//! `PATCH` and `PUT …/metadata`: the merge and the replacement, whole or not at all.

use super::super::error::ApiError;
use super::super::fault::Faults;
use super::super::gate::METADATA_APART;
use super::super::view;
use super::super::world::World;
use super::super::world::organization::Subject;
use super::super::world::profile::{FIELDS, Metadata, merged, raw};
use super::Ask;
use super::users::write_user_view;
use crate::json::Value;

/// What a field whole `null` does in a `PATCH`, which nobody has documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum NullField {
    /// 422, as the schema has it.
    #[default]
    Refuse,
    /// The field stays as it is.
    Ignore,
    /// The field becomes `{}`.
    Clear,
}

/// The most bytes a field may have.
pub(crate) const MOST_BYTES: usize = 8192;

/// Writes the metadata of a user.
pub(super) fn write_user(world: &mut World, faults: &Faults, ask: &Ask<'_>) -> Result<Vec<u8>, ApiError> {
    let given = ask.json()?.unwrap_or_default();
    refuse_unknown(&given, &FIELDS)?;
    let slot = world.slot(&ask.route.id).ok_or_else(|| ApiError::user_not_found(&ask.route.id))?;
    let after = changed(&world.metadata(slot), &given, ask)?;
    if let Some(after) = after.filter(|_| !ask.noop) {
        world.set_metadata(slot, after);
    }
    let mut out = Vec::with_capacity(2048);
    write_user_view(&mut out, world, slot, faults);
    Ok(out)
}

/// Writes the metadata of an organization; here a body is required.
pub(super) fn write_organization(world: &mut World, ask: &Ask<'_>) -> Result<Vec<u8>, ApiError> {
    let given = ask.json()?.ok_or_else(ApiError::body_invalid)?;
    refuse_unknown(&given, &FIELDS[..2])?;
    let number = world.organizations.number(&ask.route.id).ok_or_else(ApiError::organization_not_found)?;
    write_subject(world, Subject::Organization(number), &given, ask)?;
    let mut out = Vec::with_capacity(1024);
    view::organization(&mut out, world, number);
    Ok(out)
}

/// Writes the metadata of a membership.
pub(super) fn write_membership(world: &mut World, ask: &Ask<'_>) -> Result<Vec<u8>, ApiError> {
    let given = ask.json()?.unwrap_or_default();
    refuse_unknown(&given, &FIELDS[..2])?;
    let number = world.organizations.number(&ask.route.id).ok_or_else(ApiError::organization_not_found)?;
    let slot = world.slot(&ask.route.member).filter(|&slot| world.organizations.of_user(slot) == Some(number));
    let slot =
        slot.ok_or_else(|| ApiError::not_found("No membership was found for this user in this organization."))?;
    write_subject(world, Subject::Membership(number, slot), &given, ask)?;
    let mut out = Vec::with_capacity(1024);
    view::membership(&mut out, world, number, slot);
    Ok(out)
}

fn write_subject(world: &mut World, subject: Subject, given: &Value, ask: &Ask<'_>) -> Result<(), ApiError> {
    let held = world.organizations.held(subject);
    if let Some(after) = changed(&held.metadata, given, ask)?.filter(|_| !ask.noop) {
        world.organizations.set(subject, after);
    }
    Ok(())
}

fn refuse_unknown(given: &Value, known: &[&str]) -> Result<(), ApiError> {
    let mut keys = given.as_object().into_iter().flat_map(|members| members.keys());
    keys.find(|key| !known.contains(&key.as_str())).map_or(Ok(()), |key| Err(ApiError::unknown(key)))
}

/// What is held after a write; `None` where nothing was given. Nothing is changed before all is known to be well.
fn changed(before: &Metadata, given: &Value, ask: &Ask<'_>) -> Result<Option<Metadata>, ApiError> {
    let mut after = before.clone();
    let mut any = false;
    for (place, name) in FIELDS.iter().enumerate() {
        let Some(value) = given.get(name) else { continue };
        let field = match value {
            Value::Object(_) if ask.route.kind.replaces() => value.to_string(),
            Value::Object(_) => merged(&before.0[place], value).to_string(),
            Value::Null if ask.route.kind.replaces() => "null".to_owned(),
            Value::Null => match ask.config.null_field {
                NullField::Refuse => return Err(not_an_object(name)),
                NullField::Ignore => continue,
                NullField::Clear => "{}".to_owned(),
            },
            _ => return Err(not_an_object(name)),
        };
        after.0[place] = raw(checked(name, &field)?);
        any = true;
    }
    Ok(any.then_some(after))
}

/// Refuses metadata where its version of the API no longer takes it.
pub(super) fn refuse_apart(ask: &Ask<'_>, name: &str, path: &str) -> Result<(), ApiError> {
    if ask.version < METADATA_APART {
        return Ok(());
    }
    let instead = format!("Use PATCH /v1/{path}/metadata or PUT /v1/{path}/metadata instead.");
    Err(ApiError::deprecated(name, &instead))
}

/// What is held once the given fields stand in place of the old ones; `None` where nothing was given.
pub(super) fn replaced(before: &Metadata, given: &Value) -> Result<Option<Metadata>, ApiError> {
    let mut after = None;
    for (place, name) in FIELDS.iter().enumerate() {
        let Some(value) = given.get(name) else { continue };
        let text = match value {
            Value::Null => "{}".to_owned(),
            Value::Object(_) => value.to_string(),
            _ => return Err(not_an_object(name)),
        };
        after.get_or_insert_with(|| before.clone()).0[place] = raw(checked(name, &text)?);
    }
    Ok(after)
}

/// Replaces the metadata of an organization, as `PATCH /organizations/{id}` once did.
pub(super) fn replace_organization(
    world: &mut World,
    number: u32,
    given: &Value,
    ask: &Ask<'_>,
) -> Result<(), ApiError> {
    let subject = Subject::Organization(number);
    let after = replaced(&world.organizations.held(subject).metadata, given)?;
    if let Some(after) = after.filter(|_| !ask.noop) {
        world.organizations.set(subject, after);
    }
    Ok(())
}

/// The text of a field, unless it is too large.
fn checked<'t>(name: &str, text: &'t str) -> Result<&'t str, ApiError> {
    if text.len() > MOST_BYTES { Err(ApiError::too_large(name, MOST_BYTES)) } else { Ok(text) }
}

/// A metadata field that holds something else than an object.
fn not_an_object(name: &str) -> ApiError {
    ApiError::value_invalid(name, format!("{name} must be a valid JSON object."))
}
