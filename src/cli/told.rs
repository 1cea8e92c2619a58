//! From a run file to what is told about the run as a whole.

use std::time::Duration;

use crate::event::Requests;
use crate::limit::{Rate, Share, how_long};
use crate::outcome::Outcome;
use crate::report::diff::UserDiff;
use crate::report::summary::{Estimate, InstanceKind, RowCounts, RunInfo, Scene, Summary};
use crate::report::transitions::Transitions;
use crate::report::troubles::{Example, MAX_CAUSES, OTHER, Trouble};
use crate::run_file::{Goal, RunFile, RunFileError};
use crate::spec::{Input, Spec};
use crate::target::MAX_BATCH;

/// How many users are shown with their diffs.
const DIFFS: usize = 5;

/// How many rows are shown for each cause of trouble.
const EXAMPLES: usize = 3;

/// The outcomes whose changes are told as transitions: what is to happen, what happened, and what was tried.
const CHANGED: [Outcome; 4] = [Outcome::Planned, Outcome::Applied, Outcome::Failed, Outcome::Drifted];

/// What is known beside the run file: about this invocation, and how to tell it.
#[derive(Debug, Clone, Default)]
pub(super) struct Telling {
    /// What this invocation sent.
    pub(super) requests: Requests,
    /// How long it has taken.
    pub(super) duration: Duration,
    /// Whether private values are shown.
    pub(super) show_private: bool,
    /// Outcomes that count as fine.
    pub(super) accepted: Vec<Outcome>,
    /// At what pace the rest would be applied; `None` where nobody asked.
    pub(super) pace: Option<(Option<Rate>, Share)>,
    /// What deserves attention.
    pub(super) warnings: Vec<String>,
    /// What is worth saying once.
    pub(super) notices: Vec<String>,
    /// What to type where a command asks for RUN.
    pub(super) handle: String,
}

/// Gathers everything that is told about a run.
pub(super) fn summary(run: &RunFile, telling: &Telling) -> Result<Summary, RunFileError> {
    let head = run.head();
    let users = run.users()?;
    let mut transitions = Transitions::new(telling.show_private);
    let mut examples = Vec::new();
    run.for_each_change(&CHANGED, |user, user_id, _, change| {
        if examples.len() < DIFFS {
            let line = run.first_line_of(user)?;
            examples.push(UserDiff::of(user_id, line, &change, telling.show_private));
        }
        transitions.add(&change);
        Ok::<_, RunFileError>(())
    })?;
    let planned = users.get(Outcome::Planned);
    Ok(Summary {
        run: RunInfo {
            id: head.id.clone(),
            file: run.path().to_owned(),
            handle: telling.handle.clone(),
            job: head.spec.job.clone(),
            state: head.state,
            reason: head.reason.clone(),
        },
        rows: RowCounts { read: run.rows()?, rejected: run.rejected()? },
        estimate: telling.pace.map(|(rate, share)| estimate(planned, head.goal, rate, share)),
        users,
        requests: telling.requests,
        transitions: transitions.finish(),
        duration: telling.duration,
        scene: scene(run),
        largest: None,
        notices: telling.notices.clone(),
        warnings: telling.warnings.clone(),
        examples,
        troubles: troubles(run)?,
        accepted: telling.accepted.clone(),
    })
}

fn scene(run: &RunFile) -> Scene {
    let head = run.head();
    let source = match &head.spec.source.input {
        Input::Stdin => "stdin".to_owned(),
        Input::File(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    Scene {
        source,
        format: head.spec.source.format,
        host: head.instance.host.clone(),
        instance: head.instance.binding.starts_with("ins_").then(|| head.instance.binding.clone()),
        kind: if head.instance.live { InstanceKind::Live } else { InstanceKind::Test },
        mode: head.spec.mode,
    }
}

/// What the writes that are left will take. A plan that is applied later is read again first.
fn estimate(planned: u64, goal: Goal, rate: Option<Rate>, share: Share) -> Estimate {
    let reads = if goal == Goal::Plan { planned.div_ceil(MAX_BATCH as u64) } else { 0 };
    let requests = reads + planned;
    let (duration, pace) = match rate {
        None => (Duration::ZERO, "full speed".to_owned()),
        Some(rate) => (how_long(requests, rate, share), pace(rate, share)),
    };
    Estimate { reads, writes: planned, duration, pace }
}

/// The pace in words, such as `50/s (share 50% of 1000/10s)`.
fn pace(rate: Rate, share: Share) -> String {
    let per_second = rate.per_second(share);
    let shown = if per_second < 10.0 { format!("{per_second:.1}") } else { format!("{per_second:.0}") };
    format!("{shown}/s (share {share} of {rate})")
}

fn troubles(run: &RunFile) -> Result<Vec<Trouble>, RunFileError> {
    let example = |(line, who, message): (u64, String, String)| Example::new(line, who, &message);
    let (problems, others) = run.problems(MAX_CAUSES)?;
    let mut troubles = Vec::with_capacity(problems.len());
    for (outcome, code, count) in problems {
        let examples = run.examples(outcome, &code, EXAMPLES)?.into_iter().map(example).collect();
        troubles.push(Trouble { outcome, code, count, examples });
    }
    let left = Outcome::ALL.into_iter().filter(|outcome| others.get(*outcome) > 0);
    let other = |outcome| Trouble { outcome, code: OTHER.to_owned(), count: others.get(outcome), examples: Vec::new() };
    troubles.extend(left.map(other));
    Ok(troubles)
}

/// Why a run cannot be applied as it is, or `None`: more users would change than the guard allows.
pub(super) fn too_many_changes(run: &RunFile, spec: &Spec, allow: &[String]) -> Result<Option<String>, RunFileError> {
    let Some(limit) = spec.guards.max_changes.filter(|_| !allow.iter().any(|name| name == "max_changes")) else {
        return Ok(None);
    };
    let users = run.users()?;
    let no_users = [Outcome::Pending, Outcome::NotFound, Outcome::Ambiguous];
    let compared = users.total() - no_users.iter().map(|outcome| users.get(*outcome)).sum::<u64>();
    let changing = run.changing()?;
    Ok(limit.is_exceeded(changing, compared).then(|| {
        format!(
            "{changing} of {compared} users would change, which is more than max_changes {limit} allows; \
             `--allow max_changes` lifts the guard"
        )
    }))
}
