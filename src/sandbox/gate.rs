//! What is looked at before anything else: the key, then the version of the API.

use std::collections::HashSet;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

use super::error::ApiError;
use super::query::Params;

/// The versions the API knows, oldest first.
pub(super) const VERSIONS: [&str; 5] = ["2021-02-05", "2024-10-01", "2025-04-10", "2025-11-10", "2026-05-12"];
/// The version from which on metadata is written at `…/metadata` only.
pub(super) const METADATA_APART: &str = "2026-05-12";

/// The key of a request: one of `keys`, or, where there are none, any that looks like one.
pub(super) fn key<'h>(headers: &'h HeaderMap, keys: &[String], revoked: &HashSet<String>) -> Result<&'h str, ApiError> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = header.and_then(|text| text.strip_prefix("Bearer ")).ok_or_else(ApiError::authorization_format)?;
    let known = if keys.is_empty() { looks_like_one(key) } else { keys.iter().any(|known| known == key) };
    if known && !revoked.contains(key) { Ok(key) } else { Err(ApiError::key_invalid()) }
}

fn looks_like_one(key: &str) -> bool {
    let rest = ["sk_test_", "sk_live_", "test_", "live_"].iter().find_map(|prefix| key.strip_prefix(prefix));
    rest.is_some_and(|rest| !rest.is_empty())
}

/// The version a request asks for, in its header or its query.
pub(super) fn version(headers: &HeaderMap, params: &Params, default: &'static str) -> Result<&'static str, ApiError> {
    let header = headers.get("clerk-api-version").map(|value| value.to_str().unwrap_or_default());
    let asked = match (header, params.first("__clerk_api_version")) {
        (Some(_), Some(_)) => return Err(ApiError::api_version("give it in the header or in the query, not in both")),
        (None, None) => return Ok(default),
        (asked, None) | (None, asked) => asked.unwrap_or_default(),
    };
    known_version(asked).ok_or_else(|| ApiError::api_version(&format!("there is no version `{asked}`")))
}

/// The version of that name.
pub(super) fn known_version(name: &str) -> Option<&'static str> {
    VERSIONS.into_iter().find(|known| *known == name)
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        headers
    }

    #[test]
    fn keys_are_told_apart() {
        let accepted =
            |value: &'static str, keys: &[String]| key(&headers("authorization", value), keys, &HashSet::new()).is_ok();
        assert!(accepted("Bearer sk_test_x", &[]) && accepted("Bearer live_x", &[]));
        for wrong in ["Bearer notakey", "Basic abc", "bearer sk_test_x", "Bearer sk_test_", "Bearer  sk_test_x"] {
            assert!(!accepted(wrong, &[]), "{wrong}");
        }
        let own = ["mine".to_owned()];
        assert!(accepted("Bearer mine", &own) && !accepted("Bearer sk_test_x", &own));
        let revoked = HashSet::from(["sk_test_x".to_owned()]);
        assert!(key(&headers("authorization", "Bearer sk_test_x"), &[], &revoked).is_err());
    }

    #[test]
    fn versions_are_checked() {
        let none = Params::default();
        assert_eq!(version(&HeaderMap::new(), &none, VERSIONS[4]).expect("the default"), "2026-05-12");
        let header = headers("clerk-api-version", "2025-11-10");
        assert_eq!(version(&header, &none, VERSIONS[4]).expect("is known"), "2025-11-10");
        let both = Params::parse(Some("__clerk_api_version=2025-11-10"));
        assert_eq!(version(&header, &both, VERSIONS[4]).expect_err("is twice").status, StatusCode::BAD_REQUEST);
        assert!(version(&headers("clerk-api-version", "v1"), &none, VERSIONS[4]).is_err());
    }
}
