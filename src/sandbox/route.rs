//! Which endpoint a method and a path mean.

use hyper::Method;
use percent_encoding::percent_decode_str;

/// An endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    ListUsers,
    CountUsers,
    GetUser,
    CreateUser,
    PatchUser,
    DeleteUser,
    PatchUserMetadata,
    PutUserMetadata,
    ListOrganizations,
    GetOrganization,
    PatchOrganization,
    PatchOrganizationMetadata,
    PutOrganizationMetadata,
    ListMemberships,
    ListUserMemberships,
    ListAllMemberships,
    PatchMembershipMetadata,
    GetInstance,
    Other,
}

impl Kind {
    /// The name in reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ListUsers => "list_users",
            Self::CountUsers => "count_users",
            Self::GetUser => "get_user",
            Self::CreateUser => "create_user",
            Self::PatchUser => "patch_user",
            Self::DeleteUser => "delete_user",
            Self::PatchUserMetadata => "patch_user_metadata",
            Self::PutUserMetadata => "put_user_metadata",
            Self::ListOrganizations => "list_organizations",
            Self::GetOrganization => "get_organization",
            Self::PatchOrganization => "patch_organization",
            Self::PatchOrganizationMetadata => "patch_organization_metadata",
            Self::PutOrganizationMetadata => "put_organization_metadata",
            Self::ListMemberships => "list_memberships",
            Self::ListUserMemberships => "list_user_memberships",
            Self::ListAllMemberships => "list_all_memberships",
            Self::PatchMembershipMetadata => "patch_membership_metadata",
            Self::GetInstance => "get_instance",
            Self::Other => "other",
        }
    }

    /// Whether it changes something.
    pub(super) fn is_write(self) -> bool {
        use Kind::{CreateUser, DeleteUser, PatchOrganization, PatchUser};
        matches!(self, CreateUser | DeleteUser | PatchUser | PatchOrganization) || self.is_metadata_write()
    }

    /// Whether it writes metadata at one of the `…/metadata` endpoints.
    pub(super) fn is_metadata_write(self) -> bool {
        use Kind::{PatchMembershipMetadata, PatchOrganizationMetadata, PatchUserMetadata};
        matches!(self, PatchUserMetadata | PatchOrganizationMetadata | PatchMembershipMetadata) || self.replaces()
    }

    /// Whether it replaces metadata field by field instead of merging.
    pub(super) fn replaces(self) -> bool {
        matches!(self, Self::PutUserMetadata | Self::PutOrganizationMetadata)
    }
}

/// An endpoint with what stands in its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) kind: Kind,
    /// The user or the organization.
    pub(super) id: String,
    /// The member of the organization.
    pub(super) member: String,
}

impl Route {
    /// Reads a path without its `/v1`.
    pub(super) fn new(method: &Method, path: &str) -> Self {
        let segments: Vec<_> = path.trim_start_matches('/').split('/').collect();
        let (kind, id, member) = match (method.as_str(), segments.as_slice()) {
            ("GET", ["users"]) => (Kind::ListUsers, "", ""),
            ("POST", ["users"]) => (Kind::CreateUser, "", ""),
            ("GET", ["users", "count"]) => (Kind::CountUsers, "", ""),
            ("GET", ["users", id]) => (Kind::GetUser, *id, ""),
            ("PATCH", ["users", id]) => (Kind::PatchUser, *id, ""),
            ("DELETE", ["users", id]) => (Kind::DeleteUser, *id, ""),
            ("PATCH", ["users", id, "metadata"]) => (Kind::PatchUserMetadata, *id, ""),
            ("PUT", ["users", id, "metadata"]) => (Kind::PutUserMetadata, *id, ""),
            ("GET", ["users", id, "organization_memberships"]) => (Kind::ListUserMemberships, *id, ""),
            ("GET", ["organizations"]) => (Kind::ListOrganizations, "", ""),
            ("GET", ["organizations", id]) => (Kind::GetOrganization, *id, ""),
            ("PATCH", ["organizations", id]) => (Kind::PatchOrganization, *id, ""),
            ("PATCH", ["organizations", id, "metadata"]) => (Kind::PatchOrganizationMetadata, *id, ""),
            ("PUT", ["organizations", id, "metadata"]) => (Kind::PutOrganizationMetadata, *id, ""),
            ("GET", ["organizations", id, "memberships"]) => (Kind::ListMemberships, *id, ""),
            ("PATCH", ["organizations", id, "memberships", member, "metadata"]) => {
                (Kind::PatchMembershipMetadata, *id, *member)
            }
            ("GET", ["organization_memberships"]) => (Kind::ListAllMemberships, "", ""),
            ("GET", ["instance"]) => (Kind::GetInstance, "", ""),
            _ => (Kind::Other, "", ""),
        };
        Self { kind, id: decode(id), member: decode(member) }
    }

    /// The user that is written or read, if it is one.
    pub(super) fn user_id(&self) -> Option<&str> {
        use Kind::{DeleteUser, GetUser, ListUserMemberships, PatchUser, PatchUserMetadata, PutUserMetadata};
        match self.kind {
            Kind::PatchMembershipMetadata => Some(&self.member),
            GetUser | PatchUser | DeleteUser | PatchUserMetadata | PutUserMetadata | ListUserMemberships => {
                Some(&self.id)
            }
            _ => None,
        }
    }
}

fn decode(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_their_endpoint() {
        let route = |method, path| Route::new(&method, path);
        assert_eq!(route(Method::GET, "/users").kind, Kind::ListUsers);
        assert_eq!(route(Method::GET, "/users/count").kind, Kind::CountUsers);
        assert_eq!(route(Method::PATCH, "/users/user_%31/metadata").id, "user_1");
        assert_eq!(route(Method::PUT, "/users/x/metadata").kind, Kind::PutUserMetadata);
        assert_eq!(route(Method::PUT, "/organizations/o/memberships/u/metadata").kind, Kind::Other);
        assert_eq!(route(Method::PATCH, "/organizations/o/memberships/u/metadata").member, "u");
        assert_eq!(route(Method::POST, "/users/x/metadata").kind, Kind::Other);
        assert_eq!(route(Method::GET, "/").kind, Kind::Other);
    }
}
