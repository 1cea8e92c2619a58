//! Interrupted runs are completed, finished ones stay as they are, and one run has one writer.

use std::time::Duration;

use metapatch::sandbox::{Fault, FaultKind, On};

use crate::world::{World, count, id, outcomes};

/// Many users, each of whom is to change, over a slow line.
fn slow(users: u32) -> World {
    let world = World::new().users(users).with(|config| config.latency = Duration::from_millis(10)).start();
    let rows: String = (0..u64::from(users)).map(|n| format!("{},new-{n}\n", id(n))).collect();
    world.write("rows.csv", format!("user_id,public.role\n{rows}"));
    world
}

/// Every user holds what it should, every row is applied, and nobody was written more often than that.
fn complete(world: &World, users: u64, writes: u64) {
    for n in 0..users {
        assert_eq!(world.held(&id(n))["public_metadata"]["role"], format!("new-{n}"));
    }
    let rows = world.rows();
    assert_eq!((rows.len() as u64, count(&rows, "applied") as u64), (users, users), "{rows:#?}");
    assert!(world.sandbox.truth().writes.max_per_user <= writes, "{:?}", world.sandbox.truth().writes);
}

#[test]
fn a_signal_drains_and_resume_completes() {
    for signal in ["INT", "TERM"] {
        let world = slow(300);
        let running = world.command(["apply", "rows.csv", "--max-in-flight", "3"]).spawn();
        world.wait_until("some writes", |truth| truth.writes.applied >= 20);
        running.signal(signal);
        let ended = running.wait().ended(130);
        let run = world.last_run();
        let stem = run.rsplit('/').next().and_then(|name| name.strip_suffix(".run")).expect("is a run file");
        let told = format!("{}{}", ended.stdout, ended.stderr);
        assert!(told.contains(&format!("metapatch resume {stem}")), "{ended:#?}");
        let truth = world.sandbox.truth();
        let rows = world.rows();
        assert!(truth.writes.applied < 300, "it stopped");
        assert_eq!(count(&rows, "applied") as u64, truth.writes.applied, "what was under way was waited for");
        assert_eq!(count(&rows, "planned") as u64, 300 - truth.writes.applied);
        let runs = world.ends(0, ["runs", "--output", "json"]).json();
        assert_eq!(runs["runs"][0]["state"], "interrupted");
        world.ends(0, ["resume"]);
        complete(&world, 300, 1);
    }
}

#[test]
fn a_second_signal_gives_up_what_is_under_way_and_resume_settles_it() {
    let world = slow(10);
    world.sandbox.set_faults(vec![Fault::new(FaultKind::Slow).on(On::Write).after(3)]);
    let running = world.command(["apply", "rows.csv", "--max-in-flight", "2"]).spawn();
    world.wait_until("two slow writes", |truth| truth.faults.get("slow") == Some(&2));
    running.signal("INT");
    running.wait_for("finishing what is under way");
    running.signal("INT");
    running.wait().ended(130);
    world.sandbox.set_faults(Vec::new());
    world.ends(0, ["resume"]);
    complete(&world, 10, 1);
    assert_eq!(world.rows().iter().filter(|row| row.code == "verified").count(), 2);
}

#[test]
fn a_signal_while_comparing_is_resumed_as_well() {
    let world = World::new().users(3_000).with(|config| config.latency = Duration::from_millis(100)).start();
    let rows: String = (0..3_000).map(|n| format!("{},new-{n}\n", id(n))).collect();
    world.write("rows.csv", format!("user_id,public.role\n{rows}"));
    let running = world.command(["plan", "rows.csv", "--output", "json"]).spawn();
    world.wait_until("some reads", |truth| truth.gets >= 6);
    running.signal("INT");
    let ended = running.wait().ended(130).json();
    assert_eq!(ended["run"]["state"], "interrupted");
    assert!(ended["users"]["pending"].as_u64().expect("is a number") > 0, "{ended}");
    let counted = |key: &str| ended["users"][key].as_u64().expect("is a number");
    assert_eq!(counted("pending") + counted("planned"), 3_000);
    // The run's goal is a plan, which resuming it does not pass.
    let done = world.ends(0, ["resume", "--output", "json"]).json();
    assert_eq!((&done["run"]["state"], &done["users"]["planned"]), (&"planned".into(), &3_000.into()));
    assert_eq!(world.sandbox.truth().patches, 0);
}

#[test]
fn out_of_max_duration_is_an_interruption() {
    let world = slow(300);
    let run = ["apply", "rows.csv", "--max-in-flight", "1", "--max-duration", "500ms"];
    world.ends(130, run).says("--max-duration");
    assert!(world.sandbox.truth().writes.applied < 300);
    world.ends(0, ["resume"]);
    complete(&world, 300, 1);
}

