//! What happened where no answer came, in one sentence instead of a chain of errors.

use std::error::Error;
use std::io;
use std::time::Duration;

use super::{Call, MAX_ANSWER, MIB};
use crate::retry::{Failure, FailureKind};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// No connection came about, and why.
    NotConnected(String),
    /// The whole request took too long.
    TimedOut,
    /// The connection ended before the answer did.
    Lost(String),
    /// The request could not even be put together.
    NotSendable,
    /// The answer is larger than any real one.
    TooLarge,
}

/// Reads an error of the HTTP client.
pub(super) fn fault(error: &reqwest::Error) -> Fault {
    if error.is_connect() {
        Fault::NotConnected(connecting(error))
    } else if error.is_timeout() {
        Fault::TimedOut
    } else if error.is_builder() {
        Fault::NotSendable
    } else {
        Fault::Lost(losing(error))
    }
}

impl Fault {
    /// The failure of a call to `host`, which was given `timeout`.
    pub(super) fn into_failure(self, call: Call, host: &str, timeout: Duration) -> Failure {
        let (kind, code, message) = match self {
            Self::NotConnected(why) => {
                (FailureKind::NotSent, "not_connected", format!("cannot connect to {host}: {why}"))
            }
            Self::TimedOut => (FailureKind::Ambiguous, "timeout", format!("no answer from {host} within {timeout:?}")),
            Self::Lost(why) => {
                (FailureKind::Ambiguous, "connection_lost", format!("lost the connection to {host}: {why}"))
            }
            Self::NotSendable => {
                (FailureKind::Refused, "not_sendable", "no request can be made of this; nothing was sent".to_owned())
            }
            // A read of fewer users may fit; a write has been made by then.
            Self::TooLarge => (
                if call == Call::Write { FailureKind::Ambiguous } else { FailureKind::Refused },
                crate::retry::ANSWER_TOO_LARGE,
                format!("the answer is larger than {} MiB", MAX_ANSWER / MIB),
            ),
        };
        failure(kind, code, message)
    }
}

/// A failure that the API did not tell of itself.
pub(super) fn failure(kind: FailureKind, code: &str, message: String) -> Failure {
    Failure { kind, status: None, code: code.to_owned(), message, trace_id: None, retry_after: None }
}

fn connecting(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it does not answer in time".to_owned();
    }
    if error.is_dns() {
        return format!("its name cannot be resolved ({})", root(error).unwrap_or_default());
    }
    match io_kind(error) {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        _ => root(error).unwrap_or_else(|| "the connection failed".to_owned()),
    }
}

fn losing(error: &reqwest::Error) -> String {
    match io_kind(error) {
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => "it was cut".to_owned(),
        Some(io::ErrorKind::UnexpectedEof) => "it was closed before the answer was complete".to_owned(),
        _ => root(error).unwrap_or_else(|| "the answer broke off".to_owned()),
    }
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}

fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind).last()
}

/// What the innermost error says. The client's own errors would name the address with all that was asked for.
fn root(error: &reqwest::Error) -> Option<String> {
    causes(error).last().filter(|cause| !cause.is::<reqwest::Error>()).map(ToString::to_string)
}
