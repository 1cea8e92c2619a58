//! Standard output holds data and standard error the rest; exit codes, secrets, files.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Stdio;

use metapatch::sandbox::{Fault, FaultKind, On};

use crate::world::{KEY, World, count, holds, id, outcomes, value};

/// A world and a row for each of its users.
fn world(users: u32) -> World {
    let world = World::new().users(users).start();
    let rows: String = (0..u64::from(users)).map(|n| format!("{},new-{n}\n", id(n))).collect();
    world.write("rows.csv", format!("user_id,public.role\n{rows}"));
    world
}

#[test]
fn data_goes_to_standard_output_and_nothing_else_does() {
    let world = world(3);
    let plan = world.ends(0, ["plan", "rows.csv"]);
    assert!(plan.stdout.contains("public_metadata.role") && !plan.stdout.contains("comparing"), "{plan:#?}");
    assert!(plan.stderr.contains("comparing") && !plan.stderr.contains("public_metadata.role"), "{plan:#?}");
    let quiet = world.ends(0, ["plan", "rows.csv", "-q"]);
    assert_eq!(quiet.stderr, "");
    assert!(quiet.stdout.contains("public_metadata.role"));
    let applied = world.ends(0, ["apply", "rows.csv"]);
    assert!(applied.stderr.contains("applying") && !applied.stdout.contains("applying:"), "{applied:#?}");
    for (verb, format) in [("report", "text"), ("report", "csv"), ("report", "failed"), ("report", "json")] {
        let told = world.ends(0, [verb, &world.last_run(), "--format", format]);
        assert_eq!(told.stderr, "", "{format}");
        assert!(!told.stdout.is_empty(), "{format}");
    }
    let wrong = world.ends(2, ["plan", "nowhere.csv"]);
    assert_eq!(wrong.stdout, "");
    assert!(wrong.stderr.starts_with("error: ") && wrong.stderr.contains("nowhere.csv"), "{wrong:#?}");
    for verb in [&["--help"][..], &["--version"], &["schema"], &["man"], &["completions", "bash"], &["help", "apply"]] {
        let told = world.ends(0, verb.iter().copied());
        assert!(told.stderr.is_empty() && !told.stdout.is_empty(), "{told:#?}");
    }
}

#[test]
fn done_is_0_and_rows_that_ended_otherwise_are_1() {
    let world = world(2);
    world.ends(0, ["plan", "rows.csv"]);
    world.ends(0, ["apply", "rows.csv"]);
    world.ends(0, ["apply", "rows.csv"]);
    world.write("missing.csv", "user_id,public.role\nuser_nobody,x\n");
    world.write("bad.csv", format!("user_id,public.role\n{},new-0\na/b,x\n", id(0)));
    for name in ["missing.csv", "bad.csv"] {
        world.ends(1, ["plan", name]);
        world.ends(1, ["apply", name]);
    }
    world.ends(0, ["apply", "missing.csv", "--accept", "not_found"]);
    world.ends(0, ["apply", "bad.csv", "--accept", "rejected"]);
    world.ends(1, ["apply", "bad.csv", "--accept", "not_found"]);
}

#[test]
fn a_detailed_plan_ends_with_4_where_there_are_changes_and_no_bad_rows() {
    let world = world(2);
    world.ends(4, ["plan", "rows.csv", "--detailed-exitcode"]);
    world.ends(0, ["apply", "rows.csv"]);
    world.ends(0, ["plan", "rows.csv", "--detailed-exitcode"]);
    world.write("bad.csv", format!("user_id,public.role\n{},other\na/b,x\n", id(0)));
    world.ends(1, ["plan", "bad.csv", "--detailed-exitcode"]);
    world.ends(4, ["plan", "bad.csv", "--detailed-exitcode", "--accept", "rejected"]);
}

