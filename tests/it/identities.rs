//! Whom rows speak of: every kind of identity, and what is not one user's.

use crate::world::{World, outcomes, value};

const USERS: &str = concat!(
    r#"{"id":"user_a","external_id":"+ext a","username":"ann","email_addresses":["ann@example.com"],"phone_numbers":["+15550000001"]}"#,
    "\n",
    r#"{"id":"user_b","external_id":"-2","username":"ben","email_addresses":[{"email_address":"ann@example.com","verified":false},{"email_address":"ben@example.com","verified":false}]}"#,
    "\n",
    r#"{"id":"user_c","external_id":"c&c=%2F","username":"cy","email_addresses":["Cy.C+tag@Example.com"],"phone_numbers":[{"phone_number":"+15550000003","verified":false}]}"#,
    "\n",
);

/// The users that hold the role that was given them.
fn holding(world: &World, role: &str) -> Vec<&'static str> {
    let held = |user: &&str| world.held(user)["public_metadata"]["role"] == role;
    ["user_a", "user_b", "user_c"].into_iter().filter(held).collect()
}

#[test]
fn every_kind_of_identity_finds_its_user() {
    let cases: [(&str, &str, &[&str]); 9] = [
        ("user_id", "user_a", &["user_a"]),
        ("external_id", "+ext a", &["user_a"]),
        ("external_id", "-2", &["user_b"]),
        ("external_id", "c&c=%2F", &["user_c"]),
        ("email_address", "ann@example.com", &["user_a"]),
        ("email_address", "Cy.C+tag@Example.com", &["user_c"]),
        ("phone_number", "+15550000001", &["user_a"]),
        ("username", "ben", &["user_b"]),
        ("email_address", "nobody@example.com", &[]),
    ];
    for (kind, identity, found) in cases {
        let world = World::new().world(USERS).start();
        world.write("rows.csv", format!("{kind},public.role\n{identity},editor\n"));
        world.ends(i32::from(found.is_empty()), ["apply", "rows.csv"]);
        assert_eq!(holding(&world, "editor"), found, "{kind} {identity}");
        let rows = world.rows();
        assert_eq!(rows[0].outcome, if found.is_empty() { "not_found" } else { "applied" });
        assert_eq!(rows[0].user_id, found.first().copied().unwrap_or_default());
        let told = rows[0].matched.trim_start_matches('\'');
        assert_eq!(told, format!("{kind}={identity}"));
    }
}

#[test]
fn an_unverified_identifier_finds_nobody_unless_it_may() {
    for (kind, identity, user) in
        [("email_address", "ben@example.com", "user_b"), ("phone_number", "+15550000003", "user_c")]
    {
        let world = World::new().world(USERS).start();
        world.write("rows.csv", format!("{kind},public.role\n{identity},editor\n"));
        world.ends(1, ["apply", "rows.csv"]);
        let rows = world.rows();
        assert_eq!((rows[0].outcome.as_str(), rows[0].code.as_str()), ("not_found", "unverified"));
        assert!(rows[0].message.contains("--allow-unverified"), "{rows:?}");
        assert_eq!(world.sandbox.truth().patches, 0);
        let plan = world.ends(0, ["plan", "rows.csv", "--allow-unverified"]);
        assert!(plan.stdout.contains("--allow-unverified"), "the preview says so: {plan:#?}");
        world.ends(0, ["apply", "rows.csv", "--allow-unverified"]);
        assert_eq!(holding(&world, "editor"), [user]);
    }
}

#[test]
fn an_identity_of_several_users_is_ambiguous_and_changes_none() {
    let shared = concat!(
        r#"{"id":"user_a","email_addresses":[{"email_address":"x@example.com","verified":false}]}"#,
        "\n",
        r#"{"id":"user_b","email_addresses":[{"email_address":"x@example.com","verified":false}]}"#,
        "\n",
        r#"{"id":"user_c","email_addresses":["y@example.com"]}"#,
        "\n",
    );
    let world = World::new().world(shared).start();
    world.write("rows.csv", "email_address,public.role\nx@example.com,editor\ny@example.com,editor\nx@example.com,b\n");
    let done = world.ends(1, ["apply", "rows.csv", "--allow-unverified", "--output", "json"]).json();
    assert_eq!(outcomes(&world.rows()), ["ambiguous", "applied", "ambiguous"]);
    assert_eq!(done["users"]["ambiguous"], 1, "one identity, however many rows name it");
    assert_eq!(holding(&world, "editor"), ["user_c"]);
}

#[test]
fn several_identities_of_one_user_are_folded_into_one_write_in_input_order() {
    let world = World::new().world(USERS).start();
    let row = |kind: &str, id: &str, n: u32| {
        format!("{{\"{kind}\":\"{id}\",\"public_metadata\":{{\"role\":\"r{n}\",\"k{n}\":{n}}}}}\n")
    };
    let rows = [
        row("email_address", "ann@example.com", 1),
        row("user_id", "user_b", 2),
        row("username", "ann", 3),
        row("user_id", "user_a", 4),
        row("phone_number", "+15550000001", 5),
        row("external_id", "+ext a", 6),
    ];
    world.write("rows.ndjson", rows.concat());
    let done = world.ends(0, ["apply", "rows.ndjson", "--output", "json"]).json();
    let expected = r#"{"role":"r6","k1":1,"k3":3,"k4":4,"k5":5,"k6":6}"#;
    assert_eq!(world.held("user_a")["public_metadata"], value(expected));
    assert_eq!(outcomes(&world.rows()), ["applied"; 6]);
    assert_eq!((&done["users"]["applied"], &done["rows"]["read"]), (&2.into(), &6.into()));
    assert_eq!(world.sandbox.truth().writes.max_per_user, 1);
    world.write("twice.ndjson", [row("username", "cy", 1), row("user_id", "user_c", 2)].concat());
    world.ends(1, ["apply", "twice.ndjson", "--duplicates", "error"]);
    assert_eq!(outcomes(&world.rows()), ["rejected", "rejected"]);
}

#[test]
fn identities_of_one_user_that_say_the_same_as_it_holds_are_unchanged_in_any_order() {
    let world = World::new().world(USERS).start();
    world.sandbox.merge_metadata("user_a", &value(r#"{"public_metadata":{"role":"editor"}}"#));
    let row = |kind: &str, id: &str, role: &str| {
        format!("{{\"{kind}\":\"{id}\",\"public_metadata\":{{\"role\":\"{role}\"}}}}\n")
    };
    // Alone the first changes nothing, with the second it does, and the third takes that back.
    world.write("two.ndjson", [row("user_id", "user_a", "editor"), row("username", "ann", "admin")].concat());
    world.ends(0, ["plan", "two.ndjson"]);
    assert_eq!(outcomes(&world.rows()), ["planned", "planned"]);
    let three =
        [row("user_id", "user_a", "x"), row("username", "ann", "admin"), row("external_id", "+ext a", "editor")];
    world.write("three.ndjson", three.concat());
    world.ends(0, ["apply", "three.ndjson"]);
    assert_eq!(outcomes(&world.rows()), ["unchanged"; 3]);
    assert_eq!(world.sandbox.truth().patches, 0);
}
