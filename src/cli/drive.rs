//! Takes a run through its phases: stage, compare, show and ask, apply, tell.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use super::connect::Connection;
use super::problem::{Exit, Problem};
use super::screen::Screen;
use super::told::{self, Telling};
use crate::event::{Event, Observer};
use crate::mapping::Mapping;
use crate::outcome::Outcome;
use crate::phase::{Abort, Api, Finish, Pacing, Sent, Work};
use crate::report::summary::Summary;
use crate::run_file::{Goal, RunFile};
use crate::source::Source;
use crate::state::State;
use crate::stop::{Stop, Urgency};
use crate::{apply, compare, stage};

/// Everything that a run is driven with.
pub(super) struct Drive<'d> {
    pub(super) run: RunFile,
    pub(super) connection: &'d Connection,
    pub(super) pacing: Pacing,
    pub(super) screen: &'d Screen,
    pub(super) observer: Box<dyn Observer>,
    pub(super) stop: Stop,
    pub(super) began: Instant,
    /// Outcomes that count as fine.
    pub(super) accepted: Vec<Outcome>,
    /// What to type where a command asks for RUN.
    pub(super) handle: String,
    /// Whether writing to a live instance was agreed to beforehand.
    pub(super) yes: bool,
    /// How far this invocation is to go.
    pub(super) goal: Goal,
    /// Whether users were compared by this invocation.
    pub(super) compared: bool,
    /// What is worth saying once, gathered for the summary.
    pub(super) notices: Vec<String>,
}

/// How a drive ended.
enum End {
    /// Everything that was to be done is.
    Done,
    /// The plan was shown and not agreed to.
    Declined,
    /// It was asked to stop.
    Interrupted,
}

/// What was answered to the question whether to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    Interrupted,
}

