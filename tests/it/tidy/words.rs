//! What does not stand in the code.

use super::code::{files_below, root, source_files};

/// What code that is not a test never says.
const NEVER_IN_CODE: &[(&str, &str)] = &[
    ("println!", "a closed pipe would panic; write to the stream"),
    ("eprintln!", "a closed pipe would panic; write to the stream"),
    ("print!", "a closed pipe would panic; write to the stream"),
    ("dbg!", "it is for a moment"),
    ("todo!", "what is committed is finished"),
    ("unimplemented!", "what is committed is finished"),
    (".unwrap()", "say with `expect` why it cannot fail, or return the error"),
    ("process::exit", "only `main` ends the program, so that everything is closed"),
    ("serde(untagged", "it misreads exact numbers"),
    ("serde(flatten", "it misreads exact numbers"),
];

#[test]
fn code_says_nothing_that_is_forbidden() {
    let mut wrong = Vec::new();
    for file in source_files().iter().filter(|file| !file.is_test) {
        for (number, line) in file.code.lines().enumerate() {
            for (never, why) in NEVER_IN_CODE {
                let found = line.find(never).is_some_and(|at| {
                    let before = line[..at].chars().next_back();
                    never.starts_with('.') || !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
                });
                if found {
                    wrong.push(format!("src/{}:{}: {never}: {why}", file.path, number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_silenced_has_a_reason() {
    for file in source_files() {
        for (at, attribute) in
            ["#[allow", "#![allow", "#[expect", "#![expect"].iter().flat_map(|start| file.text.match_indices(start))
        {
            let rest = &file.text[at..];
            let whole = &rest[..rest.find(")]").map_or(rest.len(), |end| end + 2)];
            assert!(whole.contains("reason = \""), "src/{}: {attribute}…: say why: {whole}", file.path);
        }
        assert!(!file.text.contains("#[ignore"), "src/{}: a test runs, or it is no test", file.path);
    }
}

#[test]
fn a_module_with_children_is_a_file_beside_its_folder() {
    for file in source_files() {
        assert!(!file.path.ends_with("mod.rs"), "src/{}: name the file for the module", file.path);
    }
}

#[test]
fn nothing_speaks_of_the_machine_it_was_written_on_or_of_unfinished_work() {
    // Put together here, so that this file does not speak of them either.
    let homes = ["home", "root", "Users", "work"].map(|name| format!("/{name}/"));
    let notes = [["TO", "DO"], ["FIX", "ME"], ["X", "XX"]].map(|[a, b]| format!("{a}{b}"));
    let places = ["src", "tests", "docs", "bin", ".ci"].map(|folder| root().join(folder));
    let pages = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "Cargo.toml", "deny.toml", "jobs.example.yaml"];
    let files = places.iter().flat_map(|place| files_below(place)).chain(pages.map(|page| root().join(page)));
    for path in files {
        let text = String::from_utf8_lossy(&std::fs::read(&path).expect("is there")).into_owned();
        for home in &homes {
            // A path in a URL or below another folder is no home directory.
            let found = text.match_indices(home.as_str()).any(|(at, _)| {
                let before = text[..at].chars().next_back();
                before.is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '}' | '$' | '~' | '>')))
            });
            assert!(!found, "{} names a folder of one machine: {home}", path.display());
        }
        for note in &notes {
            let found = text.split(|c: char| !c.is_alphanumeric()).any(|word| word == note);
            assert!(!found, "{} holds a {note}: do it, or open an issue", path.display());
        }
    }
}
