//! The command line of the sandbox, and the process that it starts.

use std::fmt::Write as _;
use std::future::Future;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use super::fault::Fault;
use super::gate::{METADATA_APART, known_version};
use super::handle::{Sandbox, start};
use super::rate::{Quota, Rate, duration};
use super::truth::Truth;
use super::{Config, Cursor, NullField, OverLimit, Window};

/// A local stand-in for Clerk's Backend API.
#[derive(Debug, Clone, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
pub struct Args {
    /// The port on 127.0.0.1; 0 takes any that is free.
    #[arg(long, default_value_t = 4010)]
    port: u16,
    /// Speak TLS with a certificate made for this start, and HTTP/2 with whoever offers it.
    #[arg(long)]
    tls: bool,
    /// Where to put the certificate to trust [default: a file in the folder for temporary files, until it stops].
    #[arg(long, value_name = "PATH", requires = "tls")]
    ca_out: Option<PathBuf>,
    /// How many users to make.
    #[arg(long, value_name = "N", default_value_t = 100)]
    users: u32,
    /// What the world and the chances are made from: the same seed makes the same world.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Load users from an NDJSON file instead (the form that GET /__sandbox/world?full=1 writes).
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
    /// The instance's limit, such as 1000/10s, or none [default: 100/10s for test keys, 1000/10s for others].
    #[arg(long, value_name = "N/PERIOD", value_parser = quota, default_value = "by-key", hide_default_value = true)]
    limit: Quota,
    /// The limit of writes to each user, organization and membership, or none.
    #[arg(long, value_name = "N/PERIOD", value_parser = user_limit, default_value = "10/10s")]
    user_limit: UserLimit,
    /// How the limits count.
    #[arg(long, value_enum, default_value_t)]
    window: Window,
    /// Count refused requests as well.
    #[arg(long)]
    count_refused: bool,
    /// Let a live application send requests with the same key.
    #[arg(long, value_name = "N/PERIOD")]
    other_traffic: Option<Rate>,
    /// How long each request is under way, there and back.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "0s")]
    latency: Duration,
    /// How much longer it may be, by chance.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "0s")]
    jitter: Duration,
    /// What goes wrong, and how often: 429, 429-bare, 409, 500, 500-after, 502, 503, 504, cut-before, cut-after,
    /// refused-stream, goaway, goaway-cut, truncated, endless, slow, noop, deleted, concurrent, revoked,
    /// unreadable-deep, unreadable-surrogate, surplus.
    /// Besides a rate: next=N, after=N, user=ID, on=read|write, retry-after=SECONDS, delay=DURATION, separated by commas.
    #[arg(long, value_name = "KIND=RATE")]
    fault: Vec<Fault>,
    /// A key that is known [default: any of the usual form].
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
    /// What a limit above 500 rows does.
    #[arg(long, value_enum, default_value_t)]
    over_limit: OverLimit,
    /// What `starting_after` does.
    #[arg(long, value_enum, default_value_t)]
    cursor: Cursor,
    /// What a field that is null as a whole does in a PATCH.
    #[arg(long, value_enum, default_value_t)]
    null_field: NullField,
    /// The API version of requests that name none.
    #[arg(long, value_name = "DATE", value_parser = version, default_value = METADATA_APART)]
    default_version: &'static str,
    /// Do not know GET /v1/instance.
    #[arg(long)]
    no_instance: bool,
    /// Let test keys create no more than 100 users.
    #[arg(long)]
    cap_test_users: bool,
    /// Say at the end what was seen.
    #[arg(long)]
    summary: bool,
}

/// A limit that may be off; clap takes a bare `Option` for an argument that may be absent.
#[derive(Debug, Clone, Copy)]
struct UserLimit(Option<Rate>);

fn quota(text: &str) -> Result<Quota, String> {
    match text {
        "by-key" => Ok(Quota::ByKey),
        "none" => Ok(Quota::Off),
        _ => text.parse().map(Quota::Fixed),
    }
}

fn user_limit(text: &str) -> Result<UserLimit, String> {
    if text == "none" { Ok(UserLimit(None)) } else { text.parse().map(|rate| UserLimit(Some(rate))) }
}

fn version(text: &str) -> Result<&'static str, String> {
    known_version(text).ok_or_else(|| format!("there is no version {text}"))
}

