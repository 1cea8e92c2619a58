//! Where the API is: an address that the secret key may be sent to.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

/// Clerk's own hosts.
const CLERK_HOSTS: [&str; 2] = ["api.clerk.com", "api.clerk.dev"];

/// The version in the path, which is not the dated one in the header.
const PATH_VERSION: &str = "/v1";

/// The address of a Backend API, checked when it is made: `https` to Clerk, to this machine or to a host that the user
/// named, or `http` to this machine; no credentials, query or fragment in it; the path ends with `/v1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ApiUrl {
    base: String,
    origin: String,
    host_and_port: String,
    is_loopback: bool,
}

/// Who says that the key may go there.
#[derive(Debug, Clone, Copy)]
pub enum Trust<'a> {
    /// The user, on the command line or in the environment: any host is fine.
    Named,
    /// A configuration file, which may come from somebody else: Clerk's hosts, this machine, and what the user allowed.
    Config {
        /// The hosts that the user allowed, each with or without a port.
        allowed: &'a [String],
    },
}

/// Why an address is not taken. The address itself is not repeated, for it may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiUrlError {
    /// No URL at all.
    #[error("the API's address cannot be read ({0}); expected something like `https://api.clerk.com`")]
    Unreadable(String),
    /// Neither `http` nor `https`.
    #[error("the API's address begins with `{0}:`; expected `https://`, as in `https://api.clerk.com`")]
    Scheme(String),
    /// The key would be readable on the way.
    #[error("plain http would show the secret key to everyone on the way to `{0}`; write `https://{0}`")]
    PlainHttp(String),
    /// A part that has no place in an API's address.
    #[error("the API's address holds {0}; leave it out, as in `https://api.clerk.com`")]
    Surplus(&'static str),
    /// Nobody entitled to it said that the key may go there.
    #[error(
        "the secret key would go to `{0}`, which is neither Clerk nor this machine; if that is meant, allow it with \
         `--allow-api-url {0}`, or name the address with `--api-url`"
    )]
    Untrusted(String),
}

impl ApiUrl {
    /// Reads and checks an address; `/v1` is added where it is absent.
    pub fn parse(text: &str, trust: Trust<'_>) -> Result<Self, ApiUrlError> {
        let url = Url::parse(text.trim()).map_err(|problem| ApiUrlError::Unreadable(problem.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ApiUrlError::Scheme(url.scheme().to_owned()));
        }
        refuse_surplus(&url)?;
        let host = url.host_str().unwrap_or_default();
        let host_and_port = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let is_loopback = is_loopback(host);
        if url.scheme() == "http" && !is_loopback {
            return Err(ApiUrlError::PlainHttp(host_and_port));
        }
        if !is_loopback && !CLERK_HOSTS.contains(&host) && !trust.covers(host, &host_and_port) {
            return Err(ApiUrlError::Untrusted(host_and_port));
        }
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix(PATH_VERSION).unwrap_or(path);
        let base = format!("{}://{host_and_port}{path}{PATH_VERSION}", url.scheme());
        let port = url.port_or_known_default().unwrap_or_default();
        Ok(Self { base, origin: format!("{}://{host}:{port}", url.scheme()), host_and_port, is_loopback })
    }

    /// The address that paths such as `/users` are appended to.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Scheme, host and port, the port always written out.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The host, and the port where it is not the usual one.
    pub fn host_and_port(&self) -> &str {
        &self.host_and_port
    }

    /// Whether it is reached by `https`.
    pub(super) fn is_encrypted(&self) -> bool {
        self.base.starts_with("https:")
    }

    /// Whether it is on this machine.
    pub const fn is_loopback(&self) -> bool {
        self.is_loopback
    }
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

impl Trust<'_> {
    fn covers(self, host: &str, host_and_port: &str) -> bool {
        match self {
            Self::Named => true,
            Self::Config { allowed } => {
                allowed.iter().any(|name| name.eq_ignore_ascii_case(host) || name.eq_ignore_ascii_case(host_and_port))
            }
        }
    }
}

