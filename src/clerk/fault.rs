//! What happened where no answer came, in one sentence instead of a chain of errors.

use std::error::Error;
use std::io;
use std::time::Duration;

use h2::Reason;
use tokio_rustls::rustls::{self, CertificateError};

use super::{Call, MAX_ANSWER, MIB};
use crate::retry::{Failure, FailureKind};

/// The code of a failure that no repetition mends: the server cannot show that it is the one it should be.
pub const UNTRUSTED: &str = "certificate_not_trusted";

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// No connection came about, and why.
    NotConnected(String),
    /// The server's certificate is not to be trusted, and why.
    Untrusted(String),
    /// The server has taken nothing of the request: its connection was closing, or it says so of this request.
    Unprocessed,
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
    if let Some(why) = distrust(error) {
        Fault::Untrusted(why)
    } else if error.is_connect() {
        Fault::NotConnected(connecting(error))
    } else if error.is_timeout() {
        Fault::TimedOut
    } else if error.is_builder() {
        Fault::NotSendable
    } else if error.is_request() && is_unprocessed(error) {
        Fault::Unprocessed
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
            Self::Untrusted(why) => {
                (FailureKind::NotSent, UNTRUSTED, format!("the certificate of {host} is not trusted: {why}"))
            }
            Self::Unprocessed => {
                let message = format!("{host} closed the connection before it took this request");
                (FailureKind::NotSent, "not_processed", message)
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

/// Why the server's certificate is refused, if it is.
fn distrust(error: &reqwest::Error) -> Option<String> {
    let refused = causes(error).filter_map(innermost).find_map(|cause| match cause.downcast_ref() {
        Some(rustls::Error::InvalidCertificate(why)) => Some(why),
        _ => None,
    })?;
    Some(match refused {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "nobody whom this machine trusts has issued it".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it was issued for another name".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet; is the clock right?".to_owned()
        }
        other => other.to_string(),
    })
}

/// What an error of the system was made from, which it does not count among its sources.
fn innermost<'e>(cause: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + Send + Sync + 'static)> {
    let inner = cause.downcast_ref::<io::Error>()?.get_ref()?;
    innermost(inner).or(Some(inner))
}

/// Whether the request certainly had no effect. HTTP/2 has words for it: a stream that is refused, or one that began
/// behind the last which a server that goes away in peace still serves. Whatever else breaks a request off, an error
/// code along with the going away included, leaves open how far it came.
fn is_unprocessed(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| {
        if let Some(cause) = cause.downcast_ref::<h2::Error>() {
            let (refused, in_peace) = (Some(Reason::REFUSED_STREAM), Some(Reason::NO_ERROR));
            cause.is_remote()
                && ((cause.is_reset() && cause.reason() == refused)
                    || (cause.is_go_away() && cause.reason() == in_peace))
        } else {
            // The connection turned out to be closed before anything of this request was written to it.
            cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled)
        }
    })
}

fn losing(error: &reqwest::Error) -> String {
    if let Some(cause) = causes(error).find_map(|cause| cause.downcast_ref::<h2::Error>()) {
        return match (cause.reason(), cause.is_go_away()) {
            (Some(reason), true) => format!("it went away ({})", reason.description()),
            (Some(reason), false) => format!("the answer was cut off ({})", reason.description()),
            (None, _) => "it was cut".to_owned(),
        };
    }
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
