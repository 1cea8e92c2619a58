//! The JSON contract: its keys in their order, its transitions, and its errors.

use metapatch::json::Value;

use crate::world::{World, count, id, value};

/// The paths of all keys of an object, in the order they are written in, down to a depth.
fn keys(text: &str, depth: usize) -> Vec<String> {
    let (mut keys, mut level, mut in_string, mut start) = (Vec::new(), 0, false, 0);
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' if at > 0 && bytes[at - 1] == b'\\' => {}
            b'"' => {
                if in_string && bytes.get(at + 1) == Some(&b':') && level <= depth {
                    keys.push(text[start + 1..at].to_owned());
                }
                (in_string, start) = (!in_string, at);
            }
            b'{' | b'[' if !in_string => level += 1,
            b'}' | b']' if !in_string => level -= 1,
            _ => {}
        }
    }
    keys
}

fn entry<'v>(told: &'v Value, path: &str) -> &'v Value {
    let found = told["transitions"].as_array().expect("is a list").iter().find(|entry| entry["path"] == path);
    found.unwrap_or_else(|| panic!("{path} is not told: {told}"))
}

#[test]
fn the_object_has_exactly_the_keys_of_the_contract_in_their_order() {
    let world = World::new().users(2).start();
    world.write("rows.csv", format!("user_id,public.role\n{},x\nbad/id,y\n", id(0)));
    let expected = [
        "run",
        "id",
        "file",
        "job",
        "state",
        "rows",
        "read",
        "rejected",
        "users",
        "planned",
        "applied",
        "unchanged",
        "not_found",
        "ambiguous",
        "too_large",
        "blocked",
        "drifted",
        "failed",
        "pending",
        "requests",
        "read",
        "write",
        "retried",
        "throttled",
        "transitions",
        "duration_s",
    ];
    let told = |args: &[&str], code| world.ends(code, args.iter().copied());
    let planned = told(&["plan", "rows.csv", "--output", "json"], 1);
    let run = world.last_run();
    for done in [
        planned,
        told(&["apply", "--run", &run, "--output", "json"], 1),
        told(&["resume", &run, "--output", "json"], 1),
        told(&["retry", &run, "--output", "json"], 1),
        told(&["report", &run, "--format", "json"], 0),
    ] {
        assert_eq!(keys(&done.stdout, 2), expected, "{done:#?}");
        let told = done.json();
        assert_eq!((&told["rows"]["read"], &told["rows"]["rejected"]), (&2.into(), &1.into()));
        assert!(told["duration_s"].is_number() && told["run"]["job"].is_null(), "{told}");
        assert_eq!(told["run"]["file"].as_str().map(|file| run.ends_with(file)), Some(true), "{told}");
        assert!(run.contains(told["run"]["id"].as_str().expect("is a text")));
        assert_eq!(
            keys(&told["transitions"][0].to_string(), 1).len(),
            4 + usize::from(told["transitions"][0].get("before_absent").is_some())
        );
    }
}

