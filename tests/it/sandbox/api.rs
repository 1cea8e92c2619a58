//! Keys, versions, errors, and what writes do.

use metapatch::sandbox::{Config, NullField, user_id};
use reqwest::Method;

use super::{Stage, metadata_path, read, unlimited, value};

#[tokio::test]
async fn the_key_is_looked_at_before_the_path() {
    let stage = Stage::new(unlimited()).await;
    for path in ["/v1/users", "/v1/no-such-thing"] {
        let request = stage.client.get(format!("{}{path}", stage.sandbox.url()));
        let got = read(request.try_clone().expect("no body").send().await.expect("an answer")).await;
        assert_eq!((got.status, got.code()), (401, "authorization_header_format_invalid"));
        let trace = got.header("x-clerk-trace-id").expect("is traced").to_owned();
        assert!(trace.len() == 32 && trace.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()));
        assert_eq!(got.body["clerk_trace_id"], trace.as_str());
        assert_eq!(got.header("content-type"), Some("application/json"));
        assert!(got.body["errors"][0].get("meta").is_none());
        let got = read(request.bearer_auth("notakey").send().await.expect("an answer")).await;
        assert_eq!((got.status, got.code()), (401, "clerk_key_invalid"));
    }
    assert_eq!(stage.get("/v1/no-such-thing").await.status, 404);
    assert_eq!(stage.get("/users").await.status, 404);
}

#[tokio::test]
async fn errors_are_written_byte_for_byte_as_recorded() {
    let stage = Stage::new(unlimited()).await;
    let response = stage.client.get(format!("{}/v1/users", stage.sandbox.url())).send().await.expect("an answer");
    let text = response.text().await.expect("a body");
    let recorded = "{\"errors\":[{\"message\":\"Invalid Authorization header format\",\"long_message\":\"Invalid Authorization header format. Must be 'Bearer \\u003cYOUR_API_KEY\\u003e'\",\"code\":\"authorization_header_format_invalid\"}],\"clerk_trace_id\":\"";
    assert!(text.starts_with(recorded), "{text}");
}

#[tokio::test]
async fn versions_are_checked_and_echoed() {
    let stage = Stage::new(unlimited()).await;
    let url = format!("{}/v1/users/count", stage.sandbox.url());
    let ask = |header: Option<&'static str>, query: &str| {
        let mut request = stage.client.get(format!("{url}{query}")).bearer_auth("sk_test_x");
        if let Some(version) = header {
            request = request.header("clerk-api-version", version);
        }
        async { read(request.send().await.expect("an answer")).await }
    };
    assert_eq!(ask(None, "").await.header("clerk-api-version"), Some("2026-05-12"));
    assert_eq!(ask(Some("2025-11-10"), "").await.header("clerk-api-version"), Some("2025-11-10"));
    assert_eq!(ask(None, "?__clerk_api_version=2021-02-05").await.header("clerk-api-version"), Some("2021-02-05"));
    for wrong in [ask(Some("2020-01-01"), "").await, ask(Some("2025-11-10"), "?__clerk_api_version=2025-11-10").await] {
        assert_eq!((wrong.status, wrong.code()), (400, "api_version_invalid"));
    }
}

