//! Every answer of every endpoint, errors included, held against the official `OpenAPI` documents.
//!
//! The documents are Clerk's and not part of this project: they are read from the folder that `METAPATCH_OPENAPI_DIR`
//! names, as `bapi-2026-05-12.yml` and `bapi-2025-11-10.yml`. Without it the test is skipped and says so.

mod document;
mod requests;

use std::collections::BTreeMap;
use std::path::Path;

use document::{Document, Verdict};
use fastrand::Rng;
use metapatch::json::{self, Value};
use metapatch::sandbox::{self, Config, Fault, FaultKind, Quota, Sandbox};
use requests::{OPERATIONS, Operation, Request, World};
use reqwest::{Client, Method};

use crate::skip::{say, skip};

/// How many requests are sent.
const REQUESTS: usize = 4_000;
/// What they are made from.
const SEED: u64 = 20_260_512;
/// How many users there are to begin with.
const USERS: u32 = 2_000;

/// Statuses that the documents do not list at every endpoint: with which codes they come, and why that is right.
const EVERYWHERE: &[(u16, &[&str], &str)] = &[
    (400, &["api_version_invalid", "request_body_invalid"], "the version and the body are read first"),
    (401, &["authorization_header_format_invalid", "clerk_key_invalid"], "the key comes before everything"),
    (409, &["resource_locked"], "ordered: a fault"),
    (413, &["request_body_too_large"], "larger than any body is read"),
    (415, &["unsupported_content_type"], "in the published list of errors, with this status"),
    (429, &["too_many_requests"], "the published limits; the documents have the answer, but list it nowhere here"),
    (500, &["internal_clerk_error"], "ordered: a fault"),
    (503, &["service_unavailable"], "ordered: a fault"),
    (504, &["gateway_timeout"], "ordered: a fault"),
];

/// Statuses that the documents do not list at an endpoint, and why they are right there.
const HERE: &[(&str, &str, u16, &str)] = &[
    ("get", "/organizations/{organization_id}/memberships", 404, "there is no such organization"),
    ("get", "/users/{user_id}/organization_memberships", 404, "there is no such user"),
    ("get", "/users/{user_id}/organization_memberships", 422, "limit and offset are checked as everywhere"),
];

