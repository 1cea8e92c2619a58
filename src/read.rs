//! Reading users in batches, with retries; a batch that the API refuses as a whole is halved until the culprit is
//! alone.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;

use crate::limit::Throttled;
use crate::phase::Api;
use crate::retry::{ANSWER_TOO_LARGE, Decision, Failure, FailureKind};
use crate::target::{Batch, MAX_PAGE, Target, User};

/// A batch, or a part of one, with its answer.
#[derive(Debug)]
pub struct Answer {
    /// What was asked for.
    pub batch: Batch,
    /// When the request was sent: the safe time to count the age of what was read from.
    pub sent: Instant,
    /// The users that came back, or why one identifier alone is refused.
    pub users: Result<Vec<User>, Failure>,
}

/// Reads a batch. The failure is one that no other batch would escape: the key is refused, or the API does not answer.
pub async fn read<T: Target>(api: &Api<T>, batch: Batch) -> Result<Vec<Answer>, Failure> {
    let mut answers = Vec::new();
    let mut parts = vec![batch];
    while let Some(batch) = parts.pop() {
        match read_patiently(api, &batch).await {
            Ok((_, users)) if is_cut_off(&batch, &users) => parts.extend(halves(&batch)),
            Ok((sent, users)) => answers.push(Answer { batch, sent, users: Ok(users) }),
            Err(failure) if !is_about_the_batch(&failure) => return Err(failure),
            Err(_) if batch.values().len() > 1 => parts.extend(halves(&batch)),
            Err(failure) => answers.push(Answer { batch, sent: Instant::now(), users: Err(failure) }),
        }
    }
    Ok(answers)
}

/// Sends one batch until it is answered or the policy gives up; says when the request that was answered was sent.
async fn read_patiently<T: Target>(api: &Api<T>, batch: &Batch) -> Result<(Instant, Vec<User>), Failure> {
    let mut taken = Duration::ZERO;
    let mut attempt = 1;
    loop {
        let permit = api.limiter.acquire_read().await;
        let sent = Instant::now();
        api.sent.read.fetch_add(1, Relaxed);
        let answer = api.target.read(batch).await;
        drop(permit);
        let failure = match answer {
            Ok(users) => return Ok((sent, users)),
            Err(failure) => failure,
        };
        let round_trip = sent.elapsed();
        taken += round_trip;
        let throttled = failure.kind == FailureKind::Throttled;
        if throttled {
            api.sent.throttled.fetch_add(1, Relaxed);
            api.limiter.throttled(Throttled { user: None, retry_after: failure.retry_after, round_trip });
        }
        match api.policy.decide(&failure, attempt, taken, fastrand::f64()) {
            Decision::GiveUp | Decision::StopTheRun => return Err(failure),
            Decision::After(delay) => {
                attempt += u32::from(!throttled);
                taken += delay;
                tokio::time::sleep(delay).await;
            }
        }
        api.sent.retried.fetch_add(1, Relaxed);
    }
}

/// Whether there may be more users than one page shows; one address can stand with many of them, unverified.
fn is_cut_off(batch: &Batch, users: &[User]) -> bool {
    !batch.kind().is_unique() && users.len() >= MAX_PAGE && batch.values().len() > 1
}

/// Whether it is something in the batch that is refused, so that another batch, or a part of this one, may be answered.
/// Anything else, such as an address at which there is no API, would be the same for all of them.
fn is_about_the_batch(failure: &Failure) -> bool {
    let refused = matches!(failure.kind, FailureKind::Refused | FailureKind::TooLarge);
    refused && (failure.code == ANSWER_TOO_LARGE || matches!(failure.status, Some(400 | 413 | 414 | 422 | 431)))
}

fn halves(batch: &Batch) -> [Batch; 2] {
    let (kind, mut values) = (batch.kind(), batch.values().to_vec());
    let rest = values.split_off(values.len() / 2);
    [Batch::of(kind, rest), Batch::of(kind, values)]
}
