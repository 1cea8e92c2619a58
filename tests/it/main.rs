//! The one integration test binary.
#![expect(
    clippy::format_collect,
    clippy::format_push_string,
    reason = "in tests, rows are few and should be easy to read"
)]

mod apply;
mod export;
mod faults;
mod hostile;
mod hostile_api;
mod hostile_e2e;
mod identities;
mod jobs;
mod json;
mod kill;
mod large;
mod openapi;
mod output;
mod readme;
mod resume;
mod sandbox;
mod sdk;
mod skip;
mod tidy;
mod tls;
mod world;
