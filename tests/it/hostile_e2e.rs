//! Every file of `fixtures/hostile/` through the real binary: what is good is applied, what is bad is told, and a
//! terminal obeys none of it. The table is the one in the folder's README.

use std::path::{Path, PathBuf};

use crate::world::{Output, World, count};

/// One line of the README's table.
#[derive(Debug)]
struct Case {
    file: String,
    read: usize,
    good: usize,
    codes: Vec<String>,
    ends: String,
    exit: i32,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hostile")
}

impl Case {
    fn all() -> Vec<Self> {
        let readme = std::fs::read_to_string(folder().join("README.md")).expect("there is a README");
        let cases: Vec<Self> = readme.lines().filter(|line| line.starts_with("| `")).map(Self::of).collect();
        assert!(cases.len() > 60);
        cases
    }

    fn of(line: &str) -> Self {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let number = |n: usize| cells[n].parse().unwrap_or_else(|_| panic!("{line}"));
        let code = |code: &str| {
            let (name, times) = code.split_once('×').unwrap_or((code, "1"));
            let name = name.trim().trim_matches('`').to_owned();
            std::iter::repeat_n(name, times.trim().parse().expect("is a number")).collect::<Vec<_>>()
        };
        let codes = cells[4].split(',').filter(|code| code.trim() != "–").flat_map(code).collect();
        Self {
            file: cells[0].trim_matches('`').to_owned(),
            read: number(2),
            good: number(3),
            codes,
            ends: cells[5].to_owned(),
            exit: cells[6].parse().unwrap_or_else(|_| panic!("{line}")),
        }
    }
}

/// A world of the users that good rows speak of.
fn world() -> World {
    let users: String = (1..=9).map(|n| format!("{{\"id\":\"user_good{n}\"}}\n")).collect();
    World::new().world(&users).start()
}

/// Whether a terminal would print it and do nothing else.
fn is_harmless(text: &str) -> bool {
    let obeyed = |c: char| c.is_control() && c != '\n';
    let turned = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}');
    !text.contains(|c: char| obeyed(c) || turned(c))
}

fn check_said(case: &Case, output: &Output) {
    assert!(is_harmless(&output.stdout) && is_harmless(&output.stderr), "{case:?}: {output:#?}");
    assert!(!output.stdout.contains("FAKE") && !output.stderr.contains("FAKE"), "a secret is told: {output:#?}");
    if case.exit >= 2 {
        assert!(output.stderr.contains("error: ") && output.stderr.contains(&case.file), "{case:?}: {output:#?}");
    }
    if let Some(line) = case.ends.strip_prefix("breaks on line ") {
        assert!(output.stderr.contains(&format!("{}, line {line}: ", case.file)), "{case:?}: {output:#?}");
    }
}

fn check(case: &Case) {
    let world = world();
    let path = folder().join(&case.file);
    let path = path.to_str().expect("is UTF-8");
    for verb in ["plan", "apply"] {
        let output = world.run([verb, path]);
        assert_eq!(output.code, Some(case.exit), "{case:?}: {output:#?}");
        check_said(case, &output);
    }
    if case.exit == 2 {
        assert!(world.run_files().is_empty(), "{case:?}");
        assert_eq!(world.sandbox.truth().total, 0, "{case:?}");
        return;
    }
    let report = world.ends(0, ["report", &world.last_run()]);
    check_said(&Case { exit: 0, ends: String::new(), file: case.file.clone(), codes: Vec::new(), ..*case }, &report);
    let rows = world.rows();
    assert_eq!(rows.len(), case.read, "{case:?}: {rows:#?}");
    let codes: Vec<&str> = rows.iter().filter(|row| row.outcome == "rejected").map(|row| row.code.as_str()).collect();
    assert_eq!(codes, case.codes, "{case:?}");
    if case.exit == 3 {
        assert_eq!((count(&rows, "pending"), world.sandbox.truth().patches), (case.good, 0), "{case:?}");
    } else {
        let good = count(&rows, "applied") + count(&rows, "unchanged");
        assert_eq!(good, case.good, "{case:?}: {rows:#?}");
        assert_eq!(count(&rows, "failed"), 0, "{case:?}: {rows:#?}");
    }
    for (path, bytes) in world.left_behind() {
        assert!(!crate::world::holds(&bytes, "FAKE"), "{case:?}: a secret is kept in {}", path.display());
    }
    feed_back(case, &world);
}

/// The failed rows can be read again as they are, and what could not be read is rejected again.
fn feed_back(case: &Case, world: &World) {
    let formats = ["ndjson", "tsv", "csv"];
    let format = formats.into_iter().find(|format| case.file.contains(format)).expect("it names its format");
    let name = &format!("failed.{format}");
    // What is not UTF-8 is kept byte for byte.
    world.ends(0, ["report", &world.last_run(), "--format", "failed", "-o", name]);
    let failed = std::fs::read(world.dir().join(name)).expect("is there");
    let failed = String::from_utf8_lossy(&failed);
    // The export's lines that could not be read are not kept.
    let expected = if case.file == "export.csv" { 0 } else { case.codes.len() };
    let output = world.run(["plan", name]);
    assert_eq!(output.code, Some(i32::from(expected > 0)), "{case:?}: {failed} {output:#?}");
    let rows = world.rows();
    let told = (rows.len(), count(&rows, "rejected"));
    assert_eq!(told, (expected, expected), "{case:?}: {failed} {rows:#?}");
}

#[test]
fn every_hostile_file_ends_as_its_readme_says() {
    let cases = Case::all();
    cases.iter().for_each(check);
}

#[test]
fn a_record_of_more_than_a_mebibyte_stops_the_run_where_it_begins() {
    let world = world();
    world.write(
        "long.csv",
        format!("user_id,public.note\nuser_good1,a\nuser_bad,{}\nuser_good2,b\n", "x".repeat(1_200_000)),
    );
    world.ends(3, ["apply", "long.csv"]).says("long.csv, line 3: ");
    world.write("long.ndjson", format!("{{\"user_id\":\"{}\"}}\n", "x".repeat(1_200_000)));
    world.ends(3, ["apply", "long.ndjson"]).says("long.ndjson, line 1: ");
    assert_eq!(world.sandbox.truth().patches, 0);
}

#[test]
fn hostile_files_work_the_same_on_standard_input() {
    for (file, format, code) in [("types.csv", "csv", 1), ("deep.ndjson", "ndjson", 1), ("truncated.csv.gz", "csv", 2)]
    {
        let bytes = std::fs::read(folder().join(file)).expect("is there");
        world().command(["plan", "-", "--input-format", format]).stdin(bytes).run().ended(code);
    }
}
