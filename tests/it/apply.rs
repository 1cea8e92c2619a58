//! The main job: rows in, a plan, the writes, a report, against what an independent merge says.

use std::collections::BTreeMap;
use std::io::Write as _;

use metapatch::json::Value;

use crate::world::{World, count, id, merge_into, outcomes, value};

/// The bodies that a user was sent, and how each ended.
fn bodies(world: &World, user: &str) -> Vec<(String, u16, Value)> {
    let seen = world.sandbox.bodies(user).into_iter();
    seen.map(|seen| (seen.method, seen.status, value(seen.body.expect("is JSON").get()))).collect()
}

/// What everybody should hold, given rows of NDJSON, by the independent merge.
fn expected(world: &World, rows: &str) -> BTreeMap<String, Value> {
    let mut all = world.all();
    for row in rows.lines().map(value) {
        let user = row["user_id"].as_str().expect("names a user");
        merge_into(all.get_mut(user).expect("there is the user"), &row);
    }
    all
}

/// A stored null and an empty field are the same to whoever merges.
fn same(held: &BTreeMap<String, Value>, expected: &BTreeMap<String, Value>) {
    let plain = |value: &Value| value.to_string().replace(r#""private_metadata":null"#, r#""private_metadata":{}"#);
    assert_eq!(held.len(), expected.len());
    for (user, held) in held {
        assert_eq!(plain(held), plain(&expected[user]), "{user}");
    }
}

/// A row for each user that changes much, little, or nothing, deletes, nests and swaps objects for values.
fn varied(n: u64) -> String {
    let patches = [
        r#""public_metadata":{"role":"editor","legacy":null}"#,
        r#""public_metadata":{"onboarding":{"done":true,"step":null}},"private_metadata":{"stripe":{"plan":"x"}}"#,
        r#""private_metadata":{"stripe":null,"big":123456789012345678901234567890}"#,
        r#""unsafe_metadata":{"theme":{"name":"dark","deep":{"er":[1,{"a":null}]}}}"#,
        r#""public_metadata":{"role":{"name":"editor"},"tags":[]}"#,
        r#""public_metadata":{}"#,
        r#""public_metadata":{"gone":{"a":null}},"unsafe_metadata":{"newsletter":null}"#,
    ];
    let patch = patches[usize::try_from(n).expect("fits") % patches.len()];
    format!("{{\"user_id\":\"{}\",{patch}}}\n", id(n))
}

#[test]
fn plan_changes_nothing_and_apply_sends_exactly_the_plan() {
    let world = World::new().users(50).start();
    let rows: String = (0..50).map(varied).collect();
    world.write("rows.ndjson", &rows);
    let (before, expected) = (world.all(), expected(&world, &rows));
    let plan = world.ends(0, ["plan", "rows.ndjson", "--output", "json"]).json();
    let truth = world.sandbox.truth();
    assert_eq!((truth.patches, truth.puts, truth.others, truth.total), (0, 0, 0, truth.gets));
    assert_eq!(world.all(), before);
    assert_eq!(plan["run"]["state"], "planned");
    let planned = plan["users"]["planned"].as_u64().expect("is a number");
    assert!(planned > 20 && planned < 50, "{planned}");

    let run = world.last_run();
    let done = world.ends(0, ["apply", "--run", &run, "--output", "json"]).json();
    assert_eq!(done["users"]["applied"].as_u64(), Some(planned));
    assert_eq!(done["users"]["unchanged"].as_u64(), Some(50 - planned));
    assert_eq!(done["requests"]["write"].as_u64(), Some(planned));
    assert_eq!(done["transitions"], plan["transitions"], "what was applied is what was planned");
    same(&world.all(), &expected);
    let truth = world.sandbox.truth();
    assert_eq!((truth.patches, truth.puts, truth.others), (planned, 0, 0));
    assert_eq!(truth.writes.max_per_user, 1);
}

#[test]
fn bodies_are_the_minimal_diffs() {
    let world = World::new().users(3).start();
    for n in 0..3 {
        let fields = value(
            r#"{"public_metadata":{"role":"member","plan":{"tier":"pro","seats":5}},
                "private_metadata":{"note":"x"},"unsafe_metadata":{}}"#,
        );
        world.sandbox.set_metadata(&id(n), &fields);
    }
    let row = |n, rest: &str| format!("{{\"user_id\":\"{}\",{rest}}}\n", id(n));
    let rows = [
        row(0, r#""public_metadata":{"role":"editor","plan":{"tier":"pro","seats":6},"absent":null}"#),
        row(1, r#""public_metadata":{"role":"member"},"private_metadata":{"note":null}"#),
        row(2, r#""public_metadata":{"role":"member","plan":{"seats":5}},"private_metadata":{"none":null}"#),
    ];
    world.write("rows.ndjson", rows.concat());
    world.ends(0, ["apply", "rows.ndjson"]);
    let only = |n: u64| {
        let mut seen = bodies(&world, &id(n));
        assert!(seen.len() < 2, "{seen:?}");
        seen.pop().map(|(method, status, body)| (method, status, body.to_string()))
    };
    let patch = |body: &str| Some(("PATCH".to_owned(), 200, body.to_owned()));
    assert_eq!(only(0), patch(r#"{"public_metadata":{"plan":{"seats":6},"role":"editor"}}"#));
    assert_eq!(only(1), patch(r#"{"private_metadata":{"note":null}}"#));
    assert_eq!(only(2), None);
}

#[test]
fn what_drifted_since_the_plan_is_left_alone_and_what_arrived_is_unchanged() {
    let world = World::new().users(4).start();
    let rows: String = (0..4).map(|n| format!("{},editor-{n}\n", id(n))).collect();
    world.write("rows.csv", format!("user_id,public.role\n{rows}"));
    world.ends(0, ["plan", "rows.csv"]);
    world.sandbox.merge_metadata(&id(0), &value(r#"{"public_metadata":{"role":"somebody-elses"}}"#));
    world.sandbox.merge_metadata(&id(1), &value(r#"{"public_metadata":{"role":"editor-1"}}"#));
    world.sandbox.merge_metadata(&id(2), &value(r#"{"public_metadata":{"another":"key"}}"#));
    let done = world.ends(1, ["apply", "--run", &world.last_run(), "--output", "json"]).json();
    assert_eq!(outcomes(&world.rows()), ["drifted", "unchanged", "applied", "applied"]);
    assert_eq!(world.held(&id(0))["public_metadata"]["role"], "somebody-elses");
    assert_eq!(world.held(&id(2))["public_metadata"]["role"], "editor-2");
    assert_eq!(world.held(&id(2))["public_metadata"]["another"], "key");
    assert_eq!(world.sandbox.truth().patches, 2);
    let users = &done["users"];
    assert_eq!((&users["drifted"], &users["unchanged"], &users["applied"]), (&1.into(), &1.into(), &2.into()));
    // It counts as fine for whoever says so, and `retry` compares it anew.
    world.ends(0, ["resume", &world.last_run(), "--accept", "drifted"]);
    world.ends(0, ["retry", &world.last_run(), "--only", "drifted"]);
    assert_eq!(world.held(&id(0))["public_metadata"]["role"], "editor-0");
    assert_eq!(outcomes(&world.rows()), ["applied", "unchanged", "applied", "applied"]);
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(bytes).expect("is written");
    gz.finish().expect("is finished")
}

#[test]
fn every_format_ends_in_the_same_state() {
    let csv = |separator: &str| {
        let rows = (0..20).map(|n| [id(n), format!("role-{n}"), n.to_string(), "true".into()].join(separator) + "\n");
        let header = ["user_id", "public.role", "private_metadata.seats:int", "unsafe.ok:bool"].join(separator);
        format!("{header}\n{}", rows.collect::<String>())
    };
    let ndjson: String = (0..20)
        .map(|n| {
            let fields = format!(r#""private_metadata":{{"seats":{n}}},"unsafe_metadata":{{"ok":true}}"#);
            format!("{{\"user_id\":\"{}\",\"public_metadata\":{{\"role\":\"role-{n}\"}},{fields}}}\n", id(n))
        })
        .collect();
    let zst = |text: &str| zstd::encode_all(text.as_bytes(), 0).expect("is packed");
    let files: [(&str, Vec<u8>); 10] = [
        ("rows.csv", csv(",").into()),
        ("rows.tsv", csv("\t").into()),
        ("rows.ndjson", ndjson.clone().into()),
        ("rows.jsonl", ndjson.clone().into()),
        ("rows.csv.gz", gz(csv(",").as_bytes())),
        ("rows.tsv.zst", zst(&csv("\t"))),
        ("rows.ndjson.gz", gz(ndjson.as_bytes())),
        ("rows.jsonl.zst", zst(&ndjson)),
        ("-csv", csv(",").into()),
        ("-ndjson", ndjson.clone().into()),
    ];
    let mut ends: Vec<BTreeMap<String, Value>> = Vec::new();
    for (name, bytes) in files {
        let world = World::new().users(20).start();
        let done = if let Some(format) = name.strip_prefix('-') {
            world.command(["apply", "-", "--input-format", format]).stdin(bytes).run()
        } else {
            world.write(name, bytes);
            world.run(["apply", name])
        };
        done.ended(0);
        let rows = world.rows();
        assert_eq!((rows.len(), count(&rows, "applied")), (20, 20), "{name}");
        ends.push(world.all());
    }
    let expected = expected(&World::new().users(20).start(), &ndjson);
    for end in ends {
        same(&end, &expected);
    }
}

#[test]
fn rows_of_one_user_are_folded_in_order_into_one_write() {
    let world = World::new().users(2).start();
    let row = |n, rest: &str| format!("{{\"user_id\":\"{}\",\"public_metadata\":{rest}}}\n", id(n));
    let rows = [
        row(0, r#"{"role":"a","x":{"one":1}}"#),
        row(1, r#"{"role":"other"}"#),
        row(0, r#"{"role":"b","x":null}"#),
        row(0, r#"{"x":{"two":2}}"#),
    ]
    .concat();
    world.write("rows.ndjson", &rows);
    let expected = expected(&world, &rows);
    world.ends(0, ["apply", "rows.ndjson"]);
    same(&world.all(), &expected);
    assert_eq!(bodies(&world, &id(0)).len(), 1);
    assert_eq!(outcomes(&world.rows()), ["applied"; 4]);

    let world = World::new().users(2).start();
    world.write("rows.ndjson", &rows);
    let done = world.ends(1, ["apply", "rows.ndjson", "--duplicates", "error", "--output", "json"]).json();
    let told = world.rows();
    assert_eq!(outcomes(&told), ["rejected", "applied", "rejected", "rejected"]);
    assert!(told[0].code == "duplicate_user" && told[0].message.contains("--duplicates fold"), "{told:?}");
    assert_eq!((&done["rows"]["rejected"], &done["users"]["applied"]), (&3.into(), &1.into()));
    assert!(bodies(&world, &id(0)).is_empty());
}

#[test]
fn replace_makes_a_given_field_equal_to_the_value_and_no_other() {
    let world = World::new().users(1).start();
    let holds = r#"{"public_metadata":{"a":1,"b":{"c":2,"d":3}},"unsafe_metadata":{"keep":true}}"#;
    world.sandbox.set_metadata(&id(0), &value(holds));
    world.write("rows.ndjson", format!(r#"{{"user_id":"{}","public_metadata":{{"b":{{"c":2}},"e":4}}}}"#, id(0)));
    world.ends(0, ["apply", "rows.ndjson", "--mode", "replace"]);
    assert_eq!(world.held(&id(0))["public_metadata"], value(r#"{"b":{"c":2},"e":4}"#));
    assert_eq!(world.held(&id(0))["unsafe_metadata"], value(r#"{"keep":true}"#));
    let (method, _, body) = bodies(&world, &id(0)).remove(0);
    assert_eq!((method.as_str(), body), ("PATCH", value(r#"{"public_metadata":{"a":null,"b":{"d":null},"e":4}}"#)));
    world.write("paths.csv", format!("user_id,public.role\n{},x\n", id(0)));
    world.ends(2, ["apply", "paths.csv", "--mode", "replace"]).says("public.role");
}

#[test]
fn an_empty_cell_leaves_alone_deletes_or_is_a_text() {
    for (empty, role) in [("skip", Some("member")), ("delete", None), ("string", Some(""))] {
        let world = World::new().users(1).start();
        world.sandbox.set_metadata(&id(0), &value(r#"{"public_metadata":{"role":"member"}}"#));
        world.write("rows.csv", format!("user_id,public.role,public.x\n{},,1\n", id(0)));
        world.ends(0, ["apply", "rows.csv", "--empty", empty]);
        assert_eq!(world.held(&id(0))["public_metadata"].get("role").and_then(Value::as_str), role, "{empty}");
    }
    let world = World::new().users(1).start();
    world.write("rows.ndjson", "");
    world.ends(2, ["apply", "rows.ndjson", "--empty", "delete"]).says("NDJSON");
}

#[test]
fn an_unknown_column_can_be_left_out_and_nothing_is_written_until_it_is() {
    let world = World::new().users(1).start();
    world.write("rows.csv", format!("user_id,team,public.role\n{},x,editor\n", id(0)));
    world.ends(2, ["apply", "rows.csv"]).says("--ignore-column team");
    assert_eq!(world.sandbox.truth().total, 0, "nothing is asked before the header is understood");
    assert!(world.run_files().is_empty());
    world.ends(0, ["apply", "rows.csv", "--ignore-column", "team"]);
    assert_eq!(world.held(&id(0))["public_metadata"]["role"], "editor");
}

#[test]
fn more_changes_than_allowed_write_nothing() {
    let world = World::new().users(10).start();
    let rows: String = (0..10).map(|n| format!("{},new\n", id(n))).collect();
    world.write("rows.csv", format!("user_id,public.role\n{rows}"));
    let before = world.all();
    for limit in ["9", "50%"] {
        let done = world.ends(3, ["apply", "rows.csv", "--max-changes", limit, "--output", "json"]);
        assert_eq!(done.json()["users"]["planned"], 10);
        done.says("--allow max_changes");
        assert_eq!((world.all(), world.sandbox.truth().patches), (before.clone(), 0));
    }
    // The plan is kept, and holds to the guard until that is lifted.
    let run = world.last_run();
    world.ends(3, ["resume", &run]).says("max_changes");
    world.ends(0, ["resume", &run, "--allow", "max_changes"]);
    assert_eq!(world.sandbox.truth().patches, 10);
    world.ends(0, ["apply", "rows.csv", "--max-changes", "0"]);
}

#[test]
fn what_is_too_large_or_missing_is_told_and_the_rest_is_applied() {
    let world = World::new().users(4).start();
    world.sandbox.set_metadata(&id(1), &value(&format!(r#"{{"public_metadata":{{"big":"{}"}}}}"#, "x".repeat(8000))));
    world.sandbox.set_metadata(&id(2), &value(r#"{"public_metadata":{}}"#));
    let note = "y".repeat(200);
    let most = "z".repeat(8192 - r#"{"note":""}"#.len());
    let users = [id(0), id(1), id(2), id(3), "user_nobody".to_owned()];
    let notes = [&note, &note, &most, &(most.clone() + "z"), &note];
    let rows: String = users.iter().zip(notes).map(|(user, note)| format!("{user},{note}\n")).collect();
    world.write("rows.csv", format!("user_id,public.note\n{rows}"));
    let done = world.ends(1, ["apply", "rows.csv", "--output", "json"]).json();
    let rows = world.rows();
    assert_eq!(outcomes(&rows), ["applied", "too_large", "applied", "too_large", "not_found"]);
    assert!(rows[1].message.contains("8192"), "{rows:?}");
    let users = &done["users"];
    assert_eq!((&users["applied"], &users["too_large"], &users["not_found"]), (&2.into(), &2.into(), &1.into()));
    assert_eq!(world.sandbox.truth().patches, 2, "what cannot fit is never sent");
    world.ends(0, ["resume", &world.last_run(), "--accept", "too_large,not_found"]);
}

#[test]
fn failed_rows_fed_back_as_they_are_end_well_once_the_cause_is_gone() {
    let (a, b, gone) = (id(0), id(1), id(9));
    let cases = [
        ("csv", format!("user_id,public.role,private.note\n{a},editor,\"a, \"\"b\"\"\"\n{b},x\n{gone},member,=1+1\n")),
        ("tsv", format!("user_id\tpublic.role\tprivate.note\n{a}\teditor\ta\n{b}\tx\n{gone}\tmember\t=1+1\n")),
        (
            "ndjson",
            format!(
                "{{\"user_id\":\"{a}\",\"public_metadata\":{{\"role\":\"editor\"}}}}\nnonsense\n{{ \"user_id\": \
                 \"{gone}\", \"public_metadata\": {{ \"role\": \"member\", \"n\": 1.50 }}, \
                 \"private_metadata\":{{\"note\":\"=1+1\"}} }}\n"
            ),
        ),
    ];
    for (format, rows) in cases {
        let world = World::new().users(10).start();
        let user = world.held(&gone);
        world.sandbox.delete_user(&gone);
        let name = format!("rows.{format}");
        world.write(&name, &rows);
        world.ends(1, ["apply", &name]);
        assert_eq!(outcomes(&world.rows()), ["applied", "rejected", "not_found"], "{format}");
        let failed = world.failed();
        assert!(!failed.contains(&a), "{failed}");

        let again = World::new().users(10).start();
        let name = format!("failed.{format}");
        again.write(&name, &failed);
        again.ends(1, ["apply", &name]);
        let rows = again.rows();
        assert_eq!(outcomes(&rows), ["rejected", "applied"], "{format}: {failed}");
        assert_eq!(rows[0].code, "unreadable", "{format}");
        let held = again.held(&gone);
        assert_eq!(
            (&held["public_metadata"]["role"], &held["private_metadata"]["note"]),
            (&"member".into(), &"=1+1".into())
        );
        assert_ne!(held, user);
        // What could not be read stays what it was, however often it goes round.
        let third = again.failed();
        let raw = if format == "ndjson" { "nonsense" } else { &b };
        assert!(third.contains(raw) && third.contains("metapatch_raw") && !third.contains(&gone), "{third}");
    }
}
