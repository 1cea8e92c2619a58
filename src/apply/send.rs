//! The requests of apply, each in a task of its own: wait for a permit, send once, bring back the answer.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::job::Job;
use super::{Done, Reread};
use crate::limit::Throttled;
use crate::phase::{Abort, Api};
use crate::read::{self, Answer};
use crate::retry::FailureKind;
use crate::target::{Batch, Target};

/// Sends one user's change, unless sending is halted before there is a permit for it.
pub(super) async fn write<T: Target>(
    api: Api<T>,
    mut job: Job,
    max_age: Duration,
    mut halt: watch::Receiver<bool>,
) -> Done {
    let body = job.planned.change.body();
    let permit = tokio::select! {
        biased;
        // The sender outlives its tasks; were it gone, that would be a halt as well.
        _ = halt.wait_for(|halted| *halted) => return Done::Unsent(Box::new(job)),
        permit = api.limiter.acquire_write(&job.planned.user_id) => permit,
    };
    if !job.is_fresh(max_age) {
        permit.unused();
        return Done::Unsent(Box::new(job));
    }
    let sent = Instant::now();
    api.sent.write.fetch_add(1, Relaxed);
    if job.repeated {
        api.sent.retried.fetch_add(1, Relaxed);
    }
    let answer = api.target.write(&job.planned.user_id, &body).await;
    drop(permit);
    let round_trip = sent.elapsed();
    job.sent(round_trip);
    if let Err(failure) = &answer
        && failure.kind == FailureKind::Throttled
    {
        api.sent.throttled.fetch_add(1, Relaxed);
        let user = Some(job.planned.user_id.as_str());
        api.limiter.throttled(Throttled { user, retry_after: failure.retry_after, round_trip });
    }
    Done::Write(Box::new(job), answer)
}

/// Reads users again; the batch names them all, and nobody else may come back.
pub(super) async fn read_again<T: Target>(api: Api<T>, batch: Batch, jobs: Vec<Job>) -> Done {
    let read = match read::read(&api, batch).await {
        Ok(answers) => reread(answers),
        Err(failure) => Err(Abort::of_read(&failure)),
    };
    Done::Read(jobs, read)
}

fn reread(answers: Vec<Answer>) -> Result<Reread, Abort> {
    let mut reread = Reread::default();
    for Answer { batch, sent, users } in answers {
        match users {
            Ok(users) => {
                for user in users {
                    if !batch.values().contains(&user.id) {
                        return Err(Abort::FilterIgnored { user_id: user.id, kind: batch.kind().name() });
                    }
                    reread.users.insert(user.id.clone(), (sent, user));
                }
            }
            Err(failure) => reread.refused.extend(batch.values().iter().map(|id| (id.clone(), failure.clone()))),
        }
    }
    Ok(reread)
}