impl Drive<'_> {
    /// Does whatever is left of the run, tells it, and gives the exit code.
    pub(super) async fn run_to_the_end(
        mut self,
        rows: Option<(&mut Source, &Mapping)>,
        detailed: bool,
    ) -> Result<Exit, Problem> {
        let sent = Arc::new(Sent::default());
        let ended = self.phases(rows, &sent).await;
        if ended.is_err() {
            self.run.discard()?;
        }
        let (state, reason) = match &ended {
            Ok(End::Done) if self.goal == Goal::Apply => (State::Applied, None),
            Ok(End::Done | End::Declined) => (State::Planned, None),
            Ok(End::Interrupted) => (State::Interrupted, self.stop.why().map(str::to_owned)),
            Err(stopped) => stopped.state(),
        };
        // What was not agreed to is a plan, which only `apply --run` makes more of.
        let declined = matches!(ended, Ok(End::Declined));
        let goal = if declined { Goal::Plan } else { self.run.head().goal };
        self.run.update_head(|head| (head.state, head.reason, head.goal) = (state, reason, goal))?;
        self.run.commit()?;
        let summary = self.summary(&sent)?;
        let exit = match &ended {
            Ok(End::Done) => verdict(&summary, self.goal, detailed),
            Ok(End::Interrupted | End::Declined) => Exit::Interrupted,
            Err(stopped) => {
                self.screen.problem_of_run(&stopped.problem);
                stopped.problem.exit
            }
        };
        self.tell(&summary, &ended);
        if let Err(error) = self.run.close() {
            // The one JSON object has been printed.
            let problem = Problem::from(error);
            self.screen.problem_of_run(&problem);
            return Ok(problem.exit);
        }
        Ok(exit)
    }

    async fn phases(&mut self, rows: Option<(&mut Source, &Mapping)>, sent: &Arc<Sent>) -> Result<End, Stopped> {
        if let Some((source, mapping)) = rows {
            let finish = stage::stage(&mut self.run, source, mapping, self.observer.as_mut(), &self.stop)?;
            if finish == Finish::Interrupted {
                return Ok(End::Interrupted);
            }
        }
        if !self.run.head().compared {
            let finish = compare::compare(&mut self.work(sent)).await;
            self.compared = true;
            self.take_notices();
            if finish? == Finish::Interrupted {
                return Ok(End::Interrupted);
            }
        }
        if self.goal == Goal::Plan {
            return Ok(End::Done);
        }
        let spec = self.run.head().spec.clone();
        let planned = self.run.users()?.get(Outcome::Planned);
        let refusal = told::too_many_changes(&self.run, &spec, &self.pacing.allow)?;
        if let Some(refusal) = refusal.filter(|_| planned > 0) {
            return Err(Stopped::planned(Problem {
                exit: Exit::Aborted,
                code: "max_changes",
                message: refusal,
                hint: None,
            }));
        }
        match self.agreed(sent, planned).await? {
            Answer::Yes => {}
            Answer::No => return Ok(End::Declined),
            Answer::Interrupted => return Ok(End::Interrupted),
        }
        self.run.update_head(|head| head.goal = Goal::Apply)?;
        let finish = apply::apply(&mut self.work(sent)).await;
        self.take_notices();
        Ok(if finish? == Finish::Done { End::Done } else { End::Interrupted })
    }

    fn work<'w>(&'w mut self, sent: &Arc<Sent>) -> Work<'w, crate::clerk::Client> {
        Work {
            run: &mut self.run,
            api: Api {
                target: Arc::clone(&self.connection.client),
                limiter: Arc::clone(&self.connection.limiter),
                sent: Arc::clone(sent),
                policy: self.pacing.retry,
            },
            pacing: &self.pacing,
            observer: self.observer.as_mut(),
            stop: self.stop.clone(),
            began: self.began.into(),
        }
    }

    /// Shows the plan, and asks before it is written to a live instance.
    async fn agreed(&mut self, sent: &Arc<Sent>, planned: u64) -> Result<Answer, Stopped> {
        let asks = planned > 0 && !self.yes && self.run.head().instance.live;
        // A plan that was shown when it was made is shown again only to whoever has to agree to it.
        if planned > 0 && (asks || (self.compared && !self.screen.is_json())) {
            self.screen.preview(&self.summary(sent)?);
            // The preview has said them, which is once.
            self.notices.clear();
        }
        if !asks {
            return Ok(Answer::Yes);
        }
        let changes = crate::report::words::count(planned, "user");
        let host = crate::harmless::for_terminal(&self.run.head().instance.host);
        let question = format!("Write to {changes} of {host} (live)?");
        let screen = self.screen.clone();
        let mut answer = tokio::task::spawn_blocking(move || screen.ask(&question));
        let answer = tokio::select! {
            answer = &mut answer => if answer.unwrap_or(false) { Answer::Yes } else { Answer::No },
            _ = self.stop.beyond(Urgency::None) => Answer::Interrupted,
        };
        if answer != Answer::Yes {
            let run = &self.handle;
            let kept = format!("nothing was written; the plan is kept: metapatch apply --run {run}");
            self.observer.observe(&Event::Notice(kept));
        }
        Ok(answer)
    }

    fn take_notices(&mut self) {
        for notice in self.connection.client.take_notices() {
            self.observer.observe(&Event::Notice(notice.clone()));
            self.notices.push(notice);
        }
    }

    fn summary(&self, sent: &Sent) -> Result<Summary, crate::run_file::RunFileError> {
        let mut requests = sent.snapshot();
        requests.read += self.connection.reads;
        let telling = Telling {
            requests,
            duration: self.began.elapsed(),
            show_private: self.screen.shows_private(),
            accepted: self.accepted.clone(),
            pace: Some((self.connection.rate, self.connection.share)),
            warnings: self.warnings(),
            notices: self.notices.clone(),
            handle: self.handle.clone(),
        };
        told::summary(&self.run, &telling)
    }

    fn warnings(&self) -> Vec<String> {
        let spec = &self.run.head().spec;
        let mut warnings = Vec::new();
        if spec.allow_unverified {
            warnings.push(
                "unverified email addresses and phone numbers identify users (--allow-unverified); anybody can add \
                 somebody else's to their own account"
                    .to_owned(),
            );
        }
        if let Ok(Some(refusal)) = told::too_many_changes(&self.run, spec, &self.pacing.allow) {
            warnings.push(refusal);
        }
        warnings
    }

    fn tell(&self, summary: &Summary, ended: &Result<End, Stopped>) {
        // Standard output may be a closed pipe; the run file holds everything all the same.
        let _ = match ended {
            // The plan has just been shown.
            Ok(End::Declined) if !self.screen.is_json() => Ok(()),
            Ok(End::Done) if self.goal == Goal::Plan => self.screen.plan(summary),
            _ => self.screen.ending(summary),
        };
        let _ = std::io::stdout().flush();
    }
}

/// The exit code of a run that came to its end.
pub(super) fn verdict(summary: &Summary, goal: Goal, detailed: bool) -> Exit {
    let left = if goal == Goal::Apply { summary.users_left() } else { 0 };
    if summary.users_amiss() + summary.rows_amiss() + left > 0 {
        Exit::RowsAmiss
    } else if detailed && summary.users.get(Outcome::Planned) > 0 {
        Exit::Changes
    } else {
        Exit::Done
    }
}

/// Why the phases stopped, and in which state that leaves the run.
struct Stopped {
    problem: Problem,
    stays_planned: bool,
}

impl Stopped {
    const fn planned(problem: Problem) -> Self {
        Self { problem, stays_planned: true }
    }

    fn state(&self) -> (State, Option<String>) {
        if self.stays_planned { (State::Planned, None) } else { (State::Aborted, Some(self.problem.message.clone())) }
    }
}

impl From<Abort> for Stopped {
    fn from(abort: Abort) -> Self {
        Self { problem: abort.into(), stays_planned: false }
    }
}

impl From<crate::run_file::RunFileError> for Stopped {
    fn from(error: crate::run_file::RunFileError) -> Self {
        Self { problem: error.into(), stays_planned: false }
    }
}