fn refuse_surplus(url: &Url) -> Result<(), ApiUrlError> {
    let surplus = [
        (!url.username().is_empty() || url.password().is_some(), "a user name or password"),
        (url.query().is_some(), "a query"),
        (url.fragment().is_some(), "a fragment"),
    ];
    surplus.into_iter().find(|(held, _)| *held).map_or(Ok(()), |(_, what)| Err(ApiUrlError::Surplus(what)))
}

/// Whether a host of a URL, in which addresses are already normalised, is this machine.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> ApiUrl {
        ApiUrl::parse(text, Trust::Named).expect(text)
    }

    #[test]
    fn the_path_version_is_added_once() {
        for (text, base) in [
            ("https://api.clerk.com", "https://api.clerk.com/v1"),
            ("https://api.clerk.com/", "https://api.clerk.com/v1"),
            ("https://api.clerk.com/v1", "https://api.clerk.com/v1"),
            (" https://API.clerk.com:443/v1/ ", "https://api.clerk.com/v1"),
            ("http://127.0.0.1:8080/clerk/", "http://127.0.0.1:8080/clerk/v1"),
            ("http://localhost/x/../v1//", "http://localhost/v1"),
            ("https://example.com/av1", "https://example.com/av1/v1"),
        ] {
            assert_eq!(named(text).base(), base, "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for text in ["http://127.0.0.1", "http://127.8.9.10:1", "http://[::1]:3", "http://localhost", "http://0x7f.1"] {
            assert!(named(text).is_loopback(), "{text}");
        }
        for text in
            ["https://127.0.0.1.example.com", "https://localhost.example.com", "https://0.0.0.0", "https://10.0.0.1"]
        {
            assert!(!named(text).is_loopback(), "{text}");
        }
    }

    #[test]
    fn plain_http_goes_nowhere_else() {
        for text in
            ["http://api.clerk.com", "http://localhost.example.com", "http://[::ffff:127.0.0.1]", "http://0.0.0.0"]
        {
            let error = ApiUrl::parse(text, Trust::Named).expect_err(text);
            assert!(matches!(error, ApiUrlError::PlainHttp(_)), "{text}: {error}");
        }
    }

    #[test]
    fn a_configuration_file_cannot_send_the_key_anywhere() {
        let allowed = ["proxy.example.com:8443".to_owned(), "Other.example.com".to_owned()];
        let parse = |text: &str| ApiUrl::parse(text, Trust::Config { allowed: &allowed });
        for text in [
            "https://api.clerk.com",
            "https://api.clerk.dev",
            "http://localhost:3000",
            "https://proxy.example.com:8443",
            "https://other.example.com",
            "https://other.example.com:1234",
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
        for text in [
            "https://api.clerk.com.example.com",
            "https://proxy.example.com",
            "https://evil.example.com",
            "https://api.clerk.com.",
            "https://xapi.clerk.com",
            "https://api.clerk.com%2eexample.com",
        ] {
            assert!(matches!(parse(text), Err(ApiUrlError::Untrusted(_))), "{text}: {:?}", parse(text));
        }
        let hint = parse("https://evil.example.com:1").expect_err("is not allowed").to_string();
        assert!(hint.contains("`--allow-api-url evil.example.com:1`"), "{hint}");
    }

    #[test]
    fn what_has_no_place_in_it_is_refused_without_being_repeated() {
        for text in [
            "https://user:hunter2@api.clerk.com",
            "https://hunter2@api.clerk.com",
            "https://api.clerk.com?a=hunter2",
            "https://api.clerk.com/#hunter2",
            "hunter2",
            "",
            "https://",
            "ftp://hunter2.example.com",
            "https://a b/hunter2",
        ] {
            let error = ApiUrl::parse(text, Trust::Named).expect_err(text).to_string();
            assert!(!error.contains("hunter2") && error.contains("`https://api.clerk.com`"), "{text}: {error}");
        }
    }

    #[test]
    fn the_origin_has_a_port_and_what_people_see_only_where_it_matters() {
        let url = named("https://api.clerk.com");
        assert_eq!((url.origin(), url.host_and_port()), ("https://api.clerk.com:443", "api.clerk.com"));
        let url = named("http://[::1]:8080/v1");
        assert_eq!((url.origin(), url.host_and_port()), ("http://[::1]:8080", "[::1]:8080"));
    }
}
