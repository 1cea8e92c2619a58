//! Apply: sends one request for each user that is to change, and records what became of it.
//!
//! One loop owns the run file, the queues and the observers; requests run in tasks of their own and come back to it.
//! What it holds to:
//!
//! - the intent to send is durable before anything is sent, the outcome is durable before it is shown;
//! - a comparison that is too old, or another process's, is repeated before its change is sent;
//! - a request whose end is unknown is settled by reading the user again;
//! - no user has two writes under way, because each user is in exactly one queue or task;
//! - the first writes go alone until one answer is seen to hold what was asked;
//! - what waits in memory is bounded by the number of writes under way, never by the size of the run.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::job::{Job, Settled};
use crate::event::{Event, Phase, Progress};
use crate::identity::IdentityKind;
use crate::outcome::Outcome;
use crate::phase::{Abort, Finish, Work, describe};
use crate::retry::{Decision, Failure, FailureKind};
use crate::run_file::Ended;
use crate::state::State;
use crate::stop::Urgency;
use crate::target::{Batch, MAX_BATCH, Target, User};

mod job;
mod send;

/// How many reads of users whose comparison is too old are under way at once.
const MAX_READS: usize = 4;

/// How many writes may be answered without effect, before any had one, until the run stops.
const MAX_WITHOUT_EFFECT: u32 = 3;

/// How often it is looked whether anything is worth telling although no answer comes.
const TICK: Duration = Duration::from_secs(1);

/// How many answers are recorded in one group at most.
const GROUP: usize = 256;

/// Applies everything that is planned.
pub async fn apply<T: Target>(work: &mut Work<'_, T>) -> Result<Finish, Abort> {
    let tally = work.run.users()?;
    let total = tally.get(Outcome::Planned);
    work.run.update_head(|head| head.state = State::Running)?;
    work.run.commit()?;
    work.observer.observe(&Event::Started(Phase::Apply, Some(total)));
    let mut applying = Applying {
        queues: Queues::default(),
        tasks: JoinSet::new(),
        halt: watch::Sender::new(false),
        writes: 0,
        reads: 0,
        echo: Echo::Unseen { without_effect: 0 },
        progress: Progress { tally, ..Progress::default() },
        tried: 0,
        failed: 0,
        said_rounded: false,
        said_waiting: false,
        aborted: None,
        work,
    };
    let finish = applying.run().await;
    let aborted = applying.aborted.take();
    drop(applying);
    work.run.commit()?;
    work.observer.observe(&Event::Ended(Phase::Apply));
    match aborted {
        Some(abort) => Err(abort),
        None => finish,
    }
}

struct Applying<'a, 'w, T> {
    work: &'a mut Work<'w, T>,
    queues: Queues,
    tasks: JoinSet<Done>,
    /// Set when nothing more is to be sent; writes that wait for a permit come back unsent.
    halt: watch::Sender<bool>,
    writes: usize,
    reads: usize,
    echo: Echo,
    progress: Progress,
    tried: u64,
    failed: u64,
    said_rounded: bool,
    said_waiting: bool,
    /// Why nothing more is sent; what is under way is still recorded.
    aborted: Option<Abort>,
}

/// Where users wait.
#[derive(Default)]
struct Queues {
    /// To be sent.
    ready: VecDeque<Job>,
    /// To be read again first.
    stale: VecDeque<Job>,
    /// To be tried again later. The number keeps those of one instant apart.
    delayed: BTreeMap<(Instant, i64), Job>,
    /// The last user that was taken from the run file.
    last_user: i64,
    /// Whether the run file has no more.
    exhausted: bool,
}

/// Whether the API is seen to do what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Echo {
    /// Not yet: writes go alone.
    Unseen { without_effect: u32 },
    /// An answer held what was asked.
    Seen,
}

/// A task that has ended.
enum Done {
    /// A write, with its answer.
    Write(Box<Job>, Result<User, Failure>),
    /// A write that was not sent: sending was halted, or the permit came when the comparison had grown too old.
    Unsent(Box<Job>),
    /// Users read again.
    Read(Vec<Job>, Result<Reread, Abort>),
}

/// What reading users again came to, by their ids.
#[derive(Default)]
struct Reread {
    /// Those that came back, each with the time it was asked for.
    users: HashMap<String, (Instant, User)>,
    /// Those that the API refuses to look up.
    refused: HashMap<String, Failure>,
}

impl Queues {
    fn len(&self) -> usize {
        self.ready.len() + self.stale.len() + self.delayed.len()
    }
}