/// What was seen.
#[derive(Default)]
struct Tally {
    /// By operation and status.
    answers: BTreeMap<(String, u16), usize>,
    /// Answers with a status that one of the two lists above allows.
    unlisted: usize,
    /// Places that hold the null that a `PUT` stores.
    stored_nulls: usize,
    /// What is wrong.
    wrong: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_as_the_official_document_says() {
    let Some(folder) = std::env::var_os("METAPATCH_OPENAPI_DIR") else {
        return skip("openapi", "METAPATCH_OPENAPI_DIR does not name the folder of Clerk's OpenAPI documents");
    };
    let folder = Path::new(&folder);
    let newest = folder.join("bapi-2026-05-12.yml");
    if !newest.exists() {
        return skip("openapi", &format!("there is no {}", newest.display()));
    }
    let mut documents = vec![Document::read(&newest, "2026-05-12")];
    let older = folder.join("bapi-2025-11-10.yml");
    if older.exists() {
        documents.push(Document::read(&older, "2025-11-10"));
    }
    let tally = compare(&documents).await;
    say(&told(&tally, &documents));
    assert!(tally.wrong.is_empty(), "{} deviations:\n{}", tally.wrong.len(), tally.wrong.join("\n"));
    for operation in OPERATIONS {
        let of = |status: u16| tally.answers.get(&(operation.to_string(), status)).copied().unwrap_or(0);
        assert!(of(200) >= 20, "{operation} was answered with 200 only {} times", of(200));
        assert!(of(401) >= 5, "{operation} was refused with 401 only {} times", of(401));
        if operation.path.ends_with("/metadata") {
            assert!(of(404) >= 5 && of(422) >= 5, "{operation} was refused only {} and {} times", of(404), of(422));
        }
    }
    documents.iter().for_each(notices_deviations);
}

/// A document that accepts everything would prove nothing.
fn notices_deviations(document: &Document) {
    let list = OPERATIONS[0];
    let error = r#"{"errors": [{"message": "m", "long_message": "l", "code": "c"}]}"#;
    let error = json::parse(error).expect("is JSON");
    assert!(matches!(document.verdict(list, 422, &error), Verdict::Valid { stored_nulls: 0 }));
    assert!(matches!(document.verdict(list, 418, &error), Verdict::Unlisted));
    for wrong in [r#"{"errors": [{"message": "m", "code": "c"}]}"#, r#"{"errors": {}}"#, "[]", "null"] {
        let wrong = json::parse(wrong).expect("is JSON");
        assert!(matches!(document.verdict(list, 422, &wrong), Verdict::Invalid(_)), "{wrong}");
        assert!(matches!(document.verdict(OPERATIONS[3], 200, &wrong), Verdict::Invalid(_)), "{wrong}");
    }
}

/// Every single field of a user that is missing, of another type, or surplus is noticed.
fn notices_deviations_of_users(document: &Document, user: &Value) {
    let get = OPERATIONS[3];
    assert!(matches!(document.verdict(get, 200, user), Verdict::Valid { stored_nulls: 0 }), "{user}");
    let members = user.as_object().expect("is an object");
    let mut surplus = members.clone();
    surplus.insert("surplus".to_owned(), Value::Bool(true));
    assert!(matches!(document.verdict(get, 200, &surplus.into()), Verdict::Invalid(_)));
    for name in members.keys() {
        let mut other = members.clone();
        other.insert(name.clone(), json::parse("[[7]]").expect("is JSON"));
        assert!(matches!(document.verdict(get, 200, &other.into()), Verdict::Invalid(_)), "{name} of another type");
    }
    for name in ["id", "object", "email_addresses", "public_metadata", "external_id", "created_at", "mfa_enabled_at"] {
        let mut without = members.clone();
        without.remove(name);
        assert!(matches!(document.verdict(get, 200, &without.into()), Verdict::Invalid(_)), "{name} is missing");
    }
}

async fn compare(documents: &[Document]) -> Tally {
    let config = Config { users: USERS, limit: Quota::Off, faults: faults(), ..Config::default() };
    let sandbox = sandbox::start(config).await.expect("a free port");
    let client = Client::builder().no_proxy().retry(reqwest::retry::never()).build().expect("a client");
    let mut rng = Rng::with_seed(SEED);
    let mut tally = Tally::default();
    let mut world = seen(&client, &sandbox).await;
    for document in documents {
        notices_deviations_of_users(document, &world.rows[0]);
    }
    for number in 0..REQUESTS {
        if number % 100 == 0 {
            world.users = sandbox.user_ids(USERS as usize);
        }
        let request = Request::draw(&mut rng, &world, number);
        let document = documents.iter().find(|document| Some(document.version) == request.version);
        check(&client, &sandbox, &request, document.unwrap_or(&documents[0]), &mut tally).await;
    }
    unknown_paths(&client, &sandbox, &documents[0], &mut tally).await;
    tally
}

/// What no document describes is answered as an error of theirs.
async fn unknown_paths(client: &Client, sandbox: &Sandbox, document: &Document, tally: &mut Tally) {
    sandbox.set_faults(Vec::new());
    let paths =
        ["/v1", "/v1/nothing", "/v2/users", "/v1/users/x/nothing", "/v1/organizations/o/memberships/u/metadata"];
    for path in paths {
        for (name, method) in METHODS.iter().filter(|(name, _)| *name != "patch") {
            let request =
                client.request(method.clone(), format!("{}{path}", sandbox.url())).bearer_auth("sk_live_fake");
            let response = request.send().await.expect("an answer");
            let status = response.status().as_u16();
            let body = json::parse(&response.text().await.expect("a body")).expect("is JSON");
            let code = &body["errors"][0]["code"];
            let is_error = matches!(document.verdict_on_error(&body), Verdict::Valid { .. });
            if !(is_error && status == 404 && code == "resource_not_found") {
                tally.wrong.push(format!("{name} {path}: {status} {body}"));
            }
            *tally.answers.entry(("unknown paths".to_owned(), status)).or_default() += 1;
        }
    }
}

/// What an answer now and then is, each with its own status, and what others do meanwhile.
fn faults() -> Vec<Fault> {
    use FaultKind as Kind;
    let answers = [
        Kind::Throttled,
        Kind::ThrottledBare,
        Kind::Locked,
        Kind::Internal,
        Kind::InternalAfter,
        Kind::BadGateway,
        Kind::Unavailable,
        Kind::GatewayTimeout,
    ];
    let others = [Kind::Noop, Kind::Concurrent, Kind::Deleted];
    answers.into_iter().chain(others).map(|kind| Fault::new(kind).rate(0.005)).collect()
}

/// What requests can be about, as the API itself says it.
async fn seen(client: &Client, sandbox: &Sandbox) -> World {
    let rows = async |path: &str| {
        let request = client.get(format!("{}{path}", sandbox.url())).bearer_auth("sk_live_fake");
        let text = request.send().await.expect("an answer").text().await.expect("a body");
        json::parse(&text).expect("is JSON")
    };
    // Asked until no fault is in the way.
    let ask = async |path: &str| loop {
        let rows = rows(path).await;
        if let Some(list) = rows.as_array().or_else(|| rows["data"].as_array()) {
            break list.clone();
        }
    };
    World {
        users: sandbox.user_ids(USERS as usize),
        rows: ask("/v1/users?limit=500").await,
        organizations: ask("/v1/organizations?limit=500").await,
        memberships: ask("/v1/organization_memberships?limit=500").await,
    }
}

async fn check(client: &Client, sandbox: &Sandbox, request: &Request, document: &Document, tally: &mut Tally) {
    let response = request.send(client, sandbox.url()).await;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("not a text"));
    let text = response.text().await.expect("a body");
    let operation = request.operation;
    *tally.answers.entry((operation.to_string(), status)).or_default() += 1;
    let mut wrong = |what: String| {
        let short: String = text.chars().take(600).collect();
        tally.wrong.push(format!("{request}\n  {status}: {what}\n  {short}"));
    };
    if status == 502 {
        // A proxy in front of the API, of which the documents know nothing.
        if header("content-type") != Some("text/html") {
            wrong("is no page".to_owned());
        }
        tally.unlisted += 1;
        return;
    }
    if header("content-type") != Some("application/json") {
        return wrong(format!("content type {:?}", header("content-type")));
    }
    let Ok(body) = json::parse_stored(&text) else { return wrong("not JSON".to_owned()) };
    let trace_id = header("x-clerk-trace-id").unwrap_or_default();
    if trace_id.len() != 32 || status >= 400 && body["clerk_trace_id"] != trace_id {
        wrong(format!("trace id {trace_id}"));
    }
    let verdict = match document.verdict(operation, status, &body) {
        Verdict::Unlisted if allowed(operation, status, &body) => {
            tally.unlisted += 1;
            document.verdict_on_error(&body)
        }
        verdict => verdict,
    };
    match verdict {
        Verdict::Valid { stored_nulls } => tally.stored_nulls += stored_nulls,
        Verdict::Unlisted => wrong("the document does not list this status".to_owned()),
        Verdict::Invalid(errors) => wrong(errors.join("\n  ")),
    }
}

