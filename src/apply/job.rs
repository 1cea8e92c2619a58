//! One user on its way through apply, and what an answer means for it.

use std::time::Duration;

use tokio::time::Instant;

use crate::identity::{Identity, IdentityKind};
use crate::merge::Agreement;
use crate::outcome::Outcome;
use crate::retry::{Failure, FailureKind};
use crate::run_file::{Ended, Planned};
use crate::target::User;

/// How often the age that a comparison may have is doubled at the most, once for each time that a user was read again
/// and still had to wait too long for its permit. Without that, where permits are rare, it would be read for ever.
const MAX_DOUBLINGS: u32 = 16;

/// What is doubled at the least.
const LEAST_PATIENCE: Duration = Duration::from_millis(100);

/// One user that is to change.
#[derive(Debug)]
pub(super) struct Job {
    /// The user and its change.
    pub(super) planned: Planned,
    /// When what it holds was read by this process, if it was.
    compared_at: Option<Instant>,
    /// How often it was tried, throttled attempts not counted.
    pub(super) attempts: u32,
    /// How often it was read again since it was last sent.
    readings: u32,
    /// How long its attempts, and the delays between them, took in this process.
    pub(super) spent: Duration,
    /// Whether a request with an unknown end may have done it.
    pub(super) may_have_landed: bool,
    /// Whether the next request repeats one.
    pub(super) repeated: bool,
    /// Why it is not tried again; only the truth is still to be found out.
    pub(super) last_failure: Option<Failure>,
}

/// What reading a user again came to.
pub(super) enum Settled {
    /// Nothing is left to do.
    Ended(Ended),
    /// It holds what it held when it was compared, and can be sent.
    Unsent,
}

impl Job {
    pub(super) fn new(planned: Planned, session: i64, began: Instant) -> Self {
        let age = Duration::from_millis(u64::try_from(planned.compared_ms).unwrap_or_default());
        // An intent of an earlier process that has no end recorded may have landed.
        let compared_at = (planned.session == session && !planned.sent).then(|| began.checked_add(age)).flatten();
        Self {
            compared_at,
            attempts: planned.attempts,
            readings: 0,
            spent: Duration::ZERO,
            may_have_landed: planned.sent,
            repeated: planned.sent,
            last_failure: None,
            planned,
        }
    }

    /// What to read the user by.
    pub(super) fn identity(&self) -> Identity {
        let id = self.planned.user_id.clone();
        Identity::new(IdentityKind::UserId, id).expect("the run file gives out ids only that can be asked for")
    }

    /// Whether it may be sent without being read again.
    pub(super) fn is_fresh(&self, max_age: Duration) -> bool {
        let settled = !self.may_have_landed && self.last_failure.is_none();
        let patience = match self.readings.saturating_sub(1).min(MAX_DOUBLINGS) {
            0 => max_age,
            doublings => max_age.max(LEAST_PATIENCE).saturating_mul(2_u32.pow(doublings)),
        };
        settled && self.compared_at.is_some_and(|at| at.elapsed() <= patience)
    }

    /// Takes note that it was read and holds what it did before.
    pub(super) fn compared(&mut self, at: Instant) {
        self.compared_at = Some(at);
        self.may_have_landed = false;
        self.readings += 1;
    }

    /// Takes note that it was sent, and how long it took to be answered.
    pub(super) fn sent(&mut self, round_trip: Duration) {
        self.spent += round_trip;
        self.readings = 0;
    }

    /// How it ended, by the answer to a write.
    pub(super) fn echo(&self, user: &User) -> Ended {
        let held = match user.fields(self.planned.change.fields()) {
            Ok(held) => held,
            Err(unreadable) => {
                let message = format!("the write was answered with success, but {unreadable}");
                return self.ended(Outcome::Failed, Some("unreadable"), Some(message));
            }
        };
        match self.planned.change.holds_after(&held) {
            Agreement::Same => self.ended(Outcome::Applied, None, None),
            Agreement::Rounded => self.ended(Outcome::Applied, Some("number_rounded"), None),
            Agreement::Different => {
                let paths = self.planned.change.missing(&held).join(", ");
                let message = format!("the write was answered with success, but the answer does not hold it: {paths}");
                self.ended(Outcome::Failed, Some("not_applied"), Some(message))
            }
        }
    }

    /// How it ended, by an answer that is final.
    pub(super) fn given_up(&self, failure: &Failure) -> Ended {
        let outcome = match failure.kind {
            FailureKind::NotFound => Outcome::NotFound,
            FailureKind::TooLarge => Outcome::TooLarge,
            _ => Outcome::Failed,
        };
        let ended = self.ended(outcome, Some(&failure.code), Some(failure.message.clone()));
        Ended { trace_id: failure.trace_id.clone(), ..ended }
    }

    /// What it means that the user holds this now; `None` where there is no such user any more.
    pub(super) fn settle(&self, user: Option<&User>) -> Settled {
        let Some(user) = user else {
            let message = "the user is gone since it was compared".to_owned();
            return Settled::Ended(self.ended(Outcome::NotFound, Some("user_gone"), Some(message)));
        };
        let now = match user.fields(self.planned.change.fields()) {
            Ok(now) => now,
            Err(unreadable) => {
                let message = unreadable.to_string();
                return Settled::Ended(self.ended(Outcome::Failed, Some("unreadable"), Some(message)));
            }
        };
        match (self.planned.change.holds_after(&now), self.may_have_landed) {
            (Agreement::Same | Agreement::Rounded, true) => {
                return Settled::Ended(self.ended(Outcome::Applied, Some("verified"), None));
            }
            (Agreement::Same, false) => {
                return Settled::Ended(self.ended(Outcome::Unchanged, Some("already_held"), None));
            }
            _ => {}
        }
        let drifted: Vec<String> = self.planned.change.drifted(&now).iter().map(ToString::to_string).collect();
        match (&self.last_failure, drifted.is_empty()) {
            (None, true) => Settled::Unsent,
            (Some(failure), true) => Settled::Ended(self.given_up(failure)),
            (_, false) => Settled::Ended(self.drifted(&drifted)),
        }
    }

    fn drifted(&self, paths: &[String]) -> Ended {
        let landed = if self.may_have_landed { "; our own write may have landed first" } else { "" };
        let message = format!("changed by somebody else since it was compared: {}{landed}", paths.join(", "));
        self.ended(Outcome::Drifted, Some("drifted"), Some(message))
    }

    fn ended(&self, outcome: Outcome, code: Option<&str>, message: Option<String>) -> Ended {
        Ended {
            user: self.planned.user,
            outcome,
            code: code.map(str::to_owned),
            message,
            attempts: self.attempts,
            trace_id: None,
        }
    }
}
