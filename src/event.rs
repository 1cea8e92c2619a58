//! The one language between the phases and whoever looks on: bars, plain lines, or a test.

use std::time::Duration;

use crate::outcome::Tally;

/// The phases of a run that take time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Reading the source.
    Stage,
    /// Reading what users hold.
    Compare,
    /// Writing.
    Apply,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A phase begins; `total` is the number of rows, identities or users it will handle, where that is known.
    Started(Phase, Option<u64>),
    /// A phase has got so far.
    Progress(Progress),
    /// A phase is over.
    Ended(Phase),
    /// Nothing is sent for a while, and why.
    Waiting {
        /// The reason, as a lower-case fragment.
        reason: String,
        /// How long, as far as is known.
        wait: Duration,
    },
    /// Something worth saying once.
    Notice(String),
    /// Something for whoever wants to know more, such as a request that is tried again.
    Detail(String),
}

/// How far a phase has got.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Rows, identities or users handled in this phase.
    pub done: u64,
    /// Users by outcome, as far as known; rejected rows while staging.
    pub tally: Tally,
    /// What was sent so far by this process.
    pub requests: Requests,
    /// Requests under way.
    pub in_flight: u64,
}

/// Requests sent by this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requests {
    /// Reads.
    pub read: u64,
    /// Writes.
    pub write: u64,
    /// Of both, those that repeated an earlier one.
    pub retried: u64,
    /// Of both, those that were answered with 429.
    pub throttled: u64,
}

/// Whoever looks on. Calls are synchronous: a slow terminal slows the run down rather than falling behind.
pub trait Observer: Send {
    /// Takes note of an event.
    fn observe(&mut self, event: &Event);
}

/// Looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Observer for Quiet {
    fn observe(&mut self, _event: &Event) {}
}
