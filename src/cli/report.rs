//! `report` and `runs`: what run files say, without a key and without the API.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use super::args::{ReportArgs, ReportFormat, RunsArgs};
use super::problem::{Exit, Problem};
use super::runs;
use super::screen::Screen;
use super::told::{self, Telling};
use crate::change::Change;
use crate::harmless::for_terminal;
use crate::outcome::{Outcome, Tally};
use crate::report::failed::{FailedRow, FailedRows, Shape};
use crate::report::file::{FileError, ReportFile};
use crate::report::rows::{RowReport, RowsCsv};
use crate::report::text::{self, Look};
use crate::report::words::{count, thousands};
use crate::report::{Destination, json};
use crate::row::Raw;
use crate::run_file::{Goal, Head, ReportedRow, RowFilter, RunFile, RunFileError};
use crate::spec::Format;

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
enum ReportError {
    #[error(transparent)]
    RunFile(#[from] RunFileError),
    #[error("the report cannot be written")]
    Write(#[from] io::Error),
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<ReportError> for Problem {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::RunFile(error) => error.into(),
            ReportError::Write(_) => Self::of(Exit::Aborted, "report", &error),
            ReportError::File(error) => Self::of(Exit::Usage, "report", &error),
        }
    }
}

pub(super) fn report(args: &ReportArgs, screen: &Screen) -> Result<Exit, Problem> {
    let path = runs::find(&runs::folder(&args.runs), &args.run)?;
    let run = RunFile::open_to_read(&path)?;
    let written = match &args.out {
        Some(out) if out.as_os_str() != "-" => to_file(&run, args, screen, out),
        _ => quietly(write(&run, args, screen, &mut io::stdout().lock(), &screen.into())),
    };
    written?;
    Ok(Exit::Done)
}

fn to_file(run: &RunFile, args: &ReportArgs, screen: &Screen, out: &Path) -> Result<(), ReportError> {
    let mut file = ReportFile::create(out, args.force)?;
    write(run, args, screen, &mut file, &Reader::OF_A_FILE)?;
    Ok(file.finish()?)
}

/// Who will read what is written.
struct Reader {
    destination: Destination,
    look: Look,
}

impl Reader {
    /// A file is no terminal, whatever the report was asked for on: nothing in it is coloured.
    const OF_A_FILE: Self = Self { destination: Destination::Exact, look: Look::plain(100) };
}

impl From<&Screen> for Reader {
    fn from(screen: &Screen) -> Self {
        Self { destination: screen.destination(), look: screen.look() }
    }
}

/// A reader that has seen enough closes the pipe, which is no failure.
fn quietly(written: Result<(), ReportError>) -> Result<(), ReportError> {
    match written {
        Err(ReportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn write(
    run: &RunFile,
    args: &ReportArgs,
    screen: &Screen,
    out: &mut dyn Write,
    reader: &Reader,
) -> Result<(), ReportError> {
    let telling = || Telling { show_private: screen.shows_private(), handle: args.run.clone(), ..Telling::default() };
    // A program that asks for JSON and for no format in particular does not want a page for people.
    let format = if screen.is_json() && args.format == ReportFormat::Text { ReportFormat::Json } else { args.format };
    match format {
        ReportFormat::Csv => rows(run, out, reader.destination),
        ReportFormat::Failed => failed(run, out, reader.destination),
        ReportFormat::Json => Ok(json::write(&mut &mut *out, &told::summary(run, &telling())?)?),
        ReportFormat::Text => {
            let summary = told::summary(run, &telling())?;
            let page = match run.head().goal {
                Goal::Plan => text::plan(&summary, reader.look),
                Goal::Apply => text::ending(&summary, reader.look),
            };
            Ok(out.write_all(page.as_bytes())?)
        }
    }
}

fn rows(run: &RunFile, out: &mut dyn Write, destination: Destination) -> Result<(), ReportError> {
    let mut csv = RowsCsv::new(io::BufWriter::new(out), destination)?;
    run.for_each_row(RowFilter::All, |row| Ok::<_, ReportError>(csv.push(&row_report(row))?))?;
    Ok(csv.finish()?.flush()?)
}

fn row_report(row: ReportedRow) -> RowReport {
    RowReport {
        row: row.origin.row,
        line: Some(row.origin.line),
        user_id: row.user_id,
        identity: Some(row.matched).filter(|matched| !matched.is_empty()),
        outcome: row.outcome,
        code: row.code,
        message: row.message,
        attempts: row.attempts,
        changed: row.change.as_ref().map(changed).unwrap_or_default(),
        trace_id: Some(row.trace_id).filter(|id| !id.is_empty()),
    }
}

/// The paths that differ.
fn changed(change: &Change) -> Vec<String> {
    change.edits().iter().map(|edit| edit.path.to_string()).collect()
}

fn failed(run: &RunFile, out: &mut dyn Write, destination: Destination) -> Result<(), ReportError> {
    let out = io::BufWriter::new(out);
    let delimiter = if run.head().spec.source.format == Format::Tsv { b'\t' } else { b',' };
    let shape = match &run.head().header {
        Some(header) => Shape::Table {
            header: header.clone(),
            withheld: Vec::new(),
            delimiter,
            any_unreadable: run.has_unreadable_rows()?,
        },
        None => Shape::Lines,
    };
    let mut rows = FailedRows::new(out, &shape, destination)?;
    let mut withheld = 0;
    run.for_each_row(RowFilter::Failed, |row| {
        if row.raw == Raw::Withheld {
            withheld += 1;
        } else {
            let ReportedRow { raw, outcome, code, message, .. } = row;
            rows.push(&FailedRow { raw, outcome, code, message })?;
        }
        Ok::<_, ReportError>(())
    })?;
    rows.finish()?.flush()?;
    if withheld > 0 {
        super::say(&left_out(withheld));
    }
    Ok(())
}

/// Says what a file of failed rows lacks, so that nobody takes it for all of them.
fn left_out(withheld: u64) -> String {
    format!(
        "note: {} left out: unreadable, and perhaps holding secrets, so that nothing of them was kept; `--format csv` \
         says on which lines they stand",
        count(withheld, "failed row")
    )
}

/// One line a run: what it is and how far it has come.
pub(super) fn runs(args: &RunsArgs, screen: &Screen) -> Result<Exit, Problem> {
    let mut listed = Vec::new();
    for path in runs::folder(&args.runs).list()? {
        match listing(&path) {
            Ok(run) => listed.push(run),
            Err(error) => super::say(&format!("note: {}", for_terminal(&Problem::from(error).message))),
        }
    }
    let _ = if screen.is_json() { print_json(screen, &listed) } else { print_table(screen, &listed) };
    Ok(Exit::Done)
}

/// What one line says of a run.
struct Listed {
    head: Head,
    rows: u64,
    rejected: u64,
    users: Tally,
}

fn listing(path: &Path) -> Result<Listed, RunFileError> {
    let run = RunFile::open_to_read(path)?;
    Ok(Listed { head: run.head().clone(), rows: run.rows()?, rejected: run.rejected()?, users: run.users()? })
}

impl Listed {
    /// Whether nothing is amiss, and nothing left that was to be done.
    fn is_well(&self) -> bool {
        let is_well = |outcome: Outcome| match outcome {
            Outcome::Planned | Outcome::Pending => self.head.goal == Goal::Plan,
            outcome => outcome.is_good(),
        };
        self.rejected == 0 && Outcome::ALL.into_iter().all(|outcome| is_well(outcome) || self.users.get(outcome) == 0)
    }
}

fn print_json(screen: &Screen, listed: &[Listed]) -> io::Result<()> {
    let runs: Vec<serde_json::Value> = listed
        .iter()
        .map(|Listed { head, rows, users, .. }| {
            let counted = Outcome::ALL.into_iter().filter(|outcome| users.get(*outcome) > 0);
            let users: serde_json::Map<_, _> =
                counted.map(|outcome| (outcome.word().to_owned(), users.get(outcome).into())).collect();
            serde_json::json!({
                "id": head.id, "created": head.created, "job": head.spec.job, "state": head.state.word(),
                "host": head.instance.host, "rows": rows, "users": users,
            })
        })
        .collect();
    screen.print(&format!("{}\n", json::to_text(&serde_json::json!({ "runs": runs }))))
}

fn print_table(screen: &Screen, listed: &[Listed]) -> io::Result<()> {
    if listed.is_empty() {
        super::say("no runs here yet; `metapatch plan FILE` makes one");
        return Ok(());
    }
    let mut page = String::new();
    for run in listed {
        let Listed { head, rows, users, .. } = run;
        let look = screen.look();
        let state = format!("{:<11}", head.state.word());
        let state = if run.is_well() { look.good(&state) } else { look.warn(&state) };
        let counted = Outcome::ALL.into_iter().filter(|outcome| users.get(*outcome) > 0);
        let users: Vec<String> =
            counted.map(|outcome| format!("{} {}", thousands(users.get(outcome)), outcome.word())).collect();
        let what = head.spec.job.clone().unwrap_or_else(|| source_name(head));
        let (id, what, host) = (for_terminal(&head.id), for_terminal(&what), for_terminal(&head.instance.host));
        let (rows, host) = (count(*rows, "row"), look.dim(&host));
        let _ = writeln!(page, "{id}  {state}  {what}  {host}  {rows}: {}", users.join(", "));
    }
    screen.print(&page)
}

fn source_name(head: &Head) -> String {
    match &head.spec.source.input {
        crate::spec::Input::Stdin => "stdin".to_owned(),
        crate::spec::Input::File(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    }
}