#[tokio::test]
async fn a_merge_is_a_merge_patch() {
    let stage = Stage::new(unlimited()).await;
    let id = user_id(1, 3);
    let before = value(r#"{"public_metadata":{"a":1.0,"b":{"c":1,"d":[1,2]},"e":"x"},"private_metadata":null}"#);
    assert!(stage.sandbox.set_metadata(&id, &before));
    let unsafe_before = stage.sandbox.metadata(&id).expect("is there")["unsafe_metadata"].clone();
    let first = stage.get(&format!("/v1/users/{id}")).await;
    let patch = r#"{"public_metadata":{"b":{"c":null,"d":[null]},"e":{"x":null},"big":123456789012345678901234567890},
                    "private_metadata":{"k":1e2}}"#;
    let got = stage.merge(3, patch).await;
    assert_eq!(got.status, 200);
    let expected = r#"{"a":1.0,"b":{"d":[null]},"e":{},"big":123456789012345678901234567890}"#;
    assert_eq!(got.body["public_metadata"], value(expected));
    assert_eq!(got.body["private_metadata"], value(r#"{"k":1e2}"#));
    assert_eq!(got.body["unsafe_metadata"], unsafe_before);
    assert!(got.body["updated_at"].as_i64() > first.body["updated_at"].as_i64());
    assert_eq!(stage.get(&format!("/v1/users/{id}")).await.body, got.body);
}

#[tokio::test]
async fn a_key_that_looks_like_a_number_token_is_stored_as_it_is() {
    let stage = Stage::new(unlimited()).await;
    let got = stage.merge(0, r#"{"public_metadata":{"x":{"$serde_json::private::Number":"1"}}}"#).await;
    assert_eq!(got.body["public_metadata"]["x"].to_string(), r#"{"$serde_json::private::Number":"1"}"#);
}

#[tokio::test]
async fn a_replacement_is_field_by_field() {
    let stage = Stage::new(unlimited()).await;
    let (id, path) = (user_id(1, 3), metadata_path(3));
    let before = value(r#"{"public_metadata":{"a":1},"private_metadata":{"b":2},"unsafe_metadata":{"c":3}}"#);
    stage.sandbox.set_metadata(&id, &before);
    let got = stage.ask(Method::PUT, &path, r#"{"public_metadata":{"n":null},"private_metadata":{}}"#).await;
    assert_eq!(got.body["public_metadata"], value(r#"{"n":null}"#));
    assert_eq!(got.body["private_metadata"], value("{}"));
    assert_eq!(got.body["unsafe_metadata"], value(r#"{"c":3}"#));
    let got = stage.ask(Method::PUT, &path, r#"{"private_metadata":null}"#).await;
    assert!(got.body["private_metadata"].is_null());
    assert_eq!(stage.merge(3, r#"{"private_metadata":{"d":1}}"#).await.body["private_metadata"], value(r#"{"d":1}"#));
}

#[tokio::test]
async fn a_field_holds_8192_bytes_and_a_refusal_changes_nothing() {
    let stage = Stage::new(unlimited()).await;
    let id = user_id(1, 3);
    stage.sandbox.set_metadata(&id, &value(r#"{"public_metadata":{},"private_metadata":{}}"#));
    let body = |bytes: usize| format!(r#"{{"public_metadata":{{"a":"{}"}}}}"#, "x".repeat(bytes - r#"{"a":""}"#.len()));
    assert_eq!(stage.merge(3, &body(8192)).await.status, 200);
    let held = stage.sandbox.metadata(&id);
    let more = r#"{"private_metadata":{"p":1},"public_metadata":{"b":1}}"#;
    for got in [stage.merge(3, more).await, stage.merge(3, &body(8193)).await] {
        assert_eq!((got.status, got.code()), (422, "form_param_exceeds_allowed_size"));
        let error = &got.body["errors"][0];
        let text = "The given public_metadata exceeds the maximum allowed size of 8192 bytes (8 KB).";
        assert_eq!((&error["message"], &error["long_message"]), (&text.into(), &text.into()));
        assert_eq!(error["meta"]["param_name"], "public_metadata");
        assert_eq!(stage.sandbox.metadata(&id), held);
    }
    assert_eq!(stage.sandbox.truth().writes.applied, 1);
}

#[tokio::test]
async fn bodies_are_checked() {
    let stage = Stage::new(unlimited()).await;
    let deep = format!(r#"{{"public_metadata":{{"a":{}{}}}}}"#, "[".repeat(200), "]".repeat(200));
    for (body, status, code, param) in [
        (r#"{"public_metadata":"x"}"#, 422, "form_param_value_invalid", Some("public_metadata")),
        (r#"{"private_metadata":[]}"#, 422, "form_param_value_invalid", Some("private_metadata")),
        (r#"{"unsafe_metadata":null}"#, 422, "form_param_value_invalid", Some("unsafe_metadata")),
        (r#"{"metadata":{}}"#, 422, "form_param_unknown", Some("metadata")),
        ("{", 400, "request_body_invalid", None),
        ("[]", 400, "request_body_invalid", None),
        (&deep, 400, "request_body_invalid", None),
    ] {
        let got = stage.merge(3, body).await;
        assert_eq!((got.status, got.code()), (status, code), "{body}");
        assert_eq!(got.body["errors"][0]["meta"]["param_name"].as_str(), param);
    }
    let request = stage.client.patch(format!("{}{}", stage.sandbox.url(), metadata_path(3))).bearer_auth("sk_test_x");
    let got = read(request.body(r#"{"public_metadata":{}}"#).send().await.expect("an answer")).await;
    assert_eq!((got.status, got.code()), (415, "unsupported_content_type"));
    let got = stage.merge(1_000_000, r#"{"public_metadata":{}}"#).await;
    assert_eq!((got.status, got.code()), (404, "resource_not_found"));
    let id = user_id(1, 1_000_000);
    assert_eq!(got.body["errors"][0]["long_message"], format!("No user was found with id {id}"));
    let got = stage.ask(Method::PATCH, &metadata_path(3), &"x".repeat(2 << 20)).await;
    assert_eq!((got.status, got.code()), (413, "request_body_too_large"));
}

#[tokio::test]
async fn a_whole_field_null_does_what_is_wanted() {
    for (null_field, after) in [(NullField::Ignore, r#"{"a":1}"#), (NullField::Clear, "{}")] {
        let stage = Stage::new(Config { null_field, ..unlimited() }).await;
        stage.sandbox.set_metadata(&user_id(1, 3), &value(r#"{"public_metadata":{"a":1}}"#));
        assert_eq!(stage.merge(3, r#"{"public_metadata":null}"#).await.body["public_metadata"], value(after));
    }
}

#[tokio::test]
async fn the_other_patch_replaces_or_refuses_by_version() {
    let stage = Stage::new(unlimited()).await;
    let id = user_id(1, 3);
    stage.sandbox.set_metadata(&id, &value(r#"{"public_metadata":{"a":1}}"#));
    let path = format!("/v1/users/{id}");
    let body = r#"{"public_metadata":{"b":2},"first_name":"Sample"}"#;
    let got = stage.ask(Method::PATCH, &path, body).await;
    assert_eq!((got.status, got.code()), (422, "form_param_deprecated"));
    let request = stage.client.patch(format!("{}{path}", stage.sandbox.url())).bearer_auth("sk_test_x");
    let request = request.header("clerk-api-version", "2025-11-10").header("content-type", "application/json");
    let got = read(request.body(body).send().await.expect("an answer")).await;
    assert_eq!((got.status, &got.body["public_metadata"]), (200, &value(r#"{"b":2}"#)));
    assert_eq!(got.body["first_name"], "Sample");
    assert_eq!(stage.ask(Method::PATCH, &path, r#"{"nope":1}"#).await.code(), "form_param_unknown");
}

#[tokio::test]
async fn users_come_and_go() {
    let stage = Stage::new(unlimited()).await;
    let body = r#"{"email_address":["new@example.com"],"external_id":"new","public_metadata":{"a":1}}"#;
    let got = stage.ask(Method::POST, "/v1/users", body).await;
    assert_eq!((got.status, &got.body["public_metadata"]), (200, &value(r#"{"a":1}"#)));
    let id = got.body["id"].as_str().expect("has one").to_owned();
    assert!(id.len() == 32 && id.starts_with("user_"));
    assert_eq!(stage.get("/v1/users?external_id=new").await.ids(), [&id]);
    assert_eq!(stage.get("/v1/users?limit=1").await.ids(), [&id]);
    assert_eq!(stage.ask(Method::POST, "/v1/users", body).await.code(), "form_identifier_exists");
    let path = format!("/v1/users/{id}");
    let got = read(stage.send(Method::DELETE, &path, None).await.expect("an answer")).await;
    assert_eq!((&got.body["deleted"], &got.body["object"]), (&true.into(), &"user".into()));
    assert_eq!(stage.get(&path).await.status, 404);
    assert!(stage.get("/v1/users?external_id=new").await.ids().is_empty());
}

#[tokio::test]
async fn a_test_instance_can_be_full() {
    let stage = Stage::new(Config { cap_test_users: true, ..unlimited() }).await;
    assert_eq!(stage.ask(Method::POST, "/v1/users", "{}").await.status, 403);
}

#[tokio::test]
async fn the_instance_says_what_it_is() {
    let stage = Stage::new(unlimited()).await;
    let got = stage.get("/v1/instance").await;
    assert_eq!((&got.body["object"], &got.body["environment_type"]), (&"instance".into(), &"development".into()));
    let live = stage.client.get(format!("{}/v1/instance", stage.sandbox.url())).bearer_auth("sk_live_x");
    let live = read(live.send().await.expect("an answer")).await;
    assert_eq!(live.body["environment_type"], "production");
    assert_ne!(live.body["id"], got.body["id"]);
    let without = Stage::new(Config { no_instance: true, ..unlimited() }).await;
    assert_eq!(without.get("/v1/instance").await.status, 404);
}

#[tokio::test]
async fn organizations_and_memberships_have_two_fields() {
    let stage = Stage::new(unlimited()).await;
    let list = stage.get("/v1/organizations").await;
    assert_eq!(list.body["total_count"], 2);
    let id = list.ids()[0].to_owned();
    let path = format!("/v1/organizations/{id}");
    assert_eq!(stage.get("/v1/organizations/sample-org-1").await.body["id"], id.as_str());
    let metadata = format!("{path}/metadata");
    let got = stage.ask(Method::PATCH, &metadata, r#"{"public_metadata":{"x":{"y":1}}}"#).await;
    assert_eq!(got.body["public_metadata"], value(r#"{"tier":"standard","x":{"y":1}}"#));
    let got = stage.ask(Method::PUT, &metadata, r#"{"public_metadata":{}}"#).await;
    assert_eq!(got.body["public_metadata"], value("{}"));
    assert_eq!(stage.ask(Method::PATCH, &metadata, r#"{"unsafe_metadata":{}}"#).await.code(), "form_param_unknown");
    assert_eq!(stage.ask(Method::PATCH, &path, r#"{"public_metadata":{}}"#).await.code(), "form_param_deprecated");

    let members = stage.get(&format!("{path}/memberships?limit=500")).await;
    let user = members.body["data"][0]["public_user_data"]["user_id"].as_str().expect("has one").to_owned();
    let membership = format!("{path}/memberships/{user}/metadata");
    let got = stage.ask(Method::PATCH, &membership, r#"{"private_metadata":{"x":1}}"#).await;
    assert_eq!(got.body["private_metadata"], value(r#"{"x":1}"#));
    assert_eq!(got.body["organization"]["id"], id.as_str());
    assert_eq!(stage.ask(Method::PUT, &membership, "{}").await.status, 404);
    let of_user = stage.get(&format!("/v1/users/{user}/organization_memberships")).await;
    assert_eq!(of_user.body["data"][0]["private_metadata"], value(r#"{"x":1}"#));
    let all = stage.get("/v1/organization_memberships?limit=1").await;
    assert!(all.ids().len() == 1 && all.body["total_count"].as_u64() > Some(2));
    assert_eq!(stage.get("/v1/organizations/org_none").await.status, 404);
}