#[test]
fn wrong_usage_is_2_names_the_cause_and_the_way_out_and_sends_nothing() {
    let world = world(1);
    world.write("bad.csv", "user_id,public.role,rolle\na,b,c\n");
    world.write("empty.csv", "");
    world.write("jobs.yaml", "version: 1\njobs: {}\n");
    let cases: [(&[&str], &str); 16] = [
        (&["plan", "nowhere.csv"], "nowhere.csv"),
        (&["plan", "."], "."),
        (&["plan", "bad.csv"], "rolle"),
        (&["plan", "empty.csv"], "no header"),
        (&["plan"], "name a FILE"),
        (&["plan", "rows.csv", "--nope"], "--nope"),
        (&["plan", "rows.csv", "--rate", "0/1s"], "--rate"),
        (&["plan", "rows.csv", "--share", "101%"], "--share"),
        (&["plan", "rows.csv", "--max-changes=-1"], "--max-changes"),
        (&["plan", "rows.csv", "--timeout", "0s"], "--timeout"),
        (&["plan", "rows.csv", "--accept", "fine"], "fine"),
        (&["plan", "rows.csv", "--job", "x"], "both given"),
        (&["plan", "-"], "--input-format"),
        (&["apply", "--run", "nope"], "there is no run"),
        (&["apply", "rows.csv", "--run", "nope"], "--run"),
        (&["report", "rows.csv"], "not a run file"),
    ];
    for (args, says) in cases {
        let told = world.ends(2, args.iter().copied()).says(says);
        assert_eq!(told.stdout, "", "{told:#?}");
    }
    let obeyed = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}";
    for args in [["plan", obeyed], ["report", obeyed], [obeyed, "x"], ["plan", &format!("--{obeyed}")]] {
        let told = world.ends(2, args);
        assert!(!told.stderr.contains('\u{202e}') && told.stderr.contains("\\u{202e}"), "{told:#?}");
    }
    for url in
        ["nonsense", "ftp://127.0.0.1", "http://example.com", "https://user:pw@example.com", "http://127.0.0.1:1/x?y"]
    {
        world.command(["plan", "rows.csv"]).env("CLERK_API_URL", url).run().ended(2).says("CLERK_API_URL");
    }
    assert_eq!(world.sandbox.truth().total, 0);
    assert!(world.run_files().is_empty());
}

#[test]
fn without_a_key_every_verb_says_how_to_set_one_or_start_a_sandbox() {
    let world = world(1);
    world.ends(0, ["plan", "rows.csv"]);
    let run = world.last_run();
    for args in [&["plan", "rows.csv"][..], &["apply", "rows.csv"], &["resume"], &["resume", &run], &["retry", &run]] {
        let told = world.command(args.iter().copied()).without("CLERK_SECRET_KEY").run().ended(2);
        assert!(told.stderr.contains("CLERK_SECRET_KEY") && told.stderr.contains("metapatch sandbox"), "{told:#?}");
        world.command(args.iter().copied()).env("CLERK_SECRET_KEY", "").run().ended(2);
    }
    // These need none.
    for args in [&["runs"][..], &["report", &run], &["--help"]] {
        world.command(args.iter().copied()).without("CLERK_SECRET_KEY").run().ended(0);
    }
    for key in ["pk_test_x", "sk_test_a b", "sk_test_ü", "sk_test_x\n\nsk_test_y"] {
        world.command(["plan", "rows.csv"]).env("CLERK_SECRET_KEY", key).run().ended(2);
    }
}

#[test]
fn a_live_instance_is_not_written_without_a_yes() {
    let world = world(2);
    let live = |args: &[&str]| world.command(args.iter().copied()).env("CLERK_SECRET_KEY", "sk_live_worldsecret").run();
    live(&["apply", "rows.csv"]).ended(2).says("--yes");
    assert!(world.run_files().is_empty(), "nothing was begun");
    live(&["plan", "rows.csv"]).ended(0);
    let run = world.last_run();
    live(&["apply", "--run", &run]).ended(2).says("--yes");
    live(&["resume", &run]).ended(0);
    assert_eq!(world.sandbox.truth().patches, 0);
    live(&["apply", "--run", &run, "--yes"]).ended(0);
    assert_eq!(world.sandbox.truth().patches, 2);
}

