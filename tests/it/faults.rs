//! Whatever goes wrong on the way: the right end for every row, in bounded time.

use std::time::{Duration, Instant};

use metapatch::sandbox::{Fault, FaultKind, On, Quota, Rate};

use crate::world::{World, count, id, outcomes, value};

/// A world, and a row for each of its users.
fn world(users: u32) -> World {
    let world = World::new().users(users).start();
    rows(&world, users);
    world
}

fn rows(world: &World, users: u32) {
    let rows: String = (0..u64::from(users)).map(|n| format!("{},new-{n}\n", id(n))).collect();
    world.write("rows.csv", format!("user_id,public.role\n{rows}"));
}

fn complete(world: &World, users: u64) {
    for n in 0..users {
        assert_eq!(world.held(&id(n))["public_metadata"]["role"], format!("new-{n}"));
    }
    let rows = world.rows();
    assert_eq!((rows.len() as u64, count(&rows, "applied") as u64), (users, users), "{rows:#?}");
}

#[test]
fn what_passes_is_tried_again_until_every_user_holds_what_it_should() {
    use FaultKind::{
        BadGateway, CutAfter, CutBefore, GatewayTimeout, Internal, InternalAfter, Locked, Throttled, ThrottledBare,
        Truncated, Unavailable,
    };
    let kinds = [
        Locked,
        Internal,
        InternalAfter,
        BadGateway,
        Unavailable,
        GatewayTimeout,
        CutBefore,
        CutAfter,
        Truncated,
        Throttled,
        ThrottledBare,
    ];
    // They mostly wait.
    std::thread::scope(|scope| {
        for (kind, on) in kinds.into_iter().flat_map(|kind| [(kind, On::Write), (kind, On::Read)]) {
            scope.spawn(move || passes(kind, on));
        }
    });
}

fn passes(kind: FaultKind, on: On) {
    let world = world(12);
    let began = Instant::now();
    world.sandbox.set_faults(vec![Fault::new(kind).on(on).after(1).next(2)]);
    let done = world.ends(0, ["apply", "rows.csv", "--output", "json"]).json();
    complete(&world, 12);
    let truth = world.sandbox.truth();
    assert_eq!(truth.faults.values().sum::<u64>(), 2, "{kind:?} {on:?}");
    assert_eq!(truth.writes.applied, 12, "{kind:?} {on:?}: what landed is not written again");
    let throttled = matches!(kind, FaultKind::Throttled | FaultKind::ThrottledBare);
    let requests = &done["requests"];
    assert_eq!(requests["throttled"].as_u64(), Some(if throttled { 2 } else { 0 }), "{kind:?} {on:?}: {requests}");
    let landed = on == On::Write
        && matches!(
            kind,
            FaultKind::InternalAfter | FaultKind::GatewayTimeout | FaultKind::CutAfter | FaultKind::Truncated
        );
    assert_eq!(requests["retried"].as_u64() == Some(0), landed, "{kind:?} {on:?}: {requests}");
    assert!(began.elapsed() < Duration::from_secs(30), "{kind:?} {on:?} took {:?}", began.elapsed());
}

#[test]
fn what_never_passes_fails_its_row_and_is_bounded() {
    for (kind, code) in [(FaultKind::Internal, "internal_clerk_error"), (FaultKind::Locked, "resource_locked")] {
        let world = world(3);
        world.sandbox.set_faults(vec![Fault::new(kind).user(&id(1)).on(On::Write)]);
        world.ends(1, ["apply", "rows.csv", "--max-attempts", "3"]);
        let rows = world.rows();
        assert_eq!(outcomes(&rows), ["applied", "failed", "applied"], "{rows:#?}");
        assert_eq!((rows[1].attempts, rows[1].code.as_str()), (3, code));
        world.sandbox.set_faults(Vec::new());
        world.ends(0, ["retry", &world.last_run()]);
        complete(&world, 3);
    }
}

#[test]
fn an_answer_that_says_200_and_holds_nothing_is_not_applied() {
    let world = world(5);
    world.sandbox.set_faults(vec![Fault::new(FaultKind::Noop).user(&id(2))]);
    world.ends(1, ["apply", "rows.csv"]);
    let rows = world.rows();
    assert_eq!(outcomes(&rows), ["applied", "applied", "failed", "applied", "applied"]);
    assert_eq!(rows[2].code, "not_applied");
    assert!(rows[2].message.contains("public_metadata.role"), "{rows:#?}");

    // Where nothing has any effect, the run stops after a few, which go one at a time.
    let world = self::world(50);
    world.sandbox.set_faults(vec![Fault::new(FaultKind::Noop)]);
    let done = world.ends(3, ["apply", "rows.csv", "--output", "json"]).json();
    assert_eq!((&done["users"]["failed"], &done["users"]["planned"]), (&3.into(), &47.into()));
    assert_eq!((world.sandbox.truth().patches, done["run"]["state"].as_str()), (3, Some("aborted")));
}

