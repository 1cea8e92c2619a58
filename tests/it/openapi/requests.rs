//! Random requests: mostly such as make sense, and every kind of nonsense among them.

use std::fmt;

use fastrand::Rng;
use metapatch::json::{Map, Value};
use reqwest::{Client, Response};
use serde_json::json;

use super::METHODS;

/// An endpoint, as the documents name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.to_uppercase(), self.path)
    }
}

const fn operation(method: &'static str, path: &'static str) -> Operation {
    Operation { method, path }
}

/// Every endpoint of the sandbox.
pub(super) const OPERATIONS: [Operation; 18] = [
    operation("get", "/users"),
    operation("post", "/users"),
    operation("get", "/users/count"),
    operation("get", "/users/{user_id}"),
    operation("patch", "/users/{user_id}"),
    operation("delete", "/users/{user_id}"),
    operation("patch", "/users/{user_id}/metadata"),
    operation("put", "/users/{user_id}/metadata"),
    operation("get", "/users/{user_id}/organization_memberships"),
    operation("get", "/organizations"),
    operation("get", "/organizations/{organization_id}"),
    operation("patch", "/organizations/{organization_id}"),
    operation("patch", "/organizations/{organization_id}/metadata"),
    operation("put", "/organizations/{organization_id}/metadata"),
    operation("get", "/organizations/{organization_id}/memberships"),
    operation("patch", "/organizations/{organization_id}/memberships/{user_id}/metadata"),
    operation("get", "/organization_memberships"),
    operation("get", "/instance"),
];

/// What there is to ask for.
pub(super) struct World {
    /// The ids of users.
    pub(super) users: Vec<String>,
    /// Users as they are shown.
    pub(super) rows: Vec<Value>,
    pub(super) organizations: Vec<Value>,
    pub(super) memberships: Vec<Value>,
}

pub(super) struct Request {
    pub(super) operation: Operation,
    /// The version it asks for, where that is one there is.
    pub(super) version: Option<&'static str>,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body: String = self.body.iter().flat_map(|body| body.chars().take(300)).collect();
        write!(f, "{} {} {:?} {:?} {body}", self.operation.method, self.path, self.query, self.headers)
    }
}

impl Request {
    pub(super) fn draw(rng: &mut Rng, world: &World, number: usize) -> Self {
        let operation = OPERATIONS[rng.usize(..OPERATIONS.len())];
        let mut headers = Vec::new();
        let key = match rng.u8(..100) {
            0..3 => None,
            3..6 => Some("Bearer not_a_key"),
            6..7 => Some("Basic c2s6"),
            7..30 => Some("Bearer sk_test_fake"),
            _ => Some("Bearer sk_live_fake"),
        };
        headers.extend(key.map(|key| ("authorization", key.to_owned())));
        let version = ["2026-05-12", "2025-11-10"][usize::from(rng.u8(..4) == 0)];
        let mut query = query(rng, operation, world);
        let version = match rng.u8(..50) {
            0 => {
                headers.push(("clerk-api-version", text(rng).replace(|c: char| !c.is_ascii_graphic(), "")));
                None
            }
            1 => {
                headers.push(("clerk-api-version", version.to_owned()));
                query.push(("__clerk_api_version".to_owned(), version.to_owned()));
                None
            }
            2..5 => None,
            _ => {
                headers.push(("clerk-api-version", version.to_owned()));
                Some(version)
            }
        };
        let body = (!matches!(operation.method, "get" | "delete")).then(|| body(rng, operation, number)).flatten();
        if body.is_some() {
            let kind = if rng.u8(..40) == 0 { "text/plain" } else { "application/json" };
            headers.push(("content-type", kind.to_owned()));
        }
        let path = path(rng, operation, world);
        Self { operation, version, path, query, headers, body }
    }

    pub(super) async fn send(&self, client: &Client, url: &str) -> Response {
        let (_, method) = METHODS.iter().find(|(name, _)| *name == self.operation.method).expect("is a method");
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish();
        let mut request = client.request(method.clone(), format!("{url}/v1{}?{query}", self.path));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = &self.body {
            request = request.body(body.clone());
        }
        request.send().await.expect("an answer")
    }
}

