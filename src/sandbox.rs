//! A local stand-in for Clerk's Backend API, as far as users, organizations and their metadata go.
//!
//! Nobody can rehearse a bulk change on Clerk: a development instance holds 100 users, and what goes wrong on the way
//! cannot be ordered. The sandbox answers as the API does, keeps its limits, misbehaves on demand ([`Fault`]), and says
//! what it saw ([`Truth`]). It shares no merge with the rest of this crate, so that one never vouches for the other.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use metapatch::sandbox;
//!
//! let sandbox = sandbox::start(sandbox::Config { users: 1_000, ..Default::default() }).await?;
//! println!("{} {}", sandbox.url(), sandbox::user_id(1, 0));
//! assert_eq!(sandbox.truth().throttled, 0);
//! # Ok(())
//! # }
//! ```

mod answer;
mod api;
mod args;
mod connection;
mod control;
mod error;
mod fault;
mod gate;
mod handle;
mod limit;
mod query;
mod rate;
mod route;
mod server;
mod state;
mod tls;
mod truth;
mod view;
mod visit;
mod world;

use std::path::PathBuf;
use std::time::Duration;

pub use api::{Cursor, NullField};
pub use args::{Args, serve};
pub use fault::{Fault, FaultKind, On};
pub use handle::{Sandbox, start};
pub use limit::Window;
pub use query::OverLimit;
pub use rate::{Quota, Rate};
pub use truth::{OtherTraffic, SeenBody, Truth, Windows, Writes};
pub use world::id::user_id;

/// How a sandbox is to behave. The default is what is known of Clerk, and the stricter reading where nothing is.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Config {
    /// The port on 127.0.0.1; 0 takes any that is free.
    pub port: u16,
    /// Whether it speaks TLS, and HTTP/2 with whoever offers it.
    pub tls: bool,
    /// The file for the certificate to trust; where there is none, a temporary one that goes with the sandbox.
    pub ca_out: Option<PathBuf>,
    /// How many users the seed makes.
    pub users: u32,
    /// What the world and the chances are made from.
    pub seed: u64,
    /// Users to load instead of making them, one JSON object a line.
    pub world: Option<PathBuf>,
    /// The keys that are known; where there are none, any that looks like a secret key.
    pub keys: Vec<String>,
    /// The limit of the instance.
    pub limit: Quota,
    /// The limit of writes to each user, organization and membership.
    pub user_limit: Option<Rate>,
    /// How the limits count.
    pub window: Window,
    /// Whether a refused request counts as well.
    pub count_refused: bool,
    /// Requests that a live application sends with the same key.
    pub other_traffic: Option<Rate>,
    /// How long each request is under way, there and back.
    pub latency: Duration,
    /// How much longer it may be, by chance.
    pub jitter: Duration,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// What `limit` above 500 does.
    pub over_limit: OverLimit,
    /// What `starting_after` does.
    pub cursor: Cursor,
    /// What a field that is null as a whole does in a `PATCH`.
    pub null_field: NullField,
    /// The version of requests that name none.
    pub default_version: &'static str,
    /// Whether `GET /v1/instance` is unknown.
    pub no_instance: bool,
    /// Whether test keys can create no more than 100 users.
    pub cap_test_users: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            tls: false,
            ca_out: None,
            users: 100,
            seed: 1,
            world: None,
            keys: Vec::new(),
            limit: Quota::ByKey,
            user_limit: Some(Rate::new(10, Duration::from_secs(10))),
            window: Window::Sliding,
            count_refused: false,
            other_traffic: None,
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            faults: Vec::new(),
            over_limit: OverLimit::default(),
            cursor: Cursor::default(),
            null_field: NullField::default(),
            default_version: gate::METADATA_APART,
            no_instance: false,
            cap_test_users: false,
        }
    }
}