impl<T: Target> Applying<'_, '_, T> {
    async fn run(&mut self) -> Result<Finish, Abort> {
        loop {
            let stopping = self.work.is_draining() || self.aborted.is_some();
            if stopping {
                self.halt.send_replace(true);
            } else {
                self.refill()?;
                self.wake_delayed();
                self.send_reads();
                self.send_writes()?;
            }
            if self.is_done() {
                return Ok(Finish::Done);
            }
            // Reads leave nothing behind, so that they can be given up at once.
            if stopping && self.writes == 0 {
                return Ok(Finish::Interrupted);
            }
            let wake = self.queues.delayed.first_key_value().map(|((at, _), _)| *at).filter(|_| !stopping);
            let urgency = self.work.stop.urgency();
            tokio::select! {
                Some(done) = self.tasks.join_next() => self.take(done)?,
                () = tokio::time::sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
                () = tokio::time::sleep(TICK) => self.tell_waiting(),
                asked = self.work.stop.beyond(urgency) => if asked == Urgency::Abandon {
                    return Ok(Finish::Interrupted);
                },
            }
        }
    }

    fn is_done(&self) -> bool {
        self.queues.exhausted && self.queues.len() == 0 && self.tasks.is_empty()
    }

    /// Takes users from the run file until as many wait as can be sent soon.
    fn refill(&mut self) -> Result<(), Abort> {
        let enough = self.work.pacing.max_in_flight.max(MAX_BATCH);
        while !self.queues.exhausted && self.queues.len() < enough {
            let planned = self.work.run.planned(self.queues.last_user, MAX_BATCH)?;
            self.queues.exhausted = planned.len() < MAX_BATCH;
            for planned in planned {
                self.queues.last_user = planned.user;
                let job = Job::new(planned, self.work.run.head().session, self.work.began);
                self.queue(job);
            }
        }
        Ok(())
    }

    /// Puts a user where it belongs: to be sent, or to be read again first.
    fn queue(&mut self, job: Job) {
        if job.is_fresh(self.work.pacing.max_age) {
            self.queues.ready.push_back(job);
        } else {
            self.queues.stale.push_back(job);
        }
    }

    fn wake_delayed(&mut self) {
        let now = Instant::now();
        while let Some(entry) = self.queues.delayed.first_entry().filter(|entry| entry.key().0 <= now) {
            let job = entry.remove();
            self.queue(job);
        }
    }

    fn send_reads(&mut self) {
        while !self.queues.stale.is_empty() && self.reads < MAX_READS {
            let mut batch = Batch::new(IdentityKind::UserId);
            let n = self.queues.stale.iter().take_while(|job| batch.try_push(&job.identity())).count();
            let jobs: Vec<Job> = self.queues.stale.drain(..n).collect();
            self.reads += 1;
            self.tasks.spawn(send::read_again(self.work.api.clone(), batch, jobs));
        }
    }

    /// Records the intent to send a group, durably, then sends it.
    fn send_writes(&mut self) -> Result<(), Abort> {
        let most = if self.echo == Echo::Seen { self.work.pacing.max_in_flight } else { 1 };
        let mut group = Vec::new();
        while self.writes + group.len() < most {
            match self.queues.ready.pop_front() {
                Some(job) if job.is_fresh(self.work.pacing.max_age) => group.push(job),
                Some(job) => self.queues.stale.push_back(job),
                None => break,
            }
        }
        if group.is_empty() {
            self.send_reads();
            return Ok(());
        }
        self.work.run.intend(group.iter().map(|job| job.planned.user))?;
        self.work.run.commit()?;
        self.writes += group.len();
        for job in group {
            let (api, halt) = (self.work.api.clone(), self.halt.subscribe());
            self.tasks.spawn(send::write(api, job, self.work.pacing.max_age, halt));
        }
        Ok(())
    }

