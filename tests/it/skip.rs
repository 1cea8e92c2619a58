//! Tests that cannot run here, which the harness has no word for once it has begun.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Says that a test cannot run here, and why; the caller returns then.
///
/// `bin/test` names a file in `METAPATCH_SKIPS`, tells what it finds there, and counts it as skipped.
pub(crate) fn skip(test: &str, reason: &str) {
    say(&format!("SKIPPED: {test}: {reason}\n"));
    if let Some(path) = std::env::var_os("METAPATCH_SKIPS") {
        let mut file =
            OpenOptions::new().append(true).create(true).open(path).expect("the file of skips can be opened");
        // One write of one line, so that tests that run beside each other do not mix theirs.
        let line = format!("{test}: {}\n", reason.replace('\n', " "));
        file.write_all(line.as_bytes()).expect("the file of skips can be written");
    }
}

/// Writes where the harness does not capture it: what was checked is part of what a test says, passed or not.
pub(crate) fn say(text: &str) {
    // Nobody may be listening, which is no reason to fail.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
