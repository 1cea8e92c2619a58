//! How large files and functions are.

use super::code::{item_length, source_files};

/// The most lines of a file, its tests aside.
const FILE_LINES: usize = 400;

/// The most lines of a function.
const FUNCTION_LINES: usize = 60;

/// Files that may be longer: path, lines, and why.
const LONG_FILES: &[(&str, usize, &str)] = &[];

/// Functions that may be longer: path, name, lines, and why.
const LONG_FUNCTIONS: &[(&str, &str, usize, &str)] = &[];

#[test]
fn files_are_short_enough_to_be_read_at_once() {
    let mut long = Vec::new();
    for file in source_files().iter().filter(|file| !file.is_test) {
        let lines = file.code.trim_end().lines().count();
        let most = LONG_FILES.iter().find(|(path, ..)| *path == file.path).map_or(FILE_LINES, |(_, lines, _)| *lines);
        if lines > most {
            long.push(format!("src/{} has {lines} lines, {most} at most", file.path));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn functions_are_short_enough_to_be_understood() {
    let mut long = Vec::new();
    for file in source_files().iter().filter(|file| !file.is_test) {
        for (name, line, lines) in functions(&file.code) {
            let most = LONG_FUNCTIONS
                .iter()
                .find(|(path, function, ..)| *path == file.path && *function == name)
                .map_or(FUNCTION_LINES, |(_, _, lines, _)| *lines);
            if lines > most {
                long.push(format!("src/{}:{line}: `{name}` has {lines} lines, {most} at most", file.path));
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// Name, first line and number of lines of every function.
fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let found = code.match_indices("fn ").filter(|(at, _)| {
        let before = code[..*at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    });
    let measured = found.filter_map(|(at, _)| {
        let item = &code[at..];
        let name: String = item[3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let line = code[..at].lines().count().max(1);
        // A type such as `fn(u8)` has no name.
        (!name.is_empty()).then(|| (name, line, item[..item_length(item)].lines().count()))
    });
    measured.collect()
}

#[test]
fn functions_are_measured_from_their_name_to_their_last_brace() {
    let code =
        "trait A {\n fn a(&self, x: [u8; 2]);\n fn b() {\n { }\n }\n}\nconst fn c<F: Fn()>() -> impl Fn() {\n}\n";
    let found = functions(code);
    let found: Vec<_> = found.iter().map(|(name, line, lines)| (name.as_str(), *line, *lines)).collect();
    assert_eq!(found, [("a", 2, 1), ("b", 3, 3), ("c", 7, 2)]);
}