    /// Records a task that has ended, and others that have ended meanwhile, durably, then shows it.
    fn take(&mut self, first: Result<Done, tokio::task::JoinError>) -> Result<(), Abort> {
        let mut next = Some(first);
        let mut taken = 0;
        while let Some(done) = next {
            self.take_one(done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic())))?;
            taken += 1;
            next = if taken < GROUP { self.tasks.try_join_next() } else { None };
        }
        self.work.run.commit()?;
        self.progress.requests = self.work.api.sent.snapshot();
        self.progress.in_flight = (self.writes + self.reads) as u64;
        self.work.observer.observe(&Event::Progress(self.progress.clone()));
        self.tell_waiting();
        Ok(())
    }

    fn tell_waiting(&mut self) {
        self.said_waiting = self.work.tell_waiting(self.said_waiting);
    }

    fn take_one(&mut self, done: Done) -> Result<(), Abort> {
        match done {
            Done::Unsent(job) => {
                self.writes -= 1;
                if !job.may_have_landed {
                    self.work.run.unsend(job.planned.user, job.attempts)?;
                }
                self.queues.stale.push_back(*job);
                Ok(())
            }
            Done::Write(job, answer) => {
                self.writes -= 1;
                match answer {
                    Ok(user) => self.take_echo(*job, &user),
                    Err(failure) => self.take_failure(*job, failure),
                }
            }
            Done::Read(jobs, answer) => {
                self.reads -= 1;
                self.take_read(jobs, answer)
            }
        }
    }

    /// A write was answered with success: does the answer hold what was asked?
    fn take_echo(&mut self, mut job: Job, user: &User) -> Result<(), Abort> {
        job.attempts = job.attempts.saturating_add(1);
        let ended = job.echo(user);
        if ended.outcome == Outcome::Applied {
            self.echo = Echo::Seen;
        } else if let Echo::Unseen { without_effect } = &mut self.echo {
            *without_effect += 1;
            if *without_effect == MAX_WITHOUT_EFFECT {
                self.aborted = Some(Abort::NothingApplied(MAX_WITHOUT_EFFECT));
            }
        }
        self.say_rounded(ended.code.as_deref());
        self.end(&ended)
    }

    fn say_rounded(&mut self, code: Option<&str>) {
        if code == Some("number_rounded") && !self.said_rounded {
            self.said_rounded = true;
            self.work
                .notice("the API stores some numbers as 64-bit floats and gave them back rounded (number_rounded)");
        }
    }

    fn take_failure(&mut self, mut job: Job, failure: Failure) -> Result<(), Abort> {
        if failure.kind != FailureKind::Throttled {
            job.attempts = job.attempts.saturating_add(1);
        }
        job.may_have_landed |= failure.kind == FailureKind::Ambiguous;
        let detail = format!("{}, attempt {}: {}", job.planned.user_id, job.attempts.max(1), describe(&failure));
        self.work.observer.observe(&Event::Detail(detail));
        match self.work.api.policy.decide(&failure, job.attempts.max(1), job.spent, fastrand::f64()) {
            Decision::StopTheRun => {
                self.work.run.unsend(job.planned.user, job.attempts)?;
                self.aborted = Some(Abort::KeyRefused(describe(&failure)));
                Ok(())
            }
            Decision::GiveUp if job.may_have_landed => {
                job.last_failure = Some(failure);
                self.queues.stale.push_back(job);
                Ok(())
            }
            Decision::GiveUp => {
                let ended = job.given_up(&failure);
                self.end(&ended)
            }
            Decision::After(delay) => {
                job.repeated = true;
                job.spent += delay;
                if !job.may_have_landed {
                    self.work.run.unsend(job.planned.user, job.attempts)?;
                }
                if delay.is_zero() {
                    self.queue(job);
                } else {
                    self.queues.delayed.insert((Instant::now() + delay, job.planned.user), job);
                }
                Ok(())
            }
        }
    }

    /// Users were read again: those that still hold *before* can be sent.
    fn take_read(&mut self, jobs: Vec<Job>, answer: Result<Reread, Abort>) -> Result<(), Abort> {
        let reread = match answer {
            Ok(reread) => reread,
            Err(abort) => {
                // The users stay as they are in the run file, to be settled by the next session.
                self.aborted.get_or_insert(abort);
                return Ok(());
            }
        };
        for mut job in jobs {
            if let Some(failure) = reread.refused.get(&job.planned.user_id) {
                self.end(&job.given_up(failure))?;
                continue;
            }
            let found = reread.users.get(&job.planned.user_id);
            match (job.settle(found.map(|(_, user)| user)), found) {
                (Settled::Ended(ended), _) => self.end(&ended)?,
                (Settled::Unsent, found) => {
                    job.compared(found.map_or_else(Instant::now, |(read_at, _)| *read_at));
                    self.queues.ready.push_back(job);
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, ended: &Ended) -> Result<(), Abort> {
        self.work.run.end_change(ended)?;
        self.progress.done += 1;
        self.progress.tally.shift(Outcome::Planned, ended.outcome);
        self.tried += 1;
        self.failed += u64::from(ended.outcome == Outcome::Failed);
        let limit = self.work.pacing.max_failures;
        let counts = match limit {
            crate::guard::Limit::Count(_) => true,
            crate::guard::Limit::Percent(_) => self.tried >= self.work.pacing.failures_count_from,
        };
        if counts && limit.is_exceeded(self.failed, self.tried) && self.aborted.is_none() {
            self.aborted = Some(Abort::TooManyFailures { failed: self.failed, tried: self.tried, limit });
        }
        Ok(())
    }
}