#[test]
fn a_refused_key_is_3_keeps_everything_and_is_resumed_with_a_good_one() {
    let world = world(50);
    world.sandbox.set_faults(vec![Fault::new(FaultKind::Revoked).on(On::Write).after(10).next(1)]);
    let done = world.ends(3, ["apply", "rows.csv", "--max-in-flight", "2", "--output", "json"]);
    let told = done.json();
    assert_eq!(told["run"]["state"], "aborted");
    let applied = told["users"]["applied"].as_u64().expect("is a number");
    assert!((8..=12).contains(&applied) && told["users"]["planned"] == 50 - applied, "{told}");
    assert!(done.stderr.contains("refuses the key") && done.stderr.contains("metapatch resume"), "{done:#?}");
    world.ends(3, ["resume"]).says("refuses the key");
    world.ends(3, ["plan", "rows.csv"]).says("nothing was begun");
    let rows = world.rows();
    assert_eq!((count(&rows, "applied") as u64, count(&rows, "planned") as u64), (applied, 50 - applied));
    // For the sandbox another key is another instance.
    let other = world.command(["resume", &world.last_run()]).env("CLERK_SECRET_KEY", "sk_test_another").run();
    other.ended(2).says("belongs to another instance");
}

#[test]
fn too_many_failures_are_3_and_retry_mends_them() {
    let world = world(100);
    world.sandbox.set_faults(vec![Fault::new(FaultKind::Noop).after(10)]);
    let done = world.ends(3, ["apply", "rows.csv", "--max-failures", "5", "--max-in-flight", "2", "--output", "json"]);
    let failed = done.json()["users"]["failed"].as_u64().expect("is a number");
    assert!((6..=8).contains(&failed), "{done:#?}");
    done.says("--max-failures 5");
    world.sandbox.set_faults(Vec::new());
    world.ends(0, ["retry", &world.last_run()]);
    assert_eq!(outcomes(&world.rows()), ["applied"; 100]);
}

#[test]
fn a_source_that_breaks_is_3_and_names_its_line() {
    let world = world(3);
    world.write("broken.csv", format!("user_id,public.role\n{},x\n{},\"y\n{},z\n", id(0), id(1), id(2)));
    for verb in ["plan", "apply"] {
        let done = world.ends(3, [verb, "broken.csv", "--output", "json"]);
        assert_eq!(done.json()["run"]["state"], "aborted");
        done.says("broken.csv, line 3");
    }
    assert_eq!(world.sandbox.truth().patches, 0);
    world.ends(3, ["resume", &world.last_run()]).says("broken.csv, line 3");
}

