//! Whole jobs of the real binary over TLS.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use metapatch::sandbox::{self, Config, Fault, FaultKind, On, Quota, Rate, Sandbox};
use serde_json::{Value, json};

const USERS: u32 = 300;

const SECOND: Duration = Duration::from_secs(1);

async fn start(config: Config) -> Sandbox {
    sandbox::start(Config { tls: true, ..config }).await.expect("the sandbox starts")
}

async fn apply(sandbox: &Sandbox, folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metapatch"));
    command.args(["apply", "rows.ndjson", "--output", "json", "--progress", "none", "--yes"]).args(more);
    command.env_clear().env("CLERK_API_URL", sandbox.url()).env("CLERK_SECRET_KEY", "sk_test_tls");
    command.current_dir(folder).stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().expect("the binary runs")).await.expect("ends")
}

fn told(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("one JSON object: {error}; {said}"))
}

/// A patch for each user, and what the user should hold then.
fn rows(sandbox: &Sandbox, users: u32) -> (String, Vec<(String, Value)>) {
    let mut rows = String::new();
    let mut wanted = Vec::new();
    for n in 0..u64::from(users) {
        let id = sandbox::user_id(1, n);
        let patch = json!({"role": "editor", "batch": {"n": n}, "legacy": null});
        let mut state = sandbox.metadata(&id).expect("the user is there");
        json_patch::merge(&mut state["public_metadata"], &patch);
        writeln!(rows, "{}", json!({"user_id": id, "public_metadata": patch})).expect("is written");
        wanted.push((id, state));
    }
    (rows, wanted)
}

/// Streams that are reset before and after the write and in the middle of the answer, and connections that go away.
fn faults() -> Vec<Fault> {
    let spread = [
        (FaultKind::CutBefore, 3, 20),
        (FaultKind::CutAfter, 3, 20),
        (FaultKind::RefusedStream, 3, 20),
        (FaultKind::Truncated, 2, 20),
        (FaultKind::Goaway, 1, 30),
        (FaultKind::GoawayCut, 1, 140),
    ];
    spread.map(|(kind, count, after)| Fault::new(kind).next(count).after(after).on(On::Write)).to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_over_http_2_ends_right_whatever_breaks_off_and_keeps_the_limits() {
    let limit = Quota::Fixed(Rate::new(100, SECOND));
    let sandbox = start(Config {
        users: USERS,
        limit,
        user_limit: Some(Rate::new(5, SECOND)),
        latency: Duration::from_millis(20),
        jitter: Duration::from_millis(20),
        faults: faults(),
        ..Config::default()
    })
    .await;
    let (rows, wanted) = rows(&sandbox, USERS);
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("rows.ndjson"), rows).expect("the rows are written");
    let ca_file = sandbox.ca_file().expect("speaks TLS").to_str().expect("is text").to_owned();
    let pace = ["--ca-file", &ca_file, "--rate", "100/1s", "--user-rate", "5/1s", "--share", "100%"];
    let output = apply(&sandbox, folder.path(), &pace).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(told(&output)["users"]["applied"], USERS);

    for (id, state) in &wanted {
        assert_eq!(sandbox.metadata(id).as_ref(), Some(state), "{id}");
    }
    let truth = sandbox.truth();
    for fault in faults() {
        let name = serde_json::to_value(fault.kind).expect("is a name");
        assert_eq!(truth.faults.get(name.as_str().expect("is text")), fault.next.as_ref(), "{:?}", truth.faults);
    }
    // What was cut after the write is found to be done by reading it again, not by writing it again.
    assert_eq!((truth.writes.applied, truth.writes.max_per_user), (u64::from(USERS), 1), "{truth:?}");
    assert_eq!(truth.protocols.keys().collect::<Vec<_>>(), [&"h2"]);
    assert!((3..=8).contains(&truth.connections), "one, and one more for each that went away: {truth:?}");
    assert_eq!(truth.throttled, 0);
    assert!(truth.windows.max_sliding <= 100, "{:?}", truth.windows);
    assert!(truth.writes.max_per_user_in_window <= 5 && truth.writes.max_in_flight_per_user == 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_not_told_to_trust_the_certificate_gets_no_key() {
    let (sandbox, other) = (start(Config::default()).await, start(Config::default()).await);
    let (rows, _) = rows(&sandbox, 1);
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("rows.ndjson"), rows).expect("the rows are written");
    let foreign = other.ca_file().expect("speaks TLS").to_str().expect("is text");
    for flags in [&[][..], &["--ca-file", foreign]] {
        let output = apply(&sandbox, folder.path(), flags).await;
        let error = &told(&output)["error"];
        assert_eq!((output.status.code(), &error["code"]), (Some(3), &json!("certificate_not_trusted")), "{error}");
        let (message, said) = (error["message"].as_str().expect("is text"), String::from_utf8_lossy(&output.stderr));
        assert!(message.contains("nobody whom this machine trusts has issued it"), "{message}");
        assert!(said.contains("--ca-file PATH"), "{said}");
    }
    assert_eq!(sandbox.truth().total, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_certificate_is_said_before_anything_is_sent() {
    let sandbox = start(Config::default()).await;
    let (rows, _) = rows(&sandbox, 1);
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("rows.ndjson"), rows).expect("the rows are written");
    for (file, said) in [("rows.ndjson", "is no certificate of an authority"), ("none.pem", "cannot read")] {
        let output = apply(&sandbox, folder.path(), &["--ca-file", file]).await;
        let error = told(&output)["error"]["message"].as_str().expect("is text").to_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.starts_with("--ca-file: ") && error.contains(file) && error.contains(said), "{error}");
    }
    assert_eq!(sandbox.truth().connections, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_yaml_may_name_the_certificate() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ca_out = Some(folder.path().join("ca.pem"));
    let sandbox = start(Config { ca_out, ..Config::default() }).await;
    let (rows, wanted) = rows(&sandbox, 2);
    fs::write(folder.path().join("rows.ndjson"), rows).expect("the rows are written");
    let url = sandbox.url();
    let jobs = format!("version: 1\ninstances:\n  local: {{ api_url: '{url}', ca_file: ca.pem }}\n");
    fs::write(folder.path().join("jobs.yaml"), jobs).expect("is written");
    let output = apply(&sandbox, folder.path(), &["--config", "jobs.yaml", "--instance", "local"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(sandbox.metadata(&wanted[1].0).as_ref(), Some(&wanted[1].1));
}
