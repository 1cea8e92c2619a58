//! The commands that work on runs, each from what was typed to its exit code.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::args::{AgainArgs, ApplyArgs, ConnectArgs, DriveArgs, InputArgs, PaceArgs, PlaceArgs, PlanArgs, ResumeArgs};
use super::args::{LookArgs, RetryArgs, VerdictArgs};
use super::connect::{Connection, Resolved};
use super::drive::Drive;
use super::problem::{Exit, Problem};
use super::progress::{self, Budget};
use super::screen::Screen;
use super::{connect, input, runs, signals};
use crate::event::Event;
use crate::mapping::Mapping;
use crate::outcome::Outcome;
use crate::run_file::{Goal, Head, RunFile};
use crate::settings::{ChosenInstance, Jobs};
use crate::source::Source;
use crate::spec::{Input, Spec};
use crate::state::State;
use crate::stop::{self, Urgency};

/// What every command that drives a run was given.
struct Given<'g> {
    connect: &'g ConnectArgs,
    pace: &'g PaceArgs,
    verdict: &'g VerdictArgs,
    look: &'g LookArgs,
    yes: bool,
    began: Instant,
}

impl<'g> Given<'g> {
    fn now(drive: &'g DriveArgs, yes: bool) -> Self {
        let DriveArgs { connect, pace, verdict, look } = drive;
        Self { connect, pace, verdict, look, yes, began: Instant::now() }
    }
}

pub(super) async fn plan(args: &PlanArgs, screen: &Screen) -> Result<Exit, Problem> {
    let given = Given::now(&args.drive, false);
    new_run(&given, &args.input, &args.place, Goal::Plan, args.detailed_exitcode, screen).await
}

pub(super) async fn apply(args: &ApplyArgs, screen: &Screen) -> Result<Exit, Problem> {
    let given = Given::now(&args.drive, args.yes);
    let Some(run) = &args.run else {
        return new_run(&given, &args.input, &args.place, Goal::Apply, false, screen).await;
    };
    let path = runs::find(&runs::folder(&args.place.runs), run)?;
    old_run(&given, &path, screen, Onward::Apply).await
}

pub(super) async fn resume(args: &ResumeArgs, screen: &Screen) -> Result<Exit, Problem> {
    let given = again(&args.again);
    let folder = runs::folder(&args.again.runs);
    if let Some(run) = &args.run {
        return old_run(&given, &runs::find(&folder, run)?, screen, Onward::AsItIs).await;
    }
    let jobs = jobs(given.connect, None)?;
    let resolved = resolved(&given, jobs.as_ref().map(|jobs| (jobs, None)))?;
    let may_write = refuse_silent_writes(&resolved, &given);
    let connection = resolved.connect(given.connect).await?;
    let path = runs::latest(&folder, &connection.instance)?;
    if RunFile::open_to_read(&path)?.head().goal == Goal::Apply {
        may_write?;
    }
    go_on(&given, &path, screen, Onward::AsItIs, &connection, given.verdict.accept.clone()).await
}

/// The outcomes that `retry` tries again unless told otherwise: all that did not end well but can.
const RETRIED: [Outcome; 6] =
    [Outcome::NotFound, Outcome::Ambiguous, Outcome::TooLarge, Outcome::Blocked, Outcome::Drifted, Outcome::Failed];

pub(super) async fn retry(args: &RetryArgs, screen: &Screen) -> Result<Exit, Problem> {
    let outcomes = if args.only.is_empty() { RETRIED.to_vec() } else { args.only.clone() };
    if let Some(outcome) = outcomes.iter().find(|outcome| !RETRIED.contains(outcome)) {
        let names = RETRIED.map(Outcome::word).join(", ");
        return Err(Problem::usage(format!("`{outcome}` cannot be tried again; expected some of {names}")));
    }
    let path = runs::find(&runs::folder(&args.again.runs), &args.run)?;
    old_run(&again(&args.again), &path, screen, Onward::Retry(&outcomes)).await
}

fn again(args: &AgainArgs) -> Given<'_> {
    Given::now(&args.drive, args.yes)
}

/// The configuration, where a flag asks for one.
pub(super) fn jobs(args: &ConnectArgs, job: Option<&str>) -> Result<Option<Jobs>, Problem> {
    if args.config.is_none() && job.is_none() && args.instance.is_none() {
        return Ok(None);
    }
    let path = args.config.clone().unwrap_or_else(|| PathBuf::from("jobs.yaml"));
    Jobs::load(&path).map(Some).map_err(|e| Problem::of(Exit::Usage, "config", &e))
}

