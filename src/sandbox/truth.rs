//! What the sandbox saw: the only witness that is not the client itself.

mod book;

use std::collections::BTreeMap;

pub(super) use book::Book;
use serde::Serialize;
use serde_json::value::RawValue;

/// A snapshot of what the sandbox saw under `/v1`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Truth {
    /// How many requests of each kind ended in which status; status 0 is a connection that was cut.
    pub requests: BTreeMap<&'static str, BTreeMap<u16, u64>>,
    /// How many requests there were.
    pub total: u64,
    /// How many of them ended in which status.
    pub by_status: BTreeMap<u16, u64>,
    /// How many of them came over which protocol: `http/1.1`, `h2`.
    pub protocols: BTreeMap<&'static str, u64>,
    /// How many connections were opened.
    pub connections: u64,
    /// `GET` requests.
    pub gets: u64,
    /// `PATCH` requests.
    pub patches: u64,
    /// `PUT` requests.
    pub puts: u64,
    /// Requests of other methods.
    pub others: u64,
    /// How many answers were 429.
    pub throttled: u64,
    /// The most requests seen in any stretch of the limit's period, refused ones included.
    pub windows: Windows,
    /// The most requests that were under way at once.
    pub max_in_flight: u64,
    /// The writes of metadata to users.
    pub writes: Writes,
    /// How often each kind of fault fired.
    pub faults: BTreeMap<String, u64>,
    /// The other traffic on the key.
    pub other_traffic: OtherTraffic,
}

/// The most requests in any window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Windows {
    /// How long a window is.
    pub period_ms: u64,
    /// How many requests the limit allows in it; `null` where there is none.
    pub limit: Option<u32>,
    /// The most in any sliding window.
    pub max_sliding: u64,
    /// The most in any fixed window.
    pub max_fixed: u64,
}

/// The writes of metadata to users.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Writes {
    /// How many were applied.
    pub applied: u64,
    /// How many users they went to.
    pub users: u64,
    /// The most that were applied to one user.
    pub max_per_user: u64,
    /// The most writes to one user in any window of the user limit's period, refused ones included.
    pub max_per_user_in_window: u64,
    /// The most writes to one user that were under way at once.
    pub max_in_flight_per_user: u64,
    /// How many bodies were not kept, for there were too many.
    pub bodies_dropped: u64,
}

/// Requests that a simulated live application sent with the same key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct OtherTraffic {
    /// How many it sent.
    pub sent: u64,
    /// How many of those were throttled.
    pub throttled: u64,
}

/// One write of metadata to a user, as it came.
#[derive(Debug, Clone, Serialize)]
pub struct SeenBody {
    /// `PATCH` or `PUT`.
    pub method: String,
    /// How it ended; 0 is a connection that was cut.
    pub status: u16,
    /// What was sent; `null` where that is no JSON.
    pub body: Option<Box<RawValue>>,
}
