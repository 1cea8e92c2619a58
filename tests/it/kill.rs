//! A run that is killed at any point is completed by `resume`: the same end, every row told once.

use std::time::{Duration, Instant};

use metapatch::sandbox::{Fault, FaultKind, On};

use crate::world::{Running, World, count, id};

const USERS: u64 = 200;

/// A world over a slow line, with a row for each user.
fn world() -> World {
    let users = u32::try_from(USERS).expect("is small");
    let world = World::new().users(users).with(|config| config.latency = Duration::from_millis(10)).start();
    let rows: String = (0..USERS).map(|n| format!("{},new-{n}\n", id(n))).collect();
    world.write("rows.csv", format!("user_id,public.role\n{rows}"));
    world
}

fn kill(running: Running) {
    running.signal("KILL");
    assert_eq!(running.wait().code, None, "it was killed");
}

/// Ends as an uninterrupted run does; whoever was killed may have written once more.
fn complete(world: &World, kills: u64) {
    for n in 0..USERS {
        assert_eq!(world.held(&id(n))["public_metadata"]["role"], format!("new-{n}"));
    }
    let rows = world.rows();
    assert_eq!((rows.len() as u64, count(&rows, "applied") as u64), (USERS, USERS));
    let writes = world.sandbox.truth().writes;
    assert!(writes.max_per_user <= 1 + kills, "{writes:?}");
    assert_eq!(writes.max_in_flight_per_user, 1);
    assert_eq!(world.run_files().len(), 1);
    let beside: Vec<_> = world.left_behind().into_iter().map(|(path, _)| path).collect();
    let is_rest = |end: &str| beside.iter().any(|path| path.to_string_lossy().ends_with(end));
    assert!(!is_rest("-wal") && !is_rest("-shm"), "one file in the end: {beside:?}");
}

#[test]
fn killed_while_applying_again_and_again() {
    let world = world();
    let mut running = world.command(["apply", "rows.csv", "--max-in-flight", "8"]).spawn();
    for (kills, writes) in [1, 30, 31, 90, 150].into_iter().enumerate() {
        world.wait_until("writes", |truth| truth.writes.applied >= writes);
        kill(running);
        let rows = world.rows();
        assert_eq!((rows.len() as u64, count(&rows, "rejected")), (USERS, 0), "after kill {kills}");
        running = world.command(["resume", "--max-in-flight", "8"]).spawn();
    }
    running.wait().ended(0);
    complete(&world, 5);
    // What was read again and found done was not written again.
    assert!(world.sandbox.truth().writes.applied <= USERS, "{:?}", world.sandbox.truth().writes);
}

#[test]
fn killed_with_writes_that_landed_unseen() {
    let world = world();
    // They are applied at once, and answered in a minute.
    world.sandbox.set_faults(vec![Fault::new(FaultKind::Slow).on(On::Write).after(20).next(10)]);
    let running = world.command(["apply", "rows.csv", "--max-in-flight", "10"]).spawn();
    world.wait_until("ten slow writes", |truth| truth.faults.get("slow") == Some(&10));
    kill(running);
    world.sandbox.set_faults(Vec::new());
    world.ends(0, ["resume"]);
    complete(&world, 0);
    assert_eq!(world.rows().iter().filter(|row| row.code == "verified").count(), 10);
}

#[test]
fn killed_while_comparing() {
    let world = world();
    world.sandbox.set_faults(vec![Fault::new(FaultKind::Slow).on(On::Read).after(2).next(1)]);
    let running = world.command(["apply", "rows.csv"]).spawn();
    world.wait_until("a read", |truth| truth.gets >= 2 && truth.faults.contains_key("slow"));
    assert_eq!(world.sandbox.truth().patches, 0);
    kill(running);
    world.sandbox.set_faults(Vec::new());
    world.ends(0, ["resume"]);
    complete(&world, 0);
}

#[test]
fn killed_while_staging_it_is_staged_again() {
    let world = world();
    // Many rows for each user, of which the last one counts.
    let mut rows = "user_id,public.role\n".to_owned();
    for round in 0..200 {
        (0..USERS).for_each(|n| rows += &format!("{},{round}-{n}\n", id(n)));
    }
    (0..USERS).for_each(|n| rows += &format!("{},new-{n}\n", id(n)));
    world.write("many.csv", &rows);
    let running = world.command(["apply", "many.csv"]).spawn();
    world.wait_for_run();
    kill(running);
    assert_eq!(world.sandbox.truth().patches, 0);
    let staged = world.rows();
    assert!(staged.len() < 40_200, "it was killed while staging");
    world.ends(0, ["resume"]);
    for n in 0..USERS {
        assert_eq!(world.held(&id(n))["public_metadata"]["role"], format!("new-{n}"));
    }
    let rows = world.rows();
    assert_eq!((rows.len(), count(&rows, "applied")), (40_200, 40_200));
    assert_eq!(world.sandbox.truth().writes.max_per_user, 1);
}

#[test]
fn a_source_that_changed_since_it_was_killed_while_staging_is_told() {
    let world = world();
    world.write("many.csv", "user_id,public.role\n".to_owned() + &format!("{},x\n", id(0)).repeat(40_000));
    let running = world.command(["apply", "many.csv"]).spawn();
    world.wait_for_run();
    kill(running);
    world.write("many.csv", format!("user_id,public.role\n{},other\n", id(0)));
    world.ends(0, ["resume"]).says("the source has changed");
    assert_eq!(world.held(&id(0))["public_metadata"]["role"], "other");
    assert_eq!(world.rows().len(), 1);
}

#[test]
fn killed_while_the_run_file_is_opened_or_closed_it_can_still_be_read() {
    let world = world();
    world.ends(0, ["plan", "rows.csv"]);
    let run = world.last_run();
    let rows = world.rows();
    // What a kill leaves behind then: pages that were overwritten, and the journal that takes that back.
    let db = rusqlite::Connection::open(&run).expect("is a database");
    db.execute_batch("PRAGMA cache_size = 1; BEGIN IMMEDIATE; UPDATE rows SET message = hex(randomblob(4000));")
        .expect("is written");
    let copy = run.replace(".run", "-cut.run");
    for ending in ["", "-journal"] {
        std::fs::copy(format!("{run}{ending}"), format!("{copy}{ending}")).expect("is copied");
    }
    drop(db);
    assert_eq!(world.rows_of(&copy), rows);
    world.ends(0, ["resume", &copy]);
}

#[test]
fn killed_at_any_moment() {
    let world = world();
    let began = Instant::now();
    let mut kills = 0;
    let mut args = vec!["apply", "rows.csv", "--max-in-flight", "4"];
    // Ever later, from before it began until it is through.
    for delay in (0..).map(|n| Duration::from_millis(3 + 23 * n)) {
        assert!(began.elapsed() < Duration::from_mins(1), "it gets nowhere");
        let running = world.command(args.clone()).spawn();
        std::thread::sleep(delay);
        running.signal("KILL");
        let ended = running.wait();
        if ended.code.is_some() {
            ended.ended(0);
            break;
        }
        if world.run_files().is_empty() {
            continue;
        }
        kills += 1;
        args = vec!["resume", "--max-in-flight", "4"];
    }
    complete(&world, kills);
    assert!(world.sandbox.truth().writes.applied <= USERS + kills);
}