#[test]
fn resuming_a_finished_run_changes_nothing_and_ends_as_it_did() {
    let world = slow(3);
    for (name, code, verb) in [("rows.csv", 0, "apply"), ("bad.csv", 1, "apply"), ("rows.csv", 0, "plan")] {
        world.write("bad.csv", format!("user_id,public.role\n{},b\nuser_nobody,x\n", id(0)));
        world.ends(code, [verb, name]);
        let run = world.last_run();
        let (rows, all, patches) = (world.rows(), world.all(), world.sandbox.truth().patches);
        let done = world.ends(code, ["resume", &run, "--output", "json"]).json();
        assert_eq!((world.rows(), world.all(), world.sandbox.truth().patches), (rows.clone(), all, patches));
        assert_eq!(done["run"]["state"], if verb == "plan" { "planned" } else { "applied" });
        assert_eq!(done["requests"]["write"], 0);
        // Applying the saved run again does not write twice, either.
        if verb == "apply" {
            world.ends(code, ["apply", "--run", &run]);
            assert_eq!((world.rows(), world.sandbox.truth().patches), (rows, patches));
        }
    }
}

#[test]
fn a_run_has_one_writer_and_any_number_of_readers() {
    let world = slow(100);
    let running = world.command(["apply", "rows.csv", "--max-in-flight", "1"]).spawn();
    world.wait_until("some writes", |truth| truth.writes.applied >= 5);
    let run = world.last_run();
    for verb in [&["resume"][..], &["retry"], &["apply", "--run"]] {
        let args = verb.iter().copied().chain([run.as_str()]);
        world.ends(2, args).says("another metapatch is working on the run");
    }
    let before = count(&world.rows(), "applied");
    assert!((1..100).contains(&before), "{before}");
    for format in ["text", "json", "failed"] {
        world.ends(0, ["report", &run, "--format", format]);
    }
    let runs = world.ends(0, ["runs", "--output", "json"]).json();
    assert_eq!(runs["runs"][0]["state"], "running");
    running.wait().ended(0);
    complete(&world, 100, 1);
}

#[test]
fn a_run_is_bound_to_its_instance() {
    for no_instance in [false, true] {
        let build = || World::new().users(3).with(move |config| config.no_instance = no_instance);
        let world = build().start();
        world.write("rows.csv", format!("user_id,public.role\n{},x\n", id(0)));
        world.ends(0, ["plan", "rows.csv"]);
        let run = world.last_run();
        let other =
            World::new().users(3).with(move |config| (config.seed, config.no_instance) = (2, no_instance)).start();
        for verb in [&["resume"][..], &["apply", "--run"], &["retry"]] {
            let args = verb.iter().copied().chain([run.as_str()]);
            let refused = world.command(args).env("CLERK_API_URL", other.sandbox.url()).run().ended(2);
            refused.says("belongs to another instance");
        }
        let key = world.command(["resume"]).env("CLERK_API_URL", other.sandbox.url()).run().ended(2);
        key.says("no run of this instance");
        assert_eq!(other.sandbox.truth().patches + world.sandbox.truth().patches, 0);
        // Nothing was marred by the refusals.
        world.ends(0, ["apply", "--run", &run]);
    }
}

#[test]
fn an_interrupted_standard_input_cannot_be_read_again_and_says_so() {
    let world = World::new().users(3).start();
    let rows: String =
        (0..300_000).map(|n| format!("{{\"user_id\":\"user_{n}\",\"public_metadata\":{{\"a\":1}}}}\n")).collect();
    let running = world.command(["plan", "-", "--input-format", "ndjson"]).stdin(rows).spawn();
    world.wait_for_run();
    running.signal("INT");
    running.wait().ended(130);
    world.ends(2, ["resume"]).says("standard input, which cannot be read twice");
}

#[test]
fn a_wait_for_standard_input_can_be_interrupted() {
    let world = World::new().users(3).start();
    let row = format!("user_id,public.role\n{},x\n", id(0));
    let args = ["apply", "-", "--input-format", "csv", "--progress", "json"];
    let running = world.command(args).stdin(row).stays_open().spawn();
    running.wait_for("started");
    running.signal("INT");
    // The first is not answered while it waits for a row; the second ends it in any case.
    std::thread::sleep(Duration::from_millis(100));
    running.signal("INT");
    running.wait_for("stopping at once");
    running.wait().ended(130);
    assert_eq!(world.sandbox.truth().patches, 0);
}

#[test]
fn retry_compares_anew_and_leaves_what_ended_well() {
    let world = slow(3);
    world.sandbox.delete_user(&id(1));
    world.ends(1, ["apply", "rows.csv"]);
    let run = world.last_run();
    world.ends(1, ["retry", &run]);
    assert_eq!(outcomes(&world.rows()), ["applied", "not_found", "applied"]);
    world.ends(2, ["retry", &run, "--only", "applied"]).says("cannot be tried again");
    world.ends(0, ["retry", &run, "--accept", "not_found"]);
    assert_eq!(world.sandbox.truth().writes.max_per_user, 1);
}
