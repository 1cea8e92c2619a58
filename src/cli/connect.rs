//! Reaching an instance: its address, its key, its limits, and which instance it turns out to be.

use std::error::Error;
use std::str::FromStr;
use std::sync::Arc;

use secrecy::ExposeSecret as _;

use super::args::{ConnectArgs, PaceArgs};
use super::problem::{Exit, Problem};
use crate::clerk::{ApiUrl, Client, ClientConfig, InstanceInfo, KeyKind, SecretKey, Trust};
use crate::guard::Limit;
use crate::limit::{LimitConfig, Limiter, Rate, Share};
use crate::phase::{Pacing, describe};
use crate::retry::{Decision, Failure, FailureKind, RetryPolicy};
use crate::run_file::{Head, Instance};
use crate::settings::{self, ChosenInstance, Given, InstanceFlags, Origin};

/// The most writes under way at once unless told otherwise: each takes about 60 KiB with its connection. At a quarter of
/// a second each they still send 1,000 in a second.
const MOST_IN_FLIGHT: usize = 256;

/// How often the first question is asked.
const START_ATTEMPTS: u32 = 4;

const KEY_HINT: &str = "nothing was begun; check CLERK_SECRET_KEY against the Clerk Dashboard, under API keys";

/// How many changes must have been tried before a share of failures means anything.
const FAILURES_COUNT_FROM: u64 = 50;

/// The share of `--max-age` that a write may wait for its permit, so that few have to be read again.
const PATIENCE: f64 = 0.5;

/// An instance that is reached.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) client: Arc<Client>,
    pub(super) limiter: Arc<Limiter>,
    /// The instance, as runs are bound to it.
    pub(super) instance: Instance,
    /// The instance's limit; `None` is no limit.
    pub(super) rate: Option<Rate>,
    /// How much of it this run may take.
    pub(super) share: Share,
    /// Requests sent so far to find out which instance it is.
    pub(super) reads: u64,
}

/// What is known of an instance before anything is sent.
pub(super) struct Resolved {
    key: SecretKey,
    api_url: ApiUrl,
    rate: Option<Rate>,
    user_rate: Option<Rate>,
    share: Share,
}

/// Resolves flags, environment and configuration to an instance.
pub(super) fn resolve(
    args: &ConnectArgs,
    pace: Option<&PaceArgs>,
    configured: Option<ChosenInstance<'_>>,
) -> Result<Resolved, Problem> {
    let env = |name: &str| std::env::var(name).ok();
    let flags = InstanceFlags {
        secret_key_file: args.secret_key_file.clone(),
        secret_key_command: args.secret_key_command.clone(),
        api_url: args.api_url.clone(),
        allow_api_url: args.allow_api_url.clone(),
        rate: pace.and_then(|pace| pace.rate).map(|rate| rate.to_string()),
        user_rate: pace.and_then(|pace| pace.user_rate).map(|rate| rate.to_string()),
        share: pace.and_then(|pace| pace.share).map(|share| share.to_string()),
    };
    let found = settings::resolve_instance(flags, &env, configured).map_err(config)?;
    let key = SecretKey::new(found.key.value.expose_secret()).map_err(|e| given(&found.key, &e))?;
    let trust = match found.api_url.origin {
        Origin::File { .. } => Trust::Config { allowed: &args.allow_api_url },
        _ => Trust::Named,
    };
    let api_url = ApiUrl::parse(&found.api_url.value, trust).map_err(|e| given(&found.api_url, &e))?;
    let (rate, share) = match key.kind() {
        KeyKind::Test => (Rate::TEST, Share::FULL),
        KeyKind::Live => (Rate::LIVE, Share::HALF),
    };
    Ok(Resolved {
        rate: Some(read(found.rate.as_ref(), rate)?),
        user_rate: Some(read(found.user_rate.as_ref(), Rate::PER_USER)?),
        share: read(found.share.as_ref(), share)?,
        key,
        api_url,
    })
}

/// Reads a setting, or takes what holds where it is not given.
fn read<T: FromStr<Err: Error>>(setting: Option<&Given<String>>, default: T) -> Result<T, Problem> {
    setting.map_or(Ok(default), |setting| setting.value.parse().map_err(|e| given(setting, &e)))
}

/// What is wrong with a setting, and where it comes from.
fn given<T>(setting: &Given<T>, error: &dyn Error) -> Problem {
    let problem = Problem::of(Exit::Usage, "config", error);
    Problem { message: format!("{}: {}", setting.origin, problem.message), ..problem }
}

