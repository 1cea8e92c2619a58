//! Organizations and memberships in the shape of the official schema.

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::world::World;
use super::super::world::organization::{Organizations, Subject};
use super::super::world::profile::Profile;
use super::{IMAGE, write};

#[derive(Serialize)]
struct Organization<'a> {
    object: &'static str,
    id: String,
    name: String,
    slug: String,
    image_url: &'static str,
    has_image: bool,
    members_count: usize,
    pending_invitations_count: u32,
    max_allowed_memberships: u32,
    admin_delete_enabled: bool,
    public_metadata: &'a RawValue,
    private_metadata: &'a RawValue,
    created_at: i64,
    updated_at: i64,
}

/// Writes an organization.
pub(in crate::sandbox) fn organization(out: &mut Vec<u8>, world: &World, number: u32) {
    with_organization(world, number, |organization| write(out, organization));
}

fn with_organization<T>(world: &World, number: u32, then: impl FnOnce(&Organization<'_>) -> T) -> T {
    let organizations = &world.organizations;
    let held = organizations.held(Subject::Organization(number));
    let [public_metadata, private_metadata, _] = &held.metadata.0;
    then(&Organization {
        object: "organization",
        id: organizations.id(number),
        name: organizations.name(number),
        slug: Organizations::slug(number),
        image_url: IMAGE,
        has_image: false,
        members_count: organizations.members(number).filter(|&user| world.exists(user)).count(),
        pending_invitations_count: 0,
        max_allowed_memberships: 100,
        admin_delete_enabled: true,
        public_metadata,
        private_metadata,
        created_at: Organizations::created_at(number),
        updated_at: held.updated_at,
    })
}

#[derive(Serialize)]
struct Membership<'a> {
    object: &'static str,
    id: String,
    role: &'static str,
    role_name: &'static str,
    permissions: [&'static str; 1],
    public_metadata: &'a RawValue,
    private_metadata: &'a RawValue,
    organization: &'a Organization<'a>,
    public_user_data: PublicUserData<'a>,
    created_at: i64,
    updated_at: i64,
}

#[derive(Serialize)]
struct PublicUserData<'a> {
    user_id: &'a str,
    first_name: Option<&'a str>,
    last_name: Option<&'a str>,
    image_url: &'static str,
    profile_image_url: &'static str,
    has_image: bool,
    identifier: Option<&'a str>,
    username: Option<&'a str>,
    banned: bool,
}

/// Writes the membership of a user in an organization.
pub(in crate::sandbox) fn membership(out: &mut Vec<u8>, world: &World, number: u32, slot: u32) {
    let organizations = &world.organizations;
    let held = organizations.held(Subject::Membership(number, slot));
    let [public_metadata, private_metadata, _] = &held.metadata.0;
    let profile = world.profile(slot);
    let role = Organizations::role(slot);
    with_organization(world, number, |organization| {
        write(
            out,
            &Membership {
                object: "organization_membership",
                id: organizations.membership_id(slot),
                role,
                role_name: if role == "org:admin" { "Admin" } else { "Member" },
                permissions: ["org:sys_memberships:read"],
                public_metadata,
                private_metadata,
                organization,
                public_user_data: public_user_data(&profile),
                created_at: Organizations::created_at(number),
                updated_at: held.updated_at,
            },
        );
    });
}

fn public_user_data(profile: &Profile) -> PublicUserData<'_> {
    let identifier = profile.emails.iter().chain(&profile.phones).find(|contact| contact.verified);
    PublicUserData {
        user_id: &profile.id,
        first_name: profile.first_name.as_deref(),
        last_name: profile.last_name.as_deref(),
        image_url: IMAGE,
        profile_image_url: IMAGE,
        has_image: false,
        identifier: identifier.map(|contact| contact.text.as_str()),
        username: profile.username.as_deref(),
        banned: false,
    }
}
