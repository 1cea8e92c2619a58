//! Clerk's Backend API over HTTP: batched reads of users, writes of their metadata, and who the instance is.
//!
//! Every call is one request: nothing is repeated, redirected or fetched in addition, for that would escape the limiter.
//! The only paths that are ever written are `/users/{id}/metadata`. The key goes to the host of the [`ApiUrl`] alone and
//! is in no error, log or debug text. What comes back is not checked against what was asked: whoever asked does that.

mod api_url;
mod authority;
mod fault;
mod intake;
mod key;
mod lanes;
mod query;
mod refusal;
mod users;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Version, redirect, retry};
use secrecy::ExposeSecret;
use serde_json::Value;

pub use self::api_url::{ApiUrl, ApiUrlError, Trust};
pub use self::authority::{Authorities, AuthoritiesError};
pub use self::fault::UNTRUSTED;
use self::fault::{failure, fault};
use self::intake::{Bytes, Intake};
pub use self::key::{KeyError, KeyKind, SecretKey};
use self::lanes::Lanes;
use self::refusal::{refusal, trace_id};
use self::users::Unexpected;
use crate::change::Body;
use crate::identity::is_user_id;
use crate::json;
use crate::patch::Mode;
use crate::retry::{Failure, FailureKind};
use crate::target::{Batch, Target, User};

/// The version of the API that this tool is made for.
pub const API_VERSION: &str = "2026-05-12";

/// The header that asks for a version, and in an answer says which one it was.
const VERSION_HEADER: &str = "clerk-api-version";

const MIB: usize = 1024 * 1024;

/// The largest answer that is taken: more than twice what 500 full users are.
const MAX_ANSWER: usize = 32 * MIB;

/// The most that is read of an answer which is no success.
const MAX_EXPLANATION: usize = 64 * 1024;

/// The longest that connecting may take; never more than half of the time for the whole request, so that a server which
/// cannot be reached is not taken for one that did not answer.
const MAX_CONNECT: Duration = Duration::from_secs(10);

/// Connections that stay open for the next burst; more are never needed at once for the default limits.
const MAX_IDLE_CONNECTIONS: usize = 256;

/// How long an unused connection is kept: longer than the pauses between bursts, shorter than servers keep theirs.
const IDLE_CONNECTION: Duration = Duration::from_secs(45);

/// How much of one HTTP/2 answer may be under way before it is read on.
const STREAM_WINDOW: u32 = 256 * 1024;

/// The same for one HTTP/2 connection: never less than all answers on it together, for those that wait for room in the
/// [`Intake`] are not read on, and must not keep back the one that they wait for.
const CONNECTION_WINDOW: u32 = 1024 * STREAM_WINDOW;

/// What a client needs to know.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Where the API is.
    pub api_url: ApiUrl,
    /// The key of the instance.
    pub key: SecretKey,
    /// Whom to trust besides the authorities that the system knows.
    pub authorities: Option<Authorities>,
    /// How long one request may take in all, the answer included; a longer one ends ambiguously.
    pub timeout: Duration,
}

/// The HTTP client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up encrypted connections; are certificates of authorities installed (package `ca-certificates`)?")]
pub struct ClientError(#[source] reqwest::Error);

/// One instance's API.
#[derive(Debug)]
pub struct Client {
    lanes: Lanes,
    config: ClientConfig,
    intake: Intake,
    notices: Mutex<Vec<String>>,
    version_noticed: Once,
}

/// Which instance a key belongs to, as the API says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceInfo {
    /// `ins_…`.
    pub id: String,
    /// `development`, `production` …
    pub environment_type: String,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Read,
    Write,
}

/// An answer that is a success.
struct Answer<'c> {
    status: StatusCode,
    trace_id: Option<String>,
    body: Bytes<'c>,
}

impl Client {
    /// Sets up a client; nothing is sent yet.
    pub fn new(config: ClientConfig) -> Result<Self, ClientError> {
        let lanes = Lanes::new(http(&config).build().map_err(ClientError)?);
        let notices = Mutex::new(Vec::new());
        Ok(Self { lanes, config, intake: Intake::new(), notices, version_noticed: Once::new() })
    }

    /// Asks which instance the key belongs to; `None` where the API does not know the question.
    pub async fn instance(&self) -> Result<Option<InstanceInfo>, Failure> {
        let request = |http: &reqwest::Client| http.get(self.url("/instance"));
        let answer = match self.exchange(Call::Read, 1, request).await {
            Err(failure) if failure.status == Some(404) => return Ok(None),
            answer => answer?,
        };
        let info = instance_info(&answer.body.bytes);
        info.map(Some).ok_or_else(|| self.unexpected(&answer, "the answer does not describe an instance"))
    }