#[test]
fn what_is_counted_is_what_is_reported() {
    let world = World::new().users(30).start();
    let mut rows: String = (0..20).map(|n| format!("{},new\n", id(n))).collect();
    rows += "user_nobody,x\nuser_nobody,y\nuser_nobody2,x\nbad/id,x\n";
    (20..30).for_each(|n| {
        world.sandbox.merge_metadata(&id(n), &value(r#"{"public_metadata":{"role":"new"}}"#));
        rows += &format!("{},new\n", id(n));
    });
    world.write("rows.csv", format!("user_id,public.role\n{rows}"));
    let told = world.ends(1, ["apply", "rows.csv", "--output", "json"]).json();
    let reported = world.rows();
    let users: u64 = told["users"].as_object().expect("is one").values().filter_map(Value::as_u64).sum();
    assert_eq!((reported.len(), users), (34, 32), "two rows named one missing user, and one was bad");
    for (outcome, rows, users) in [("applied", 20, 20), ("unchanged", 10, 10), ("not_found", 3, 2)] {
        assert_eq!((count(&reported, outcome), &told["users"][outcome]), (rows, &users.into()), "{outcome}");
    }
    assert_eq!((count(&reported, "rejected"), &told["rows"]["rejected"]), (1, &1.into()));
    let truth = world.sandbox.truth();
    assert_eq!((&told["requests"]["write"], &told["requests"]["read"]), (&truth.patches.into(), &truth.gets.into()));
}

#[test]
fn transitions_have_all_their_forms() {
    let world = World::new().users(30).start();
    let fields = r#"{"public_metadata":{"role":"member","a.b":1,"nil":null,"old":1},"private_metadata":{"tier":"secret-old"},"unsafe_metadata":{}}"#;
    let mut rows = String::new();
    for n in 0..30 {
        world.sandbox.set_metadata(&id(n), &value(fields));
        let public = format!(r#"{{"role":"editor","a.b":2,"nil":"x","old":null,"fresh":true,"n":{n}}}"#);
        let body = format!(r#""public_metadata":{public},"private_metadata":{{"tier":"secret-{n}"}}"#);
        rows += &format!("{{\"user_id\":\"{}\",{body}}}\n", id(n));
    }
    world.write("rows.ndjson", rows);
    let plan = world.ends(0, ["plan", "rows.ndjson", "--output", "json"]);
    assert!(!plan.stdout.contains("secret") && !plan.stderr.contains("secret"), "{plan:#?}");
    let told = plan.json();
    let is = |path: &str, expected: &str| assert_eq!(*entry(&told, path), value(expected));
    is("public_metadata.role", r#"{"path":"public_metadata.role","before":"member","after":"editor","users":30}"#);
    is(r"public_metadata.a\.b", r#"{"path":"public_metadata.a\\.b","before":1,"after":2,"users":30}"#);
    is("public_metadata.nil", r#"{"path":"public_metadata.nil","before":null,"after":"x","users":30}"#);
    is(
        "public_metadata.old",
        r#"{"path":"public_metadata.old","before":1,"after":null,"users":30,"after_absent":true}"#,
    );
    is(
        "public_metadata.fresh",
        r#"{"path":"public_metadata.fresh","before":null,"after":true,"users":30,"before_absent":true}"#,
    );
    is("public_metadata.n", r#"{"path":"public_metadata.n","distinct":30,"users":30}"#);
    is(
        "private_metadata.tier",
        r#"{"path":"private_metadata.tier","before":null,"after":null,"users":30,"before_masked":true,"after_masked":true}"#,
    );
    let shown = world.ends(0, ["plan", "rows.ndjson", "--output", "json", "--show-private"]).json();
    assert_eq!(
        *entry(&shown, "private_metadata.tier"),
        value(r#"{"path":"private_metadata.tier","distinct":30,"users":30}"#)
    );
}

#[test]
fn most_users_come_first_and_fifty_entries_are_told() {
    let world = World::new().users(3).start();
    let object = |n: usize| (0..n).map(|key| format!("\"key{key:02}\":1")).collect::<Vec<_>>().join(",");
    let row = |user: u64, n| format!("{{\"user_id\":\"{}\",\"unsafe_metadata\":{{{}}}}}\n", id(user), object(n));
    world.write("rows.ndjson", [row(0, 60), row(1, 30), row(2, 10)].concat());
    let told = world.ends(0, ["plan", "rows.ndjson", "--output", "json"]).json();
    let users: Vec<u64> =
        told["transitions"].as_array().expect("is a list").iter().filter_map(|t| t["users"].as_u64()).collect();
    let expected: Vec<u64> = [3; 10].into_iter().chain([2; 20]).chain([1; 20]).collect();
    assert_eq!(users, expected);
}

#[test]
fn an_end_before_there_is_a_run_is_one_error_object() {
    let world = World::new().users(1).start();
    world.write("rows.csv", format!("user_id,public.role\n{},x\n", id(0)));
    world.write("bad.csv", "user_id,nonsense\na,b\n");
    let cases: [(&[&str], &str); 11] = [
        (&["plan", "missing.csv"], "source"),
        (&["plan"], "usage"),
        (&["plan", "bad.csv"], "header"),
        (&["apply", "--run", "nope"], "usage"),
        (&["resume", "nope"], "usage"),
        (&["resume"], "usage"),
        (&["report", "nope"], "usage"),
        (&["plan", "--job", "nope"], "config"),
        (&["plan", "rows.csv", "--no-such-flag"], "usage"),
        (&["plan", "rows.csv", "--rate", "fast"], "usage"),
        (&["no-such-verb"], "usage"),
    ];
    for (args, code) in cases {
        let done = world.ends(2, args.iter().copied().chain(["--output", "json"]));
        let told = done.json();
        assert_eq!(keys(&done.stdout, 2), ["error", "code", "message"], "{done:#?}");
        assert_eq!(told["error"]["code"], code, "{done:#?}");
        let message = told["error"]["message"].as_str().expect("is a text");
        assert!(!message.is_empty() && !message.contains('\n'), "{done:#?}");
        assert!(done.stderr.contains("error:"), "people are told as well: {done:#?}");
    }
    let no_key = world.command(["plan", "rows.csv", "--output", "json"]).without("CLERK_SECRET_KEY").run().ended(2);
    assert!(no_key.json()["error"]["message"].as_str().expect("is a text").contains("CLERK_SECRET_KEY"));
    assert!(world.run_files().is_empty());
}

#[test]
fn progress_as_json_is_one_object_a_line_on_standard_error() {
    let world = World::new().users(3).start();
    world.write("rows.csv", format!("user_id,public.role\n{},x\n", id(0)));
    let done = world.ends(0, ["apply", "rows.csv", "--progress", "json", "--output", "json"]);
    assert!(done.stderr.lines().all(|line| value(line)["event"].is_string()), "{done:#?}");
}