/// Resolves the instance, and refuses to write to a live one where nobody can be asked.
fn resolved(given: &Given<'_>, jobs: Option<(&Jobs, Option<&str>)>) -> Result<Resolved, Problem> {
    let configured = match jobs {
        Some((jobs, job)) => chosen(jobs, given.connect, job)?,
        None => None,
    };
    connect::resolve(given.connect, Some(given.pace), configured)
}

/// The instance that a flag, or else the job, names; otherwise the only one there is.
pub(super) fn chosen<'j>(
    jobs: &'j Jobs,
    args: &ConnectArgs,
    job: Option<&str>,
) -> Result<Option<ChosenInstance<'j>>, Problem> {
    let config = |e| Problem::of(Exit::Usage, "config", &e);
    let job = job.map(|name| jobs.job(name)).transpose().map_err(config)?;
    let named = args.instance.as_deref().or(job.as_ref().and_then(crate::settings::Job::instance));
    jobs.instance(named).map_err(config)
}

fn refuse_silent_writes(resolved: &Resolved, given: &Given<'_>) -> Result<(), Problem> {
    use std::io::IsTerminal as _;
    let can_ask = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if resolved.is_live() && !given.yes && !can_ask {
        return Err(Problem::usage("this key writes to a live instance, and there is no terminal to ask on")
            .hint("look at `metapatch plan` first, then add --yes"));
    }
    Ok(())
}

async fn new_run(
    given: &Given<'_>,
    input_args: &InputArgs,
    place: &PlaceArgs,
    goal: Goal,
    detailed: bool,
    screen: &Screen,
) -> Result<Exit, Problem> {
    let jobs = jobs(given.connect, input_args.job.as_deref())?;
    let spec = input::spec(input_args, jobs.as_ref())?;
    let (mut source, mapping) = input::open(&spec)?;
    let resolved = resolved(given, jobs.as_ref().map(|jobs| (jobs, input_args.job.as_deref())))?;
    if goal == Goal::Apply {
        refuse_silent_writes(&resolved, given)?;
    }
    let connection = resolved.connect(given.connect).await?;
    let (path, handle) = place_of(place)?;
    let head = new_head(spec, &mapping, &connection, goal, &path);
    let run = RunFile::create(&path, &head)?;
    let accepted = accepted(given, jobs.as_ref(), input_args.job.as_deref())?;
    let drive = Drive { accepted, goal, ..drive(given, run, &connection, screen, handle, mapping.notices()) };
    drive.run_to_the_end(Some((&mut source, &mapping)), detailed).await
}

/// The outcomes that count as fine: those that were typed, and the job's own.
fn accepted(given: &Given<'_>, jobs: Option<&Jobs>, job: Option<&str>) -> Result<Vec<Outcome>, Problem> {
    let mut accepted = given.verdict.accept.clone();
    if let (Some(jobs), Some(job)) = (jobs, job) {
        let own = jobs.job(job).and_then(|job| job.accept());
        accepted.extend(own.map_err(|e| Problem::of(Exit::Usage, "config", &e))?);
    }
    Ok(accepted)
}

/// Where a new run goes, and what to type for it.
fn place_of(place: &PlaceArgs) -> Result<(PathBuf, String), Problem> {
    if let Some(path) = &place.run_file {
        return Ok((path.clone(), runs::handle(path)));
    }
    let folder = runs::folder(&place.runs);
    folder.prepare()?;
    let path = folder.path_of(&new_id());
    let handle = runs::handle(&path);
    Ok((path, handle))
}

/// An id that sorts by time: `20261121-014900-4fz2`.
fn new_id() -> String {
    let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
    let tail: String = std::iter::repeat_with(|| fastrand::char('a'..='z')).take(4).collect();
    format!("{now}-{tail}")
}

fn new_head(spec: Spec, mapping: &Mapping, connection: &Connection, goal: Goal, path: &Path) -> Head {
    let now = jiff::Timestamp::now();
    Head {
        id: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        created: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        header: kept_header(mapping),
        fingerprint: fingerprint(&spec),
        spec,
        instance: connection.instance.clone(),
        goal,
        state: State::Staged,
        reason: None,
        session: 0,
        rows_read: None,
        cursor: 0,
        compared: false,
    }
}

/// The columns of the file of failed rows; `None` for JSON objects.
fn kept_header(mapping: &Mapping) -> Option<Vec<String>> {
    Some(mapping.kept_header().to_vec()).filter(|header| !header.is_empty())
}

/// Size and time of the source, by which a change is noticed when it has to be read again.
fn fingerprint(spec: &Spec) -> Option<String> {
    let Input::File(path) = &spec.source.input else { return None };
    let found = std::fs::metadata(path).ok()?;
    let changed = found.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(format!("{} bytes, {} ns", found.len(), changed.as_nanos()))
}