fn pick<'a, T>(rng: &mut Rng, from: &'a [T]) -> &'a T {
    &from[rng.usize(..from.len())]
}

fn path(rng: &mut Rng, operation: Operation, world: &World) -> String {
    let members = operation.path.contains("/memberships/{user_id}");
    let membership = pick(rng, &world.memberships);
    let organization = match rng.u8(..12) {
        0 => "org_none".to_owned(),
        1 => segment(&text(rng)),
        2 if operation.method == "get" => {
            pick(rng, &world.organizations)["slug"].as_str().unwrap_or_default().to_owned()
        }
        _ if members => membership["organization"]["id"].as_str().unwrap_or_default().to_owned(),
        _ => pick(rng, &world.organizations)["id"].as_str().unwrap_or_default().to_owned(),
    };
    let user = match rng.u8(..12) {
        0 => "user_nobody".to_owned(),
        1 => segment(&text(rng)),
        _ if members => membership["public_user_data"]["user_id"].as_str().unwrap_or_default().to_owned(),
        _ => pick(rng, &world.users).clone(),
    };
    operation.path.replace("{organization_id}", &organization).replace("{user_id}", &user)
}

/// A text as one segment of a path that means neither another endpoint nor the folder above.
fn segment(text: &str) -> String {
    format!("x{}", percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC))
}

/// A short text of any letters.
fn text(rng: &mut Rng) -> String {
    let length = rng.usize(1..12);
    let letters =
        ['a', 'Z', '0', '_', '-', '+', ' ', '%', '&', '<', '"', '\\', '/', 'ä', '名', '\u{1f600}', '\u{7f}', '\t'];
    (0..length).map(|_| *pick(rng, &letters)).collect()
}

fn query(rng: &mut Rng, operation: Operation, world: &World) -> Vec<(String, String)> {
    let mut query = Vec::new();
    if operation.method != "get" || rng.u8(..4) == 0 {
        return query;
    }
    for _ in 0..rng.usize(..4) {
        let (name, values) = parameter(rng, world);
        query.extend(values.into_iter().map(|value| (name.to_owned(), value)));
    }
    query
}

/// A parameter with its values, some of them such as are refused.
fn parameter(rng: &mut Rng, world: &World) -> (&'static str, Vec<String>) {
    let one_of = |rng: &mut Rng, texts: &[&str]| vec![(*pick(rng, texts)).to_owned()];
    let moment = |rng: &mut Rng| vec![(1_700_000_000_000 + rng.i64(..3_000_000)).to_string()];
    match rng.u8(..16) {
        0 => ("limit", one_of(rng, &["1", "3", "500", "501", "0", "-1", "x", "", "99999999999999999999"])),
        1 => ("offset", one_of(rng, &["0", "5", "100000", "-1", "1.5"])),
        2 => (
            "order_by",
            one_of(rng, &["created_at", "+created_at", "-updated_at", "name", "username", "shoe_size", ""]),
        ),
        3 => ("starting_after", vec![pick(rng, &world.users).clone()]),
        4 => ("starting_after", vec!["user_nobody".to_owned()]),
        5 => ("user_id", (0..rng.usize(1..9)).map(|_| sign(rng) + pick(rng, &world.users).as_str()).collect()),
        6 => ("user_id", vec!["user_nobody".to_owned(); rng.usize(95..105)]),
        7 => ("external_id", some(rng, world, |row| &row["external_id"])),
        8 => ("email_address", some(rng, world, |row| &row["email_addresses"][0]["email_address"])),
        9 => ("phone_number", some(rng, world, |row| &row["phone_numbers"][0]["phone_number"])),
        10 => ("username", some(rng, world, |row| &row["username"])),
        11 => ("query", vec![text(rng)]),
        12 => ("created_at_before", moment(rng)),
        13 => ("last_active_at_after", if rng.bool() { moment(rng) } else { vec!["yesterday".to_owned()] }),
        14 => ("organization_id", vec![sign(rng) + pick(rng, &world.organizations)["id"].as_str().unwrap_or_default()]),
        _ => ("role", one_of(rng, &["org:admin", "org:member", "org:none"])),
    }
}

