//! Imports only run down the floors.

use std::collections::{BTreeMap, BTreeSet};

use super::code::{SourceFile, root, source_files, without_prose};

/// The floor of each module at the top level. What stands on one floor and may not import its neighbours is an edge.
const FLOORS: &[(u8, &[&str])] = &[
    (
        0,
        &[
            "change", "event", "guard", "harmless", "identity", "json", "mapping", "merge", "nearest", "number",
            "outcome", "patch", "path", "retry", "row", "spec", "state", "target",
        ],
    ),
    (EDGES, &["clerk", "limit", "report", "run_file", "source", "stop"]),
    (2, &["apply", "compare", "phase", "read", "stage"]),
    (3, &["settings"]),
    (4, &["cli", "sandbox"]),
];

/// The floor whose rooms do not know each other.
const EDGES: u8 = 1;

/// Imports that the floors would forbid: from, to, and why it is right all the same.
const ALLOWED: &[(&str, &str, &str)] = &[];

/// What floor 0 never touches.
const WORLDLY: &[&str] = &[
    "tokio::",
    "reqwest::",
    "rusqlite::",
    "hyper::",
    "clap::",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "fastrand::",
];

fn floor_of(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(_, rooms)| rooms.contains(&room)).map(|(floor, _)| *floor)
}

/// The modules at the top level that a file names as `crate::…`.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let inside_a_word = code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$');
        if !inside_a_word {
            found.extend(first_names(&code[at + "crate::".len()..]));
        }
    }
    found
}

/// The first name of a path, or those of a group such as `{apply, report::{self, json}}`.
fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = path.trim_start().strip_prefix('{') else { return vec![name(path)] };
    let (mut names, mut depth, mut item) = (Vec::new(), 0, String::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(name(item.trim()));
                item.clear();
                if c == '}' {
                    break;
                }
            }
            _ if depth == 0 => item.push(c),
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Who imports whom, without what a module takes from itself.
fn edges(files: &[SourceFile]) -> BTreeMap<(String, String), String> {
    let mut edges = BTreeMap::new();
    for file in files.iter().filter(|file| !file.is_test && !matches!(file.room(), "lib" | "main")) {
        for import in imports(&file.code).into_iter().filter(|import| import != file.room()) {
            edges.entry((file.room().to_owned(), import)).or_insert_with(|| file.path.clone());
        }
    }
    edges
}

#[test]
fn every_module_has_a_floor_and_a_place_in_the_architecture() {
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).expect("is there");
    let declared: BTreeSet<String> = without_prose(&lib)
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub mod ")?.strip_suffix(';').map(str::to_owned))
        .collect();
    let table: BTreeSet<String> = FLOORS.iter().flat_map(|(_, rooms)| rooms.iter().map(ToString::to_string)).collect();
    assert_eq!(declared, table, "lib.rs and the table of floors name the same modules");
    let architecture = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("is there");
    assert!(architecture.lines().count() <= 150, "short enough that all read it");
    for room in &table {
        assert!(architecture.contains(&format!("`{room}`")), "ARCHITECTURE.md says what `{room}` is");
    }
}

#[test]
fn imports_only_run_down_the_floors() {
    let mut wrong = Vec::new();
    for ((from, to), file) in edges(&source_files()) {
        // What lib.rs gives out again is not taken from there inside the crate.
        let Some(above) = floor_of(&from) else { panic!("{from} has no floor") };
        let Some(below) = floor_of(&to) else {
            wrong.push(format!("src/{file} imports crate::{to}, which is no module at the top level"));
            continue;
        };
        let forbidden = below > above || (below == above && above == EDGES);
        let is_allowed = ALLOWED.iter().any(|(one, other, _)| (*one, *other) == (from.as_str(), to.as_str()));
        if forbidden && !is_allowed {
            wrong.push(format!("src/{file} (floor {above}) imports crate::{to} (floor {below})"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let edges = edges(&source_files());
    let mut left: BTreeSet<&str> = edges.keys().flat_map(|(from, to)| [from.as_str(), to.as_str()]).collect();
    // Whatever imports nothing that is left cannot be part of a circle.
    while let Some(done) =
        left.iter().copied().find(|room| !edges.keys().any(|(from, to)| from == room && left.contains(to.as_str())))
    {
        left.remove(done);
    }
    assert!(left.is_empty(), "these modules import each other in a circle: {left:?}");
}

#[test]
fn super_never_climbs_out_of_a_top_level_module() {
    for file in source_files().iter().filter(|file| !file.is_test) {
        let depth = file.path.split('/').count();
        let climb = "super::".repeat(depth);
        assert!(!file.code.contains(&climb), "src/{}: write `crate::…`, so that floors can be seen", file.path);
    }
}

#[test]
fn ideas_touch_nothing_of_the_world() {
    for file in source_files().iter().filter(|file| !file.is_test && floor_of(file.room()) == Some(0)) {
        for worldly in WORLDLY {
            assert!(!file.code.contains(worldly), "src/{} is on floor 0, but names {worldly}", file.path);
        }
    }
}

#[test]
fn imports_are_found_in_every_form() {
    let code = "use crate::a; use crate::{b, c::{self, d}, e as f,}; fn g() { crate::h::i(); $crate::j() }";
    assert_eq!(imports(code).into_iter().collect::<Vec<_>>(), ["a", "b", "c", "e", "h"]);
}
