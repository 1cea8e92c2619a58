//! Users, organizations and memberships as answers show them.

mod organization;
mod user;

pub(super) use organization::{membership, organization};
use serde::Serialize;
pub(super) use user::user;

/// The picture of everybody.
const IMAGE: &str = "https://img.example.com/sandbox.png";

fn write(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value).expect("strings and numbers always serialise");
}