#[test]
fn a_user_that_is_deleted_meanwhile_is_not_found() {
    for fault in [Fault::new(FaultKind::Deleted), Fault::new(FaultKind::Deleted).on(On::Read)] {
        let world = world(3);
        world.sandbox.set_faults(vec![fault.user(&id(1))]);
        world.ends(1, ["apply", "rows.csv"]);
        assert_eq!(outcomes(&world.rows()), ["applied", "not_found", "applied"]);
    }
}

#[test]
fn who_holds_something_unreadable_fails_alone_and_only_where_it_is_touched() {
    for kind in [FaultKind::UnreadableDeep, FaultKind::UnreadableSurrogate] {
        let world = world(3);
        world.sandbox.set_faults(vec![Fault::new(kind).user(&id(1))]);
        world.ends(1, ["apply", "rows.csv"]);
        let rows = world.rows();
        assert_eq!(outcomes(&rows), ["applied", "failed", "applied"]);
        assert_eq!(rows[1].code, "unreadable");
        let elsewhere: String = (0..3).map(|n| format!("{},x\n", id(n))).collect();
        world.write("private.csv", format!("user_id,private.note\n{elsewhere}"));
        world.ends(0, ["apply", "private.csv"]);
        assert_eq!(outcomes(&world.rows()), ["applied"; 3]);
    }
}

#[test]
fn a_list_that_ignores_its_filter_stops_the_run_before_anything_is_written() {
    let world = world(3);
    world.sandbox.set_faults(vec![Fault::new(FaultKind::Surplus)]);
    world.write("rows.csv", format!("user_id,public.role\n{},x\n", id(0)));
    let before = world.all();
    world.ends(3, ["apply", "rows.csv"]).says("not asked for");
    assert_eq!((world.all(), world.sandbox.truth().patches), (before, 0));
}

#[test]
fn somebody_else_who_writes_in_between_is_not_overwritten() {
    let world = world(3);
    let mut other = Fault::new(FaultKind::Concurrent).on(On::Read).user(&id(1)).next(1);
    other.patch = Some(value(r#"{"public_metadata":{"role":"theirs"}}"#));
    world.sandbox.set_faults(vec![other]);
    // A plan read it just before; what is applied is read again.
    world.ends(0, ["plan", "rows.csv"]);
    world.ends(1, ["apply", "--run", &world.last_run()]);
    assert_eq!(outcomes(&world.rows()), ["applied", "drifted", "applied"]);
    assert_eq!(world.held(&id(1))["public_metadata"]["role"], "theirs");
}

#[test]
fn an_answer_that_never_ends_is_given_up_and_settled_by_reading() {
    let world = world(6);
    world.sandbox.set_faults(vec![
        Fault::new(FaultKind::Endless).on(On::Write).after(2).next(1),
        Fault::new(FaultKind::Slow).on(On::Write).after(1).next(1),
        Fault::new(FaultKind::Endless).on(On::Read).after(1).next(1),
    ]);
    let began = Instant::now();
    world.ends(0, ["apply", "rows.csv", "--timeout", "500ms"]);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    complete(&world, 6);
    assert_eq!(world.rows().iter().filter(|row| row.code == "verified").count(), 2);
    assert_eq!(world.sandbox.truth().writes.applied, 6);
}

#[test]
fn the_limits_are_kept_without_a_single_429() {
    let period = Duration::from_millis(300);
    let limit = Rate::new(50, period);
    let world = World::new().users(200).with(|config| config.limit = Quota::Fixed(limit)).start();
    rows(&world, 200);
    world.ends(0, ["apply", "rows.csv", "--rate", "50/300ms"]);
    complete(&world, 200);
    let truth = world.sandbox.truth();
    assert_eq!(truth.throttled, 0, "{truth:?}");
    assert!(truth.windows.max_sliding <= 50 && truth.windows.max_fixed <= 50, "{:?}", truth.windows);
}

#[test]
fn a_rate_that_is_set_too_high_is_throttled_and_still_completes() {
    let limit = Rate::new(20, Duration::from_millis(300));
    let world = World::new().users(60).with(|config| config.limit = Quota::Fixed(limit)).start();
    rows(&world, 60);
    let done = world.ends(0, ["apply", "rows.csv", "--rate", "40/300ms", "--output", "json"]).json();
    complete(&world, 60);
    assert!(done["requests"]["throttled"].as_u64() > Some(0), "{done}");
    assert_eq!(world.sandbox.truth().writes.applied, 60);
}

#[test]
fn everything_at_once_ends_with_every_row_told_and_every_user_right() {
    let world = World::new().users(300).start();
    rows(&world, 300);
    let faults = [
        FaultKind::Locked,
        FaultKind::Internal,
        FaultKind::InternalAfter,
        FaultKind::BadGateway,
        FaultKind::Unavailable,
        FaultKind::CutBefore,
        FaultKind::CutAfter,
        FaultKind::Truncated,
        FaultKind::GatewayTimeout,
    ];
    world.sandbox.set_faults(faults.map(|kind| Fault::new(kind).rate(0.02)).to_vec());
    world.ends(0, ["apply", "rows.csv"]);
    complete(&world, 300);
    let truth = world.sandbox.truth();
    assert_eq!(truth.writes.max_in_flight_per_user, 1);
    assert!(truth.faults.values().sum::<u64>() > 20, "{:?}", truth.faults);
}
