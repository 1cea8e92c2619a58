//! Jobs of jobs.yaml through the real binary: sources, templates, guards, instances, mistakes.

use crate::world::{World, count, id, outcomes, value};

fn world(jobs: &str) -> World {
    let world = World::new().users(10).start();
    let rows: String = (0..4).map(|n| format!("{},role-{n},{n},yes\n", id(n))).collect();
    world.write("in.csv", format!("who,role,seats,legacy\n{rows}"));
    world.write("jobs.yaml", jobs);
    let member = value(r#"{"public_metadata":{"role":"member","legacy":true}}"#);
    (0..4).for_each(|n| assert!(world.sandbox.set_metadata(&id(n), &member)));
    world
}

const ROLES: &str = r#"
version: 1
jobs:
  roles:
    source: { csv: in.csv }
    match: { user_id: who }
    patch:
      public_metadata:
        role: "{{ role }}"
        seats: "{{ seats | int }}"
        legacy: "{{ delete if legacy == 'yes' }}"
        label: "{{ role }}: {{ seats }}"
    guards:
      forbid: [{ path: public_metadata.role, from: admin }]
"#;

#[test]
fn a_job_maps_its_columns_and_its_guard_blocks_until_it_is_lifted() {
    let world = world(ROLES);
    world.sandbox.merge_metadata(&id(2), &value(r#"{"public_metadata":{"role":"admin"}}"#));
    let done = world.ends(1, ["apply", "--job", "roles", "--output", "json"]).json();
    assert_eq!(
        (&done["run"]["job"], &done["users"]["blocked"], &done["users"]["applied"]),
        (&"roles".into(), &1.into(), &3.into())
    );
    let rows = world.rows();
    assert_eq!(outcomes(&rows), ["applied", "applied", "blocked", "applied"]);
    assert!(rows[2].message.contains("--allow forbid:public_metadata.role"), "{rows:#?}");
    assert_eq!(world.held(&id(1))["public_metadata"], value(r#"{"label":"role-1: 1","role":"role-1","seats":1}"#));
    assert_eq!(world.held(&id(2))["public_metadata"], value(r#"{"legacy":true,"role":"admin"}"#));
    let run = world.last_run();
    world.ends(1, ["retry", &run]);
    world.ends(0, ["retry", &run, "--allow", "forbid:public_metadata.role"]);
    assert_eq!(world.held(&id(2))["public_metadata"]["role"], "role-2");
    assert_eq!(outcomes(&world.rows()), ["applied"; 4]);
}

#[test]
fn failed_rows_of_a_job_are_fed_back_through_it() {
    let world = world(ROLES);
    world.sandbox.delete_user(&id(1));
    world.ends(1, ["apply", "--job", "roles"]);
    let failed = world.failed();
    assert!(failed.starts_with("who,role,seats,legacy,metapatch_outcome"), "{failed}");
    let again = self::world(ROLES);
    again.write("in.csv", &failed);
    again.ends(0, ["apply", "--job", "roles"]);
    assert_eq!((again.rows().len(), count(&again.rows(), "applied")), (1, 1));
}

#[test]
fn a_jobs_run_is_resumed_without_its_configuration() {
    let world = world(ROLES);
    world.ends(0, ["plan", "--job", "roles"]);
    std::fs::remove_file(world.dir().join("jobs.yaml")).expect("is removed");
    std::fs::remove_file(world.dir().join("in.csv")).expect("is removed");
    world.ends(0, ["apply", "--run", &world.last_run()]);
    assert_eq!(world.held(&id(3))["public_metadata"]["seats"], 3);
}

#[test]
fn max_changes_of_a_job_holds() {
    let world = world(&ROLES.replace("    guards:\n", "    guards:\n      max_changes: 3\n"));
    world.ends(3, ["apply", "--job", "roles"]).says("max_changes 3");
    assert_eq!(world.sandbox.truth().patches, 0);
    world.ends(0, ["apply", "--job", "roles", "--allow", "max_changes"]);
}

#[test]
fn outcomes_that_a_job_accepts_are_fine() {
    let world = world(&(ROLES.to_owned() + "    accept: [not_found]\n"));
    world.sandbox.delete_user(&id(1));
    world.ends(0, ["apply", "--job", "roles"]);
}

#[test]
fn an_ndjson_job_keeps_types_and_exact_numbers() {
    let jobs = r#"
version: 1
jobs:
  plans:
    source: { ndjson: in.ndjson }
    match: { external_id: customer }
    patch:
      private_metadata: { invoice: "{{ billing.invoice }}", all: "{{ billing }}" }
"#;
    let world = world(jobs);
    let users = concat!(r#"{"id":"user_a","external_id":"c1"}"#, "\n");
    let world_b = World::new().world(users).start();
    world_b.write("jobs.yaml", jobs);
    world_b.write("in.ndjson", r#"{"customer":"c1","billing":{"invoice":123456789012345678901,"paid":true}}"#);
    world_b.ends(0, ["apply", "--job", "plans"]);
    let expected = r#"{"invoice":123456789012345678901,"all":{"invoice":123456789012345678901,"paid":true}}"#;
    assert_eq!(world_b.held("user_a")["private_metadata"], value(expected));
    // Its source is missing here.
    world.ends(2, ["apply", "--job", "plans"]).says("in.ndjson");
}

#[test]
fn a_row_that_a_template_cannot_take_is_rejected_and_the_others_go_on() {
    let world = world(ROLES);
    let rows = format!("who,role,seats,legacy\n{},a,many,no\n{},b,5,no\n", id(0), id(1));
    world.write("in.csv", rows);
    world.ends(1, ["apply", "--job", "roles"]);
    let rows = world.rows();
    assert_eq!(outcomes(&rows), ["rejected", "applied"]);
    assert!(rows[0].message.contains("seats"), "{rows:#?}");
}

#[test]
fn mistakes_name_their_place_and_the_nearest_key() {
    let cases = [
        (ROLES.replace("source:", "sauce:"), "source"),
        (ROLES.replace("version: 1", "version: 9"), "version"),
        (ROLES.replace("{{ role }}", "{{ role"), "role"),
        (ROLES.replace("{{ role }}", "{{ rolle }}"), "rolle"),
        (ROLES.replace("user_id: who", "user_id: whom"), "whom"),
        (ROLES.replace("max_changes: 3", "max_changes: many"), ""),
        (ROLES.replace("public_metadata:", "public_metadatta:"), "public_metadata"),
        ("version: 1\njobs: [".to_owned(), "jobs.yaml"),
        ("version: 1\njobs: {}\n".to_owned(), "roles"),
        ("\u{1b}[2J: x\n".to_owned(), "jobs.yaml"),
        (format!("version: 1\njobs: {}", "[".repeat(100_000)), "jobs.yaml"),
        (
            "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b]\n".to_owned(),
            "jobs.yaml",
        ),
    ];
    for (jobs, says) in cases.iter().filter(|(_, says)| !says.is_empty()) {
        let world = world(jobs);
        world.ends(2, ["plan", "--job", "roles"]).says(says);
        assert_eq!(world.sandbox.truth().total, 0);
    }
    let world = world("");
    std::fs::remove_file(world.dir().join("jobs.yaml")).expect("is removed");
    world.ends(2, ["plan", "--job", "roles"]).says("jobs.yaml");
}

#[test]
fn an_instance_of_the_configuration_says_its_key_and_address() {
    let world = world("");
    let instances = format!(
        "version: 1\ninstances:\n  local: {{ secret_key: \"${{MY_KEY}}\", api_url: {} }}\n  other: {{ secret_key: \"${{NOT_SET}}\" }}\n",
        world.sandbox.url()
    );
    world.write("jobs.yaml", instances + ROLES.trim_start().strip_prefix("version: 1\n").expect("begins so"));
    let command = |args: &[&str]| {
        let command = world.command(args.iter().copied()).without("CLERK_SECRET_KEY").without("CLERK_API_URL");
        command.env("MY_KEY", "sk_test_worldsecret").run()
    };
    command(&["apply", "--job", "roles", "--instance", "local"]).ended(0);
    command(&["apply", "--job", "roles", "--instance", "other"]).ended(2).says("NOT_SET");
    command(&["apply", "--job", "roles", "--instance", "lokal"]).ended(2).says("local");
    let literal = "version: 1\ninstances:\n  local: { secret_key: sk_test_worldsecretliteral }\n";
    world.write("literal.yaml", literal);
    command(&["plan", "in.csv", "-c", "literal.yaml", "--instance", "local"]).ended(2);
    let abroad = "version: 1\ninstances:\n  local: { secret_key: \"${MY_KEY}\", api_url: \"https://example.com\" }\n";
    world.write("abroad.yaml", abroad);
    world.write("rows.csv", format!("user_id,public.role\n{},x\n", id(0)));
    command(&["plan", "rows.csv", "-c", "abroad.yaml", "--instance", "local"])
        .ended(2)
        .says("--allow-api-url example.com");
}