/// Whether a status is right although the document does not list it.
fn allowed(operation: Operation, status: u16, body: &Value) -> bool {
    let code = body["errors"][0]["code"].as_str().unwrap_or_default();
    let everywhere = EVERYWHERE.iter().any(|(one, codes, _)| *one == status && codes.contains(&code));
    let here = |(method, path, one, _): &(&str, &str, u16, &str)| {
        (*method, *path, *one) == (operation.method, operation.path, status)
    };
    everywhere || HERE.iter().any(here)
}

fn told(tally: &Tally, documents: &[Document]) -> String {
    let versions: Vec<_> = documents.iter().map(|document| document.version).collect();
    let answers: usize = tally.answers.values().sum();
    let mut by_status = BTreeMap::<u16, usize>::new();
    for ((_, status), count) in &tally.answers {
        *by_status.entry(*status).or_default() += count;
    }
    let by_status: Vec<_> = by_status.iter().map(|(status, count)| format!("{count} × {status}")).collect();
    format!(
        "openapi: {answers} answers of {} endpoints validated against {} (seed {SEED}): {} deviations\n\
         openapi: {}; {} of a status that is not listed but allowed, {} stored nulls\n",
        OPERATIONS.len(),
        versions.join(" and "),
        tally.wrong.len(),
        by_status.join(", "),
        tally.unlisted,
        tally.stored_nulls,
    )
}

/// How a request is put.
const METHODS: &[(&str, Method)] = &[
    ("get", Method::GET),
    ("post", Method::POST),
    ("patch", Method::PATCH),
    ("put", Method::PUT),
    ("delete", Method::DELETE),
];