fn config(error: impl Error) -> Problem {
    Problem::of(Exit::Usage, "config", &error)
}

impl Resolved {
    /// Whether the key is a live one.
    pub(super) fn is_live(&self) -> bool {
        self.key.kind() == KeyKind::Live
    }

    /// Finds out which instance it is.
    pub(super) async fn connect(self, args: &ConnectArgs) -> Result<Connection, Problem> {
        let live = self.is_live();
        let Self { key, api_url, rate, user_rate, share } = self;
        let by_hash = format!("{}#{}", api_url.origin(), key.hash_with(api_url.origin()));
        let host = api_url.host_and_port().to_owned();
        let limiter = Limiter::new(LimitConfig { rate, user_rate, share });
        let client = Client::new(ClientConfig { api_url, key, timeout: args.timeout }).map_err(config)?;
        let (info, reads) = ask_instance(&client, &limiter).await.map_err(|failure| unreachable(&failure, &host))?;
        let binding = info.map_or(by_hash, |info| info.id);
        Ok(Connection {
            client: Arc::new(client),
            limiter: Arc::new(limiter),
            instance: Instance { binding, host, live },
            rate,
            share,
            reads,
        })
    }
}

/// Asks which instance it is until that is answered, and says how many requests it took.
async fn ask_instance(client: &Client, limiter: &Limiter) -> Result<(Option<InstanceInfo>, u64), Failure> {
    let policy = RetryPolicy::with_attempts(START_ATTEMPTS);
    let began = tokio::time::Instant::now();
    for attempt in 1.. {
        let permit = limiter.acquire_read().await;
        let answer = client.instance().await;
        drop(permit);
        let failure = match answer {
            Ok(info) => return Ok((info, attempt.into())),
            Err(failure) => failure,
        };
        match policy.decide(&failure, attempt, began.elapsed(), fastrand::f64()) {
            Decision::After(delay) => tokio::time::sleep(delay).await,
            Decision::GiveUp | Decision::StopTheRun => return Err(failure),
        }
    }
    unreachable!("the policy gives up before attempts cannot be counted any more")
}

/// Why nothing can be begun.
fn unreachable(failure: &Failure, host: &str) -> Problem {
    let said = describe(failure);
    if failure.kind == FailureKind::KeyRefused {
        let message = format!("{host} refuses the key: {said}");
        return Problem { exit: Exit::Aborted, code: "key_refused", message, hint: Some(KEY_HINT.to_owned()) };
    }
    let message = format!("{host} does not answer as it should: {said}");
    let hint = "nothing was begun; try again when it is back, or check --api-url and CLERK_API_URL";
    Problem { exit: Exit::Aborted, code: "api_unavailable", message, hint: Some(hint.to_owned()) }
}

impl Connection {
    /// Refuses a run of another instance.
    pub(super) fn check(&self, head: &Head) -> Result<(), Problem> {
        if head.instance.binding == self.instance.binding {
            return Ok(());
        }
        let message = format!(
            "the run {} belongs to another instance ({}, {}) than this key ({}, {})",
            head.id, head.instance.binding, head.instance.host, self.instance.binding, self.instance.host
        );
        Err(Problem { exit: Exit::Usage, code: "wrong_instance", message, hint: None })
    }

    /// How the phases go about it.
    pub(super) fn pacing(&self, pace: &PaceArgs, allow: &[String]) -> Pacing {
        Pacing {
            max_in_flight: pace.max_in_flight.map_or_else(|| self.in_flight(pace), usize::from),
            max_age: pace.max_age,
            retry: RetryPolicy::with_attempts(pace.max_attempts),
            max_failures: pace.max_failures,
            failures_count_from: match pace.max_failures {
                Limit::Count(_) => 0,
                Limit::Percent(_) => FAILURES_COUNT_FROM,
            },
            allow: allow.to_vec(),
        }
    }

    /// As many as send one period's budget within a second, as long as none has to wait so long for its permit that
    /// its comparison grows too old, and as memory allows.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "it is bounded and not negative"
    )]
    fn in_flight(&self, pace: &PaceArgs) -> usize {
        let Some(rate) = self.rate else { return MOST_IN_FLIGHT };
        let patient = rate.per_second(self.share) * pace.max_age.as_secs_f64() * PATIENCE;
        let most = rate.budget(self.share) as usize;
        most.min(patient.min(MOST_IN_FLIGHT as f64) as usize).clamp(1, MOST_IN_FLIGHT)
    }
}
