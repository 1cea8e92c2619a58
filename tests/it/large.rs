//! 100,000 rows through the real binary: the right end state, one line a row, and little memory.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};

use metapatch::sandbox::{self, Quota};
use serde_json::{Value, json};

const USERS: u32 = 100_000;

/// The most memory that the client may take, in KiB.
const MOST_KIB: u64 = 64 * 1024;

/// The patch of a user: something new, something changed, something removed, and for some nothing at all.
fn patch(n: u64) -> Value {
    match n % 4 {
        0 => json!({"public_metadata": {"role": "editor", "batch": {"n": n, "tags": ["a", null]}}}),
        1 => json!({"public_metadata": {"role": null}, "unsafe_metadata": {"seen": true}}),
        2 => json!({"private_metadata": {"billing": {"id": n, "legacy": null}}}),
        _ => json!({}),
    }
}

/// Peak memory as GNU time reports it, or `None` where there is no GNU time.
fn timed(program: &str) -> Option<Command> {
    let time = "/usr/bin/time";
    let there = Command::new(time).args(["-v", "true"]).output().is_ok_and(|out| out.status.success());
    there.then(|| {
        let mut command = Command::new(time);
        command.args(["-v", program]);
        command
    })
}

#[expect(clippy::print_stdout, reason = "what was measured is part of what the test says")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_rows_end_right_and_take_little_memory() {
    let config = sandbox::Config { users: USERS, limit: Quota::Off, user_limit: None, ..Default::default() };
    let sandbox = sandbox::start(config).await.expect("the sandbox starts");
    let ids: Vec<String> = (0..u64::from(USERS)).map(|n| sandbox::user_id(1, n)).collect();
    let mut wanted: HashMap<&str, Value> = HashMap::new();
    let mut rows = String::new();
    for (n, id) in (0_u64..).zip(&ids) {
        let mut row = patch(n);
        let mut state = sandbox.metadata(id).expect("the user is there");
        for (field, patch) in row.as_object().expect("is an object") {
            json_patch::merge(&mut state[field.as_str()], patch);
        }
        wanted.insert(id, state);
        row["user_id"] = id.as_str().into();
        writeln!(rows, "{row}").expect("writing to a string cannot fail");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("rows.ndjson"), rows).expect("the rows are written");

    let program = env!("CARGO_BIN_EXE_metapatch");
    let timed = timed(program);
    let measures = timed.is_some();
    let mut command = timed.unwrap_or_else(|| Command::new(program));
    command.args(["apply", "rows.ndjson", "--rate", "1000000/1s", "--user-rate", "1000/1s", "--max-in-flight", "64"]);
    command.args(["--output", "json", "--progress", "none", "--run-file", "big.run"]);
    command.env_clear().env("CLERK_API_URL", sandbox.url()).env("CLERK_SECRET_KEY", "sk_test_large");
    command.current_dir(folder.path()).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().expect("the binary runs")).await.expect("ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let told: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(
        told["users"]["applied"].as_u64().unwrap_or(0) + told["users"]["unchanged"].as_u64().unwrap_or(0),
        100_000
    );
    assert_eq!(told["users"]["unchanged"], 25_000);

    let wrong = ids.iter().filter(|id| sandbox.metadata(id).as_ref() != wanted.get(id.as_str())).count();
    assert_eq!(wrong, 0, "users do not hold what json-patch says");
    let report = Command::new(program)
        .args(["report", "big.run", "--format", "csv"])
        .current_dir(folder.path())
        .output()
        .expect("the binary runs");
    assert_eq!(String::from_utf8_lossy(&report.stdout).lines().count(), 100_001);

    if !measures {
        println!("NOT MEASURED: peak memory, for want of GNU time (apt-get install time)");
        return;
    }
    let peak = said.lines().find_map(|line| line.trim().strip_prefix("Maximum resident set size (kbytes): "));
    let peak: u64 = peak.and_then(|kib| kib.parse().ok()).expect("GNU time says how much memory it was");
    println!("peak memory of the client with 100,000 rows: {} MiB", peak / 1024);
    assert!(peak <= MOST_KIB, "{peak} KiB");
}