#[test]
fn private_values_are_nowhere_unless_asked_for() {
    let world = World::new().users(2).start();
    world.sandbox.merge_metadata(&id(0), &value(r#"{"private_metadata":{"a":"TOPBEFORE","obj":{"k":"TOPDEEP"}}}"#));
    let row = r#""private_metadata":{"a":"TOPAFTER","obj":7,"new":{"x":"TOPNEW"}},"public_metadata":{"shown":"yes"}"#;
    world.write("rows.ndjson", format!("{{\"user_id\":\"{}\",{row}}}\n", id(0)));
    let plan = world.ends(0, ["plan", "rows.ndjson", "-v"]);
    assert!(plan.stdout.contains("private_metadata.a") && plan.stdout.contains("yes"), "{plan:#?}");
    let run = world.last_run();
    let mut told = vec![plan, world.ends(0, ["apply", "--run", &run, "-v"])];
    for format in ["text", "json", "csv"] {
        told.push(world.ends(0, ["report", &run, "--format", format]));
    }
    told.push(world.ends(0, ["resume", &run]));
    told.push(world.ends(0, ["runs"]));
    for output in &told {
        assert!(!output.stdout.contains("TOP") && !output.stderr.contains("TOP"), "{output:#?}");
    }
    let shown = world.ends(0, ["report", &run, "--format", "json", "--show-private"]);
    assert!(shown.stdout.contains("TOPBEFORE") && shown.stdout.contains("TOPAFTER"), "{shown:#?}");
}

#[test]
fn the_key_is_kept_nowhere() {
    let world = world(5);
    world.sandbox.set_faults(vec![Fault::new(FaultKind::Internal).next(2), Fault::new(FaultKind::BadGateway).next(1)]);
    world.write("key", format!("{KEY}\n"));
    let runs = [
        world.ends(0, ["plan", "rows.csv", "-v"]),
        world
            .command(["apply", "rows.csv", "-v", "--secret-key-file", "key"])
            .without("CLERK_SECRET_KEY")
            .run()
            .ended(0),
        world.command(["resume", "-v", "--secret-key-command", "cat key"]).without("CLERK_SECRET_KEY").run().ended(0),
    ];
    // What was said was looked at by then.
    assert_eq!(runs.len(), 3);
    world.sandbox.set_faults(vec![Fault::new(FaultKind::Revoked)]);
    world.ends(3, ["plan", "rows.csv", "-v"]);
    let left = world.left_behind();
    assert!(left.len() >= 2, "{left:?}");
    for (path, bytes) in left {
        assert!(!holds(&bytes, "worldsecret"), "{}", path.display());
    }
}

#[test]
fn run_files_are_private_and_named_as_told() {
    let world = world(1);
    let mode = |name: &str| world.dir().join(name).metadata().expect("is there").permissions().mode() & 0o777;
    world.ends(0, ["plan", "rows.csv"]);
    assert_eq!((mode(".metapatch"), mode(".metapatch/runs"), mode(&world.last_run())), (0o700, 0o700, 0o600));
    let ignore = std::fs::read_to_string(world.dir().join(".metapatch/runs/.gitignore")).expect("is there");
    assert!(ignore.lines().any(|line| line == "*"));
    world.ends(0, ["plan", "rows.csv", "--run-file", "mine.run"]);
    assert_eq!(mode("mine.run"), 0o600);
    world.ends(2, ["plan", "rows.csv", "--run-file", "mine.run"]).says("exists already");
    symlink("target.run", world.dir().join("link.run")).expect("is linked");
    world.ends(2, ["plan", "rows.csv", "--run-file", "link.run"]).says("exists already");
    world.ends(0, ["apply", "--run", "mine.run"]);
    world.ends(0, ["plan", "rows.csv", "--runs-dir", "elsewhere"]);
    world.command(["plan", "rows.csv"]).env("METAPATCH_RUNS_DIR", "by-env").run().ended(0);
    assert_eq!((mode("elsewhere"), mode("by-env")), (0o700, 0o700));
}

#[test]
fn a_report_is_not_written_over_or_through_anything_without_force() {
    let world = world(1);
    world.ends(0, ["apply", "rows.csv"]);
    let run = world.last_run();
    let file = |name: &str| world.dir().join(name);
    let report = |name: &str, more: &[&str]| {
        let args = ["report", &run, "--format", "csv", "-o", name];
        world.run(args.into_iter().chain(more.iter().copied()))
    };
    assert_eq!(report("new.csv", &[]).ended(0).stdout, "");
    assert_eq!(file("new.csv").metadata().expect("is there").permissions().mode() & 0o777, 0o600);
    world.write("old.csv", "precious");
    symlink(file("old.csv"), file("link.csv")).expect("is linked");
    symlink(file("nothing"), file("dangling.csv")).expect("is linked");
    for name in ["old.csv", "link.csv", "dangling.csv", "new.csv"] {
        report(name, &[]).ended(2).says("--force");
    }
    assert_eq!(std::fs::read_to_string(file("old.csv")).expect("is there"), "precious");
    assert!(!file("nothing").exists());
    report("old.csv", &["--force"]).ended(0);
    assert!(std::fs::read_to_string(file("old.csv")).expect("is there").starts_with("row,line,"));
    report("no/such/folder.csv", &[]).ended(2);
}

#[test]
fn a_closed_standard_output_neither_panics_nor_stops_the_run() {
    let world = world(20);
    for verb in ["plan", "apply"] {
        let shell = format!("exec \"$0\" {verb} rows.csv --rate 100000/1s >&-");
        let ended = std::process::Command::new("sh")
            .args(["-c", &shell, env!("CARGO_BIN_EXE_metapatch")])
            .current_dir(world.dir())
            .env("CLERK_SECRET_KEY", KEY)
            .env("CLERK_API_URL", world.sandbox.url())
            .stdin(Stdio::null())
            .output()
            .expect("runs");
        assert!(!String::from_utf8_lossy(&ended.stderr).contains("panicked"), "{ended:?}");
    }
    assert_eq!(world.sandbox.truth().patches, 20);
}

#[test]
fn a_run_that_cannot_be_read_is_a_note_and_not_the_end_of_the_list() {
    let world = world(1);
    world.ends(0, ["plan", "rows.csv"]);
    let run = world.run_files()[0].file_stem().expect("has a name").to_string_lossy().into_owned();
    world.write(".metapatch/runs/00000000-junk.run", "junk");
    for more in [&[][..], &["--output", "json"]] {
        let listed = world.ends(0, ["runs"].into_iter().chain(more.iter().copied()));
        assert!(listed.stdout.contains(&run), "{listed:#?}");
        assert!(listed.stderr.contains("note: ") && listed.stderr.contains("00000000-junk.run"), "{listed:#?}");
    }
}

#[test]
fn a_report_in_a_file_is_not_coloured() {
    let world = world(1);
    world.ends(0, ["apply", "rows.csv"]);
    let run = world.last_run();
    world.ends(0, ["report", &run, "--color", "always", "-o", "told.txt"]);
    let told = std::fs::read_to_string(world.dir().join("told.txt")).expect("is there");
    assert!(told.contains("applied") && !told.contains('\u{1b}'), "{told}");
}

#[test]
fn rows_that_the_file_of_failed_rows_lacks_are_counted_aloud() {
    let world = world(1);
    let secret = r#"{"user_id":"user_1","password_digest":"s3cret""#;
    world.write("rows.ndjson", format!("{secret}\n{{\"user_id\":\"user_2\"\n"));
    world.ends(1, ["apply", "rows.ndjson"]);
    let failed = world.ends(0, ["report", &world.last_run(), "--format", "failed"]);
    assert_eq!(failed.stdout.lines().count(), 1, "{failed:#?}");
    assert!(failed.stderr.starts_with("note: 1 failed row left out"), "{failed:#?}");
    assert!(world.left_behind().iter().all(|(path, bytes)| path.ends_with("rows.ndjson") || !holds(bytes, "s3cret")));
}

#[test]
fn a_place_that_does_not_do_is_wrong_usage() {
    let world = world(1);
    world.ends(2, ["plan", "rows.csv", "--run-file", "missing/x.run"]);
    world.ends(2, ["plan", "rows.csv", "--runs-dir", "rows.csv"]);
    let before = std::fs::read(world.dir().join("rows.csv")).expect("is there");
    world.write("roles.csv", "mine");
    world.ends(2, ["demo", "--dir", "."]).says("is not empty");
    assert_eq!(std::fs::read(world.dir().join("roles.csv")).expect("is there"), b"mine");
    assert_eq!(std::fs::read(world.dir().join("rows.csv")).expect("is there"), before);
}