    /// What is worth saying once and has not been taken yet.
    pub fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.config.api_url.base())
    }

    /// Sends one request and receives its answer, which will hold so many users.
    async fn exchange(
        &self,
        call: Call,
        users: usize,
        request: impl FnOnce(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Answer<'_>, Failure> {
        let room = self.intake.admit(users).await;
        let place = self.lanes.take(|| http(&self.config).http2_prior_knowledge().build().ok());
        let host = self.config.api_url.host_and_port();
        let failed = |fault: fault::Fault| fault.into_failure(call, host, self.config.timeout);
        let response = request(place.http).send().await.map_err(|error| failed(fault(&error)))?;
        self.notice_version(&response);
        if response.version() == Version::HTTP_2 {
            self.lanes.speaks_http2();
        }
        let (status, trace_id) = (response.status(), trace_id(response.headers()));
        if !status.is_success() {
            return Err(self.refused(call, response).await);
        }
        let body = room.receive(response).await.map_err(failed)?;
        Ok(Answer { status, trace_id, body })
    }

    async fn refused(&self, call: Call, response: Response) -> Failure {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = intake::receive_some(response, MAX_EXPLANATION).await;
        refusal(call, status, &headers, &body, &self.config.key)
    }

    /// A success that cannot be understood: the write may have landed.
    fn unexpected(&self, answer: &Answer<'_>, message: &str) -> Failure {
        Failure {
            status: Some(answer.status.as_u16()),
            trace_id: answer.trace_id.as_deref().map(|id| self.config.key.redact(id).into_owned()),
            ..failure(FailureKind::Ambiguous, "unexpected_answer", message.to_owned())
        }
    }

    fn unreadable(&self, answer: &Answer<'_>, problem: &Unexpected) -> Failure {
        self.unexpected(answer, &problem.to_string())
    }

    fn notice_version(&self, response: &Response) {
        let Some(version) = response.headers().get(VERSION_HEADER) else { return };
        if version.as_bytes() != API_VERSION.as_bytes() {
            self.version_noticed.call_once(|| {
                let version = String::from_utf8_lossy(version.as_bytes()).chars().take(40).collect::<String>();
                let version = self.config.key.redact(&version).into_owned();
                let notice = format!("the API answers in version `{version}`, not {API_VERSION}, which was asked for");
                self.notices.lock().unwrap_or_else(PoisonError::into_inner).push(notice);
            });
        }
    }
}

impl Target for Client {
    async fn read(&self, batch: &Batch) -> Result<Vec<User>, Failure> {
        // A query that names nobody would list everybody.
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let url = self.url(&format!("/users?{}", query::query(batch)));
        let answer = self.exchange(Call::Read, batch.values().len(), |http| http.get(url)).await?;
        users::page(&answer.body.bytes).map_err(|problem| self.unreadable(&answer, &problem))
    }

    async fn write(&self, user_id: &str, body: &Body) -> Result<User, Failure> {
        if !is_user_id(user_id) {
            let message = "the user id could change the address that is written to; nothing was sent".to_owned();
            return Err(failure(FailureKind::Refused, "unsafe_id", message));
        }
        let url = self.url(&format!("/users/{user_id}/metadata"));
        let method = match body.mode {
            Mode::Merge => Method::PATCH,
            Mode::Replace => Method::PUT,
        };
        let json = body.json.to_string();
        let request =
            |http: &reqwest::Client| http.request(method, url).header(CONTENT_TYPE, "application/json").body(json);
        let answer = self.exchange(Call::Write, 1, request).await?;
        let user = users::user(&answer.body.bytes).map_err(|problem| self.unreadable(&answer, &problem))?;
        if user.id != user_id {
            return Err(self.unexpected(&answer, "the answer to the write is about another user"));
        }
        Ok(user)
    }
}

fn http(config: &ClientConfig) -> reqwest::ClientBuilder {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("metapatch/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers(&config.key))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .timeout(config.timeout)
        .connect_timeout(MAX_CONNECT.min(config.timeout / 2))
        .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS)
        .pool_idle_timeout(IDLE_CONNECTION)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW);
    if config.api_url.is_loopback() {
        // A proxy is not this machine, and what `localhost` is must not be for a name server to say.
        let here = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        builder = builder.no_proxy().resolve_to_addrs("localhost", &here.map(|address| SocketAddr::new(address, 0)));
    } else {
        builder = builder.https_only(true);
    }
    if config.api_url.is_encrypted() {
        builder = builder.tls_certs_merge(config.authorities.iter().flat_map(Authorities::certificates));
    } else {
        // The system's certificates take a while to read, and there may be none.
        builder = builder.tls_certs_only([]);
    }
    builder
}

fn headers(key: &SecretKey) -> HeaderMap {
    // A key is visible ASCII, which is what a header value may hold.
    let bearer = HeaderValue::from_str(key.bearer().expose_secret());
    let mut bearer = bearer.expect("a key was checked when it was made");
    bearer.set_sensitive(true);
    HeaderMap::from_iter([
        (AUTHORIZATION, bearer),
        (ACCEPT, HeaderValue::from_static("application/json")),
        (VERSION_HEADER.parse().expect("is a header name"), HeaderValue::from_static(API_VERSION)),
    ])
}

fn instance_info(body: &[u8]) -> Option<InstanceInfo> {
    let value = json::parse(str::from_utf8(body).ok()?).ok()?;
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(InstanceInfo { id: text("id")?, environment_type: text("environment_type")? })
}

#[cfg(test)]
mod tests;
