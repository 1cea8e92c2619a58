//! Reading our own source: files, and the code in them without comments, texts and tests.

use std::path::{Path, PathBuf};

/// A file of `src/`.
pub(super) struct SourceFile {
    /// Its path below `src/`, with forward slashes.
    pub(super) path: String,
    /// All of it.
    pub(super) text: String,
    /// The same lines without comments, the insides of texts, and test modules.
    pub(super) code: String,
    /// Whether all of it is only there for tests.
    pub(super) is_test: bool,
}

impl SourceFile {
    /// The module at the top level that it belongs to.
    pub(super) fn room(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder, in order of their paths.
pub(super) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// All Rust files of `src/`.
pub(super) fn source_files() -> Vec<SourceFile> {
    let src = root().join("src");
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("source is UTF-8");
        let path = path.strip_prefix(&src).expect("it is below").to_string_lossy().replace('\\', "/");
        (path, text)
    };
    let read: Vec<_> = files_below(&src).into_iter().map(read).collect();
    let only_for_tests: Vec<String> = read.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
    let file = |(path, text): (String, String)| {
        let is_test = only_for_tests.contains(&path) || path.ends_with("/tests.rs") || path.contains("/tests/");
        SourceFile { code: without_tests(&without_prose(&text)), path, text, is_test }
    };
    read.into_iter().map(file).collect()
}

/// The files of modules that a file declares for tests only.
fn test_modules(path: &str, text: &str) -> Vec<String> {
    let folder = path.trim_end_matches(".rs");
    let declared = text.split("#[cfg(test)]").skip(1).filter_map(|rest| {
        let (item, _) = rest.split_once(';')?;
        let name = item.split_whitespace().last()?;
        item.contains("mod ").then(|| format!("{folder}/{name}.rs")).filter(|_| !item.contains('{'))
    });
    declared.collect()
}

/// Blanks out comments and the insides of texts, so that what is left is code; lines stay where they are.
pub(super) fn without_prose(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let prose = prose_length(rest, code.chars().next_back());
        let (kept, length) = if prose == 0 { (true, c.len_utf8()) } else { (false, prose) };
        let (piece, after) = rest.split_at(length);
        if kept {
            code.push_str(piece);
        } else {
            code.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        rest = after;
    }
    code
}

/// How long the comment, text or character is that begins here; 0 where none does.
fn prose_length(rest: &str, before: Option<char>) -> usize {
    let until = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    let in_a_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return until("*/", 2);
    }
    if rest.starts_with('"') {
        return quoted_length(rest);
    }
    if !in_a_word && let Some(raw) = rest.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            return until(&format!("\"{}", "#".repeat(hashes)), hashes + 2);
        }
    }
    if let Some(character) = rest.strip_prefix('\'') {
        // A lifetime has no quote after its first letter.
        let mut chars = character.chars();
        let first = chars.next();
        if first == Some('\\') {
            return until("'", 3);
        }
        if chars.next() == Some('\'') {
            return 2 + first.map_or(0, char::len_utf8);
        }
    }
    0
}

fn quoted_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Blanks out modules that are there for tests only.
fn without_tests(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        let (before, marked) = rest.split_at(at);
        kept.push_str(before);
        let length = item_length(marked);
        kept.extend(marked[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &marked[length..];
    }
    kept + rest
}

/// How long an item is: up to its semicolon, or up to the brace that closes it.
pub(super) fn item_length(item: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in item.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' => depth -= 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    item.len()
}

#[test]
fn only_code_is_left_of_source() {
    let source =
        "fn a<'a>(x: &'a str) -> char { '\"' } // \"gone\nlet b = r#\"fn \"b\" \"#; let c = '\\''; b\"\\\"fn\" /* { */";
    let left: Vec<String> =
        without_prose(source).lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(left, ["fn a<'a>(x: &'a str) -> char { }", "let b = ; let c = ; b"]);
    assert_eq!(
        without_tests("a\n#[cfg(test)]\nmod tests {\n { x }\n}\nb").split_whitespace().collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert_eq!(test_modules("x/y.rs", "#[cfg(test)]\npub(crate) mod sample;"), ["x/y/sample.rs"]);
}