impl From<Args> for Config {
    fn from(args: Args) -> Self {
        Self {
            port: args.port,
            tls: args.tls,
            ca_out: args.ca_out,
            users: args.users,
            seed: args.seed,
            world: args.world,
            keys: args.key,
            limit: args.limit,
            user_limit: args.user_limit.0,
            window: args.window,
            count_refused: args.count_refused,
            other_traffic: args.other_traffic,
            latency: args.latency,
            jitter: args.jitter,
            faults: args.fault,
            over_limit: args.over_limit,
            cursor: args.cursor,
            null_field: args.null_field,
            default_version: args.default_version,
            no_instance: args.no_instance,
            cap_test_users: args.cap_test_users,
        }
    }
}

/// Runs a sandbox until `shutdown` is there, and says on standard output where it is.
pub async fn serve(args: Args, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let summary = args.summary;
    let key = args.key.first().cloned().unwrap_or_else(|| "sk_test_sandbox".to_owned());
    let sandbox = start(args.into()).await?;
    say(&welcome(&sandbox, &key));
    shutdown.await;
    if summary {
        say(&told(&sandbox.truth()));
    }
    sandbox.stop().await;
    Ok(())
}

/// A closed standard output is no reason to stop serving.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn welcome(sandbox: &Sandbox, key: &str) -> String {
    let (url, users) = (sandbox.url(), sandbox.user_count());
    let ids = sandbox.user_ids(3).join("\n  ");
    let trust = sandbox.ca_file().map_or_else(String::new, |file| {
        format!("Whoever is to trust it has to be told to: metapatch by --ca-file {}\n\n", file.display())
    });
    format!(
        "A sandbox of Clerk's Backend API is at {url}\n\n  \
         export CLERK_API_URL={url}\n  export CLERK_SECRET_KEY={key}\n\n{trust}\
         {users} users, among them\n  {ids}\n\n\
         What it saw: {url}/__sandbox/truth · what it holds: {url}/__sandbox/world"
    )
}

fn told(truth: &Truth) -> String {
    let mut text = format!("{} requests, of which {} were throttled", truth.total, truth.throttled);
    for (kind, statuses) in &truth.requests {
        let statuses: Vec<_> =
            statuses.iter().map(|(status, count)| format!("{count} × {}", outcome(*status))).collect();
        let _ = write!(text, "\n  {kind}: {}", statuses.join(", "));
    }
    for (protocol, count) in &truth.protocols {
        let _ = write!(text, "\n{protocol}: {count}");
    }
    let _ = write!(text, "\nconnections: {}", truth.connections);
    let (windows, writes) = (&truth.windows, &truth.writes);
    let limit = windows.limit.map_or_else(|| "no limit".to_owned(), |limit| format!("limit {limit}"));
    let _ = write!(
        text,
        "\nmost requests in {} ms: {} sliding, {} fixed ({limit})\nwrites: {} to {} users, at most {} to one",
        windows.period_ms, windows.max_sliding, windows.max_fixed, writes.applied, writes.users, writes.max_per_user
    );
    if truth.other_traffic.sent > 0 {
        let other = truth.other_traffic;
        let _ = write!(text, "\nother traffic: {} sent, {} throttled", other.sent, other.throttled);
    }
    for (kind, count) in &truth.faults {
        let _ = write!(text, "\nfault {kind}: {count}");
    }
    text
}

fn outcome(status: u16) -> String {
    if status == 0 { "cut".to_owned() } else { status.to_string() }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn config(args: &[&str]) -> Config {
        let args = std::iter::once("sandbox").chain(args.iter().copied());
        Cli::try_parse_from(args).unwrap_or_else(|error| panic!("{error}")).args.into()
    }

    #[test]
    fn the_defaults_are_those_of_the_library_but_for_the_port() {
        let defaults = Config { port: 4010, ..Config::default() };
        assert_eq!(format!("{:?}", config(&[])), format!("{defaults:?}"));
    }

    #[test]
    fn limits_can_be_set_and_switched_off() {
        let off = config(&["--limit", "none", "--user-limit", "none"]);
        assert_eq!((off.limit, off.user_limit), (Quota::Off, None));
        let own = config(&["--limit", "50/300ms", "--window", "fixed", "--fault", "500=0.1", "--fault", "noop=next=1"]);
        assert_eq!(own.limit, Quota::Fixed(Rate::new(50, Duration::from_millis(300))));
        assert_eq!((own.window, own.faults.len()), (Window::Fixed, 2));
    }
}
