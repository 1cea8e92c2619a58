//! Organizations and memberships: list, get, rename.

use super::super::error::ApiError;
use super::super::view;
use super::super::world::World;
use super::super::world::organization::Organizations;
use super::Ask;
use super::page::{Signed, enveloped, order_by};
use crate::json::Value;

const FIELDS: [&str; 2] = ["public_metadata", "private_metadata"];
const WITHOUT_EFFECT: [&str; 5] =
    ["slug", "max_allowed_memberships", "admin_delete_enabled", "created_at", "role_set_key"];
const MEMBERSHIP_ORDERS: [&str; 7] =
    ["created_at", "updated_at", "first_name", "last_name", "email_address", "phone_number", "username"];

/// `GET /organizations`.
pub(super) fn list(world: &World, ask: &Ask<'_>) -> Result<Vec<u8>, ApiError> {
    let organizations = &world.organizations;
    let ids = Signed::of(ask.params, "organization_id")?;
    let users = Signed::of(ask.params, "user_id")?;
    let of =
        |ids: &[&str]| -> Vec<u32> { ids.iter().filter_map(|id| organizations.of_user(world.slot(id)?)).collect() };
    let (with, without) = (of(&users.include), of(&users.exclude));
    let query = ask.params.first("query").unwrap_or_default().to_lowercase();
    let matches = |number: u32| {
        let (id, name) = (organizations.id(number), organizations.name(number).to_lowercase());
        let slug = Organizations::slug(number);
        ids.passes(&id)
            && (users.include.is_empty() || with.contains(&number))
            && !without.contains(&number)
            && (query.is_empty() || name.contains(&query) || slug.contains(&query) || id.eq_ignore_ascii_case(&query))
    };
    let mut rows: Vec<_> = (0..organizations.count()).filter(|&number| matches(number)).collect();
    let (descending, order) = order_by(ask.params, &["name", "created_at", "members_count"])?;
    match order {
        "name" => rows.sort_by_cached_key(|&number| organizations.name(number)),
        "members_count" => rows.sort_by_cached_key(|&number| organizations.members(number).count()),
        _ => {}
    }
    if descending {
        rows.reverse();
    }
    enveloped(ask, &rows, |out, number| view::organization(out, world, number))
}

/// `GET /organizations/{id or slug}`.
pub(super) fn get(world: &World, ask: &Ask<'_>) -> Result<Vec<u8>, ApiError> {
    let number = find(world, ask)?;
    let mut out = Vec::with_capacity(1024);
    view::organization(&mut out, world, number);
    Ok(out)
}

/// `PATCH /organizations/{id}`: metadata as with users; of the rest only the name has an effect.
pub(super) fn patch(world: &mut World, ask: &Ask<'_>) -> Result<Vec<u8>, ApiError> {
    let given = ask.json()?.ok_or_else(ApiError::body_invalid)?;
    let members = given.as_object().into_iter().flatten();
    for (key, value) in members {
        let name = key.as_str();
        if FIELDS.contains(&name) {
            super::metadata::refuse_apart(ask, name, "organizations/{organization_id}")?;
        } else if name == "name" && !value.is_string() {
            return Err(ApiError::value_invalid(name, "name must be a string."));
        } else if name != "name" && !WITHOUT_EFFECT.contains(&name) {
            return Err(ApiError::unknown(name));
        }
    }
    let number = find(world, ask)?;
    super::metadata::replace_organization(world, number, &given, ask)?;
    if let Some(name) = given.get("name").and_then(Value::as_str).filter(|_| !ask.noop) {
        world.organizations.rename(number, name.to_owned());
    }
    get(world, ask)
}

fn find(world: &World, ask: &Ask<'_>) -> Result<u32, ApiError> {
    world.organizations.number(&ask.route.id).ok_or_else(ApiError::organization_not_found)
}

/// `GET /organizations/{id}/memberships`.
pub(super) fn memberships(world: &World, ask: &Ask<'_>) -> Result<Vec<u8>, ApiError> {
    let number = find(world, ask)?;
    let users = Signed::of(ask.params, "user_id")?;
    let roles = ask.params.all("role")?;
    let matches = |&slot: &u32| {
        world.exists(slot)
            && users.passes(&world.profile(slot).id)
            && (roles.is_empty() || roles.contains(&Organizations::role(slot)))
    };
    let rows = world.organizations.members(number).filter(matches).map(|slot| (number, slot));
    write(world, ask, rows.collect())
}

/// `GET /users/{id}/organization_memberships`.
pub(super) fn memberships_of_user(world: &World, ask: &Ask<'_>) -> Result<Vec<u8>, ApiError> {
    let slot = world.slot(&ask.route.id).ok_or_else(|| ApiError::user_not_found(&ask.route.id))?;
    write(world, ask, world.organizations.of_user(slot).map(|number| (number, slot)).into_iter().collect())
}

/// `GET /organization_memberships`.
pub(super) fn all_memberships(world: &World, ask: &Ask<'_>) -> Result<Vec<u8>, ApiError> {
    let organizations = &world.organizations;
    let of = |number| organizations.members(number).map(move |slot| (number, slot));
    let rows = (0..organizations.count()).flat_map(of).filter(|&(_, slot)| world.exists(slot));
    write(world, ask, rows.collect())
}

fn write(world: &World, ask: &Ask<'_>, mut rows: Vec<(u32, u32)>) -> Result<Vec<u8>, ApiError> {
    // Other orders are taken and leave the rows as they are, which is by creation.
    let (descending, _) = order_by(ask.params, &MEMBERSHIP_ORDERS)?;
    if descending {
        rows.reverse();
    }
    enveloped(ask, &rows, |out, (number, slot)| view::membership(out, world, number, slot))
}
