//! `report` and `runs`: what run files say, without a key and without the API.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::args::{ReportArgs, ReportFormat, RunsArgs};
use super::problem::{Exit, Problem};
use super::screen::Screen;
use super::told::{self, Telling};
use super::{drive, runs};
use crate::change::Change;
use crate::outcome::Outcome;
use crate::report::failed::{FailedRow, FailedRows, Shape};
use crate::report::file::{FileError, ReportFile};
use crate::report::rows::{RowReport, RowsCsv};
use crate::report::{Destination, json, text};
use crate::row::Raw;
use crate::run_file::{Goal, ReportedRow, RowFilter, RunFile, RunFileError};
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
        _ => quietly(write(&run, args, screen, &mut io::stdout().lock(), screen.destination())),
    };
    written?;
    Ok(Exit::Done)
}

fn to_file(run: &RunFile, args: &ReportArgs, screen: &Screen, out: &std::path::Path) -> Result<(), ReportError> {
    let mut file = ReportFile::create(out, args.force)?;
    write(run, args, screen, &mut file, Destination::Exact)?;
    Ok(file.finish()?)
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
    destination: Destination,
) -> Result<(), ReportError> {
    let telling = || Telling { show_private: screen.shows_private(), handle: args.run.clone(), ..Telling::default() };
    // A program that asks for JSON and for no format in particular does not want a page for people.
    let format = if screen.is_json() && args.format == ReportFormat::Text { ReportFormat::Json } else { args.format };
    match format {
        ReportFormat::Csv => rows(run, out, destination),
        ReportFormat::Failed => failed(run, out, destination),
        ReportFormat::Json => Ok(json::write(&mut &mut *out, &told::summary(run, &telling())?)?),
        ReportFormat::Text => {
            let summary = told::summary(run, &telling())?;
            let page = match run.head().goal {
                Goal::Plan => text::plan(&summary, screen.look()),
                Goal::Apply => text::ending(&summary, screen.look()),
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
    run.for_each_row(RowFilter::Failed, |row| {
        if row.raw != Raw::Withheld {
            let ReportedRow { raw, outcome, code, message, .. } = row;
            rows.push(&FailedRow { raw, outcome, code, message })?;
        }
        Ok::<_, ReportError>(())
    })?;
    Ok(rows.finish()?.flush()?)
}

/// One line a run: what it is and how far it has come.
pub(super) fn runs(args: &RunsArgs, screen: &Screen) -> Result<Exit, Problem> {
    let mut listed = Vec::new();
    for path in runs::folder(&args.runs).list()? {
        let run = match RunFile::open_to_read(&path) {
            Ok(run) => run,
            Err(error) => {
                super::say(&format!("note: {}", crate::harmless::for_terminal(&error.to_string())));
                continue;
            }
        };
        let telling = Telling { handle: run.head().id.clone(), ..Telling::default() };
        let exit = drive::verdict(&told::summary(&run, &telling)?, run.head().goal, false);
        listed.push((run.head().clone(), run.rows()?, run.users()?, exit));
    }
    let _ = if screen.is_json() { print_json(screen, &listed) } else { print_table(screen, &listed) };
    Ok(Exit::Done)
}

type Listed = (crate::run_file::Head, u64, crate::outcome::Tally, Exit);

fn print_json(screen: &Screen, listed: &[Listed]) -> io::Result<()> {
    let runs: Vec<serde_json::Value> = listed
        .iter()
        .map(|(head, rows, users, _)| {
            let counted = Outcome::ALL.into_iter().filter(|outcome| users.get(*outcome) > 0);
            let users: serde_json::Map<_, _> =
                counted.map(|outcome| (outcome.word().to_owned(), users.get(outcome).into())).collect();
            serde_json::json!({
                "id": head.id, "created": head.created, "job": head.spec.job, "state": head.state.word(),
                "host": head.instance.host, "rows": rows, "users": users,
            })
        })
        .collect();
    screen.print(&format!("{}\n", serde_json::json!({ "runs": runs })))
}

fn print_table(screen: &Screen, listed: &[Listed]) -> io::Result<()> {
    if listed.is_empty() {
        super::say("no runs here yet; `metapatch plan FILE` makes one");
        return Ok(());
    }
    let mut page = String::new();
    for (head, rows, users, exit) in listed {
        let look = screen.look();
        let state = format!("{:<11}", head.state.word());
        let state = match exit {
            Exit::Done => look.good(&state),
            _ => look.warn(&state),
        };
        let counted = Outcome::ALL.into_iter().filter(|outcome| users.get(*outcome) > 0);
        let users: Vec<String> = counted
            .map(|outcome| format!("{} {}", crate::report::words::thousands(users.get(outcome)), outcome.word()))
            .collect();
        let what = head.spec.job.clone().unwrap_or_else(|| source_name(head));
        let what = crate::harmless::for_terminal(&what);
        let rows = crate::report::words::count(*rows, "row");
        let host = look.dim(&crate::harmless::for_terminal(&head.instance.host));
        let _ = writeln!(page, "{}  {state}  {what}  {host}  {rows}: {}", head.id, users.join(", "));
    }
    screen.print(&page)
}

fn source_name(head: &crate::run_file::Head) -> String {
    match &head.spec.source.input {
        crate::spec::Input::Stdin => "stdin".to_owned(),
        crate::spec::Input::File(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    }
}
