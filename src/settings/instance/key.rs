//! Reading a secret key. No error quotes what was read.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use secrecy::SecretString;
use secrecy::zeroize::Zeroize;

use super::super::error::SettingsError;
use super::{Given, Origin};

/// The longest key that is read, in bytes.
const MAX_KEY_BYTES: u64 = 4096;

/// Reads a key from a file.
pub(super) fn from_file(path: &Path, origin: Origin) -> Result<Given<SecretString>, SettingsError> {
    let read = std::fs::File::open(path).and_then(read_key);
    match read {
        Ok(bytes) => from_bytes(bytes, origin),
        Err(source) => Err(SettingsError::KeyFile { path: path.to_owned(), origin, source }),
    }
}

/// Reads a key from what a command prints. Its standard error is passed through.
pub(super) fn from_command(command: &str, origin: Origin) -> Result<Given<SecretString>, SettingsError> {
    let failed = |source| SettingsError::KeyCommand { origin: origin.clone(), source };
    // The input of the run may be standard input, which is not the command's to read.
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = shell.spawn().map_err(failed)?;
    let bytes = child.stdout.take().map_or(Ok(Vec::new()), read_key).map_err(failed)?;
    if bytes.len() as u64 > MAX_KEY_BYTES {
        // It may go on for ever, and whether it has ended by itself makes no difference.
        let _ = child.kill();
    }
    let status = child.wait().map_err(failed)?;
    if bytes.len() as u64 <= MAX_KEY_BYTES && !status.success() {
        return Err(SettingsError::KeyCommandFailed { origin, status });
    }
    from_bytes(bytes, origin)
}

/// Reads at most one byte more than a key may have.
fn read_key(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(MAX_KEY_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn from_bytes(bytes: Vec<u8>, origin: Origin) -> Result<Given<SecretString>, SettingsError> {
    if bytes.len() as u64 > MAX_KEY_BYTES {
        return Err(SettingsError::NotAKey { origin, what: "it is longer than 4096 bytes" });
    }
    match String::from_utf8(bytes) {
        Ok(text) => from_text(text, origin),
        Err(_) => Err(SettingsError::NotAKey { origin, what: "it is not UTF-8" }),
    }
}

/// Takes a text as a key, white space around it left out.
pub(super) fn from_text(mut text: String, origin: Origin) -> Result<Given<SecretString>, SettingsError> {
    let trimmed = text.trim().to_owned();
    text.zeroize();
    if trimmed.is_empty() {
        return Err(SettingsError::NotAKey { origin, what: "it is empty" });
    }
    if trimmed.contains(char::is_whitespace) {
        return Err(SettingsError::NotAKey { origin, what: "there is more than one word" });
    }
    Ok(Given { value: SecretString::from(trimmed), origin })
}
