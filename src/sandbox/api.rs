//! The endpoints, each a plain function of the world and of what is asked.

mod metadata;
mod organizations;
mod page;
mod select;
mod users;

pub use metadata::NullField;
pub use select::Cursor;

use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;

use super::Config;
use super::error::ApiError;
use super::fault::Faults;
use super::query::Params;
use super::rate::is_test_key;
use super::route::{Kind, Route};
use super::world::World;
use super::world::id::Family;
use crate::json::{self, Value};

/// What a request asks for.
pub(super) struct Ask<'a> {
    pub(super) config: &'a Config,
    pub(super) route: &'a Route,
    pub(super) params: &'a Params,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a Bytes,
    pub(super) version: &'static str,
    pub(super) key: &'a str,
    /// Answer as if the write had been applied, and do not apply it.
    pub(super) noop: bool,
    /// Leave filters out of account.
    pub(super) surplus: bool,
}

impl Ask<'_> {
    /// The JSON that was sent; `None` where nothing was.
    fn json(&self) -> Result<Option<Value>, ApiError> {
        if self.body.is_empty() {
            return Ok(None);
        }
        let content_type = self.headers.get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or_default());
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(ApiError::content_type(content_type));
        }
        let text = std::str::from_utf8(self.body).map_err(|_| ApiError::body_invalid())?;
        // A field of the deepest kind stands one level down in the body.
        let value = json::parse_stored(text).map_err(|_| ApiError::body_invalid())?;
        if value.is_object() { Ok(Some(value)) } else { Err(ApiError::body_invalid()) }
    }
}

/// Answers a request; the error is what Clerk would say.
pub(super) fn answer(world: &mut World, faults: &mut Faults, ask: &Ask<'_>) -> Result<Vec<u8>, ApiError> {
    match ask.route.kind {
        Kind::ListUsers => users::list(world, faults, ask),
        Kind::CountUsers => users::count(world, ask),
        Kind::GetUser => users::get(world, faults, ask),
        Kind::CreateUser => users::create(world, ask),
        Kind::PatchUser => users::patch(world, faults, ask),
        Kind::DeleteUser => users::delete(world, ask),
        Kind::PatchUserMetadata | Kind::PutUserMetadata => metadata::write_user(world, faults, ask),
        Kind::ListOrganizations => organizations::list(world, ask),
        Kind::GetOrganization => organizations::get(world, ask),
        Kind::PatchOrganization => organizations::patch(world, ask),
        Kind::PatchOrganizationMetadata | Kind::PutOrganizationMetadata => metadata::write_organization(world, ask),
        Kind::ListMemberships => organizations::memberships(world, ask),
        Kind::ListUserMemberships => organizations::memberships_of_user(world, ask),
        Kind::ListAllMemberships => organizations::all_memberships(world, ask),
        Kind::PatchMembershipMetadata => metadata::write_membership(world, ask),
        Kind::GetInstance if !ask.config.no_instance => Ok(instance(ask)),
        Kind::GetInstance | Kind::Other => Err(ApiError::not_found("The resource was not found.")),
    }
}

fn instance(ask: &Ask<'_>) -> Vec<u8> {
    let test = is_test_key(ask.key);
    let id = Family::Instance
        .id(ask.config.seed, ask.key.bytes().fold(0, |sum, byte| sum * 31 % (1 << 40) + u64::from(byte)));
    let kind = if test { "development" } else { "production" };
    let object = format!(
        r#"{{"object":"instance","id":"{id}","environment_type":"{kind}","allowed_origins":null,"workspace_id":null}}"#
    );
    object.into_bytes()
}