/// How a run that exists goes on.
#[derive(Debug, Clone, Copy)]
enum Onward<'o> {
    /// Towards the goal it has.
    AsItIs,
    /// Until it is applied, whatever its goal was.
    Apply,
    /// With these outcomes tried again.
    Retry(&'o [Outcome]),
}

impl Onward<'_> {
    /// Whether that will write.
    fn writes(self, head: &Head) -> bool {
        matches!(self, Self::Apply) || head.goal == Goal::Apply
    }

    /// How far this invocation is to go.
    fn goal(self, head: &Head) -> Goal {
        if self.writes(head) { Goal::Apply } else { Goal::Plan }
    }
}

/// Goes on with a run that exists, on the instance that flags, environment and its job name.
async fn old_run(given: &Given<'_>, path: &Path, screen: &Screen, onward: Onward<'_>) -> Result<Exit, Problem> {
    let (job, writes) = {
        let seen = RunFile::open_to_read(path)?;
        (seen.head().spec.job.clone(), onward.writes(seen.head()))
    };
    // A job's run finds its instance where the job did, unless that configuration is gone.
    let job = job.filter(|_| given.connect.config.is_some() || Path::new("jobs.yaml").exists());
    let jobs = jobs(given.connect, job.as_deref())?;
    let resolved = resolved(given, jobs.as_ref().map(|jobs| (jobs, job.as_deref())))?;
    if writes {
        refuse_silent_writes(&resolved, given)?;
    }
    let connection = resolved.connect(given.connect).await?;
    let accepted = accepted(given, jobs.as_ref(), job.as_deref())?;
    go_on(given, path, screen, onward, &connection, accepted).await
}

/// Goes on with a run of an instance that is reached.
async fn go_on(
    given: &Given<'_>,
    path: &Path,
    screen: &Screen,
    onward: Onward<'_>,
    connection: &Connection,
    accepted: Vec<Outcome>,
) -> Result<Exit, Problem> {
    let mut run = RunFile::open(path)?;
    connection.check(run.head())?;
    if let Onward::Retry(outcomes) = onward {
        run.retry(outcomes)?;
    }
    let mut staged_again = restage(&run)?;
    let mut notices = Vec::new();
    if let Some((_, mapping)) = &staged_again {
        let now = fingerprint(&run.head().spec);
        if now != run.head().fingerprint {
            notices.push("the source has changed since the run was made; it is read as it is now".to_owned());
        }
        run.update_head(|head| (head.header, head.fingerprint) = (kept_header(mapping), now))?;
    }
    let goal = onward.goal(run.head());
    let drive = drive(given, run, connection, screen, runs::handle(path), notices);
    let drive = Drive { accepted, goal, ..drive };
    drive.run_to_the_end(staged_again.as_mut().map(|(source, mapping)| (source, &*mapping)), false).await
}

/// The source of a run whose staging was cut off.
fn restage(run: &RunFile) -> Result<Option<(Source, Mapping)>, Problem> {
    if run.head().rows_read.is_some() {
        return Ok(None);
    }
    if run.head().spec.source.input == Input::Stdin {
        return Err(Problem::usage("the run was cut off while it read standard input, which cannot be read twice")
            .hint("start a new run with the same input"));
    }
    input::open(&run.head().spec).map(Some)
}

fn drive<'d>(
    given: &Given<'_>,
    run: RunFile,
    connection: &'d Connection,
    screen: &'d Screen,
    handle: String,
    notices: Vec<String>,
) -> Drive<'d> {
    let (stopper, stop) = stop::channel();
    if let Some(limit) = given.pace.max_duration {
        let (stopper, stop) = (stopper.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::time::sleep(limit).await;
            // Whoever was asked to stop already need not hurry more because of the time.
            if stop.urgency() == Urgency::None {
                stopper.ask("--max-duration is over");
                signals::say_below_bars("stopping: --max-duration is over; finishing what is under way");
            }
        });
    }
    signals::listen(stopper);
    let mut observer = progress::observer(given.look, Budget::of(connection.rate, connection.share));
    for notice in &notices {
        observer.observe(&Event::Notice(notice.clone()));
    }
    Drive {
        pacing: connection.pacing(given.pace, &given.verdict.allow),
        run,
        connection,
        screen,
        observer,
        stop,
        began: given.began,
        accepted: Vec::new(),
        handle,
        yes: given.yes,
        goal: Goal::Plan,
        compared: false,
        notices,
    }
}