fn sign(rng: &mut Rng) -> String {
    (*pick(rng, &["", "", "", "+", "-"])).to_owned()
}

fn some(rng: &mut Rng, world: &World, of: fn(&Value) -> &Value) -> Vec<String> {
    (0..rng.usize(1..6)).map(|_| of(pick(rng, &world.rows)).as_str().unwrap_or("nobody").to_owned()).collect()
}

/// A body; `None` where none is sent.
fn body(rng: &mut Rng, operation: Operation, number: usize) -> Option<String> {
    match rng.u16(..200) {
        0..4 => return None,
        4..8 => return Some(String::new()),
        8..12 => return Some(r#"{"public_metadata": {"#.to_owned()),
        12..15 => return Some("[1]".to_owned()),
        15..18 => return Some(r#"{"public_metadata": {}, "public_metadata": {}}"#.to_owned()),
        18 => return Some(format!(r#"{{"public_metadata": {{"a": "{}"}}}}"#, "x".repeat(1 << 20))),
        _ => {}
    }
    let mut members = Map::new();
    if operation.path == "/users" {
        members.insert("email_address".to_owned(), json!([format!("made{number}@example.com")]));
    }
    if !operation.path.ends_with("/metadata") {
        profile(rng, operation, number, &mut members);
    }
    let metadata = if operation.path.ends_with("/metadata") { 9 } else { 2 };
    let organization = operation.path.starts_with("/organizations");
    for name in ["public_metadata", "private_metadata", "unsafe_metadata"] {
        let is_wanted = rng.u8(..10) < metadata && (name != "unsafe_metadata" || !organization || rng.u8(..10) == 0);
        if is_wanted && rng.u8(..3) > 0 {
            members.insert(name.to_owned(), field(rng));
        }
    }
    if rng.u8(..25) == 0 {
        members.insert(text(rng), json!(1));
    }
    Some(Value::Object(members).to_string())
}

/// What is written besides metadata.
fn profile(rng: &mut Rng, operation: Operation, number: usize, members: &mut Map<String, Value>) {
    let mut put = |rng: &mut Rng, name: &str, value: Value| {
        if rng.u8(..4) == 0 {
            members.insert(name.to_owned(), value);
        }
    };
    if operation.path.starts_with("/organizations") {
        let name = if rng.u8(..8) == 0 { json!(3) } else { json!(text(rng)) };
        return put(rng, "name", name);
    }
    let name = if rng.u8(..8) == 0 { json!(["no text"]) } else { json!(text(rng)) };
    put(rng, "first_name", name);
    put(rng, "last_name", Value::Null);
    put(rng, "username", json!(format!("made_{number}")));
    let external_id = *pick(rng, &["cust_000001", "cust_000002", "mine"]);
    put(rng, "external_id", json!(external_id));
    if operation.method == "post" {
        put(rng, "phone_number", json!([format!("+1555{number:07}")]));
        let created_at = *pick(rng, &["2024-02-29T12:00:00Z", "yesterday"]);
        put(rng, "created_at", json!(created_at));
    }
}

/// A metadata field: mostly an object.
fn field(rng: &mut Rng) -> Value {
    match rng.u8(..30) {
        0 => Value::Null,
        1 => json!("text"),
        2 => json!([1]),
        3 => json!({"large": "y".repeat(rng.usize(7_000..9_000))}),
        _ => object(rng, 3),
    }
}

fn object(rng: &mut Rng, depth: u8) -> Value {
    let names = ["a", "b", "plan", "Ünï", "", "null", "object", "id", "nullable", "$ref"];
    (0..rng.usize(..4)).map(|_| ((*pick(rng, &names)).to_owned(), any(rng, depth))).collect::<Map<_, _>>().into()
}

fn any(rng: &mut Rng, depth: u8) -> Value {
    match rng.u8(..10) {
        0 => Value::Null,
        1 => json!(rng.bool()),
        2 => json!(rng.i64(..)),
        3 => json!(rng.f64()),
        4 | 5 => json!(text(rng)),
        6 if depth > 0 => (0..rng.usize(..3)).map(|_| any(rng, depth - 1)).collect(),
        7..10 if depth > 0 => object(rng, depth - 1),
        _ => json!(1),
    }
}
