//! `check`: is everything in order, before anything is begun? Changes nothing.

use super::args::CheckArgs;
use super::problem::{Exit, Problem};
use super::screen::Screen;
use super::{commands, connect, input};
use crate::harmless::for_terminal;
use crate::mapping::Mapping;
use crate::report::json::to_text;
use crate::report::words::{count, thousands};
use crate::settings::Jobs;
use crate::source::Source;
use crate::spec::Spec;

/// How many bad rows are shown.
const SHOWN: u64 = 5;

/// What was looked at, and what was found.
#[derive(Debug)]
struct Finding {
    what: String,
    said: String,
    exit: Exit,
}

impl Finding {
    fn fine(what: impl Into<String>, said: impl Into<String>) -> Self {
        Self { what: what.into(), said: said.into(), exit: Exit::Done }
    }

    fn problem(what: impl Into<String>, problem: &Problem) -> Self {
        let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        Self { what: what.into(), said: format!("{}{hint}", problem.message), exit: problem.exit }
    }
}

pub(super) async fn check(args: &CheckArgs, screen: &Screen) -> Result<Exit, Problem> {
    let mut findings = Vec::new();
    let jobs = jobs(args, &mut findings);
    for (name, spec) in specs(args, jobs.as_ref()) {
        findings.extend(match spec {
            Ok(spec) => check_source(&name, &spec),
            Err(problem) => vec![Finding::problem(name, &problem)],
        });
    }
    findings.push(check_key(args, jobs.as_ref()).await);
    let _ = if screen.is_json() { print_json(screen, &findings) } else { print(screen, &findings) };
    Ok(findings.iter().map(|finding| finding.exit).max_by_key(|exit| *exit as u8).unwrap_or(Exit::Done))
}

/// Reads the configuration: the one that is named, or `jobs.yaml` where there is one and no FILE.
fn jobs(args: &CheckArgs, findings: &mut Vec<Finding>) -> Option<Jobs> {
    let path = args.connect.config.clone().unwrap_or_else(|| "jobs.yaml".into());
    let wanted = args.connect.config.is_some() || args.input.job.is_some() || args.connect.instance.is_some();
    if !wanted && (args.input.file.is_some() || !path.exists()) {
        return None;
    }
    let what = path.display().to_string();
    match Jobs::load(&path) {
        Ok(jobs) => {
            let wrong = jobs.check();
            if wrong.is_empty() {
                findings.push(Finding::fine(what, count(jobs.names().count() as u64, "job")));
            }
            let config = |e| Finding::problem(what_of(&jobs), &Problem::of(Exit::Usage, "config", &e));
            findings.extend(wrong.into_iter().map(config));
            Some(jobs)
        }
        Err(error) => {
            findings.push(Finding::problem(what, &Problem::of(Exit::Usage, "config", &error)));
            None
        }
    }
}

fn what_of(jobs: &Jobs) -> String {
    jobs.path().display().to_string()
}

/// The inputs to look at: FILE, the job that is named, or all jobs.
fn specs(args: &CheckArgs, jobs: Option<&Jobs>) -> Vec<(String, Result<Spec, Problem>)> {
    if let Some(file) = &args.input.file {
        return vec![(file.clone(), input::spec(&args.input, jobs))];
    }
    if let Some(job) = &args.input.job {
        return vec![(format!("job {job}"), input::spec(&args.input, jobs))];
    }
    let of = |jobs: &Jobs, name: &str| {
        let spec = jobs.job(name).and_then(|job| job.spec());
        (format!("job {name}"), spec.map_err(|e| Problem::of(Exit::Usage, "config", &e)))
    };
    // What is wrong with the jobs themselves has been said already.
    jobs.map(|jobs| jobs.names().map(|name| of(jobs, name)).filter(|(_, spec)| spec.is_ok()).collect())
        .unwrap_or_default()
}

fn check_source(name: &str, spec: &Spec) -> Vec<Finding> {
    match input::open(spec) {
        Ok((source, mapping)) => check_rows(name, source, &mapping),
        Err(problem) => vec![Finding::problem(name, &problem)],
    }
}

/// Reads all rows, and keeps none.
fn check_rows(name: &str, mut source: Source, mapping: &Mapping) -> Vec<Finding> {
    let (mut rows, mut bad) = (0_u64, Vec::new());
    let mut rejected = 0_u64;
    loop {
        let record = match source.next_record() {
            Ok(Some(record)) => record,
            Ok(None) => break,
            Err(error) => return vec![Finding::problem(name, &error.into())],
        };
        rows += 1;
        if let Err(rejection) = record.fields.and_then(|fields| mapping.row(&fields)) {
            rejected += 1;
            if rejected <= SHOWN {
                let said = format!("line {}: {}", record.origin.line, rejection.message);
                bad.push(Finding { what: name.to_owned(), said, exit: Exit::RowsAmiss });
            }
        }
    }
    let said = match rejected {
        0 => count(rows, "row"),
        _ => format!("{}, {} of them rejected", count(rows, "row"), thousands(rejected)),
    };
    let exit = if rejected == 0 { Exit::Done } else { Exit::RowsAmiss };
    bad.insert(0, Finding { what: name.to_owned(), said, exit });
    bad.extend(mapping.notices().into_iter().map(|notice| Finding::fine(name, notice)));
    bad
}

async fn check_key(args: &CheckArgs, jobs: Option<&Jobs>) -> Finding {
    let chosen = jobs.map(|jobs| commands::chosen(jobs, &args.connect, args.input.job.as_deref())).transpose();
    let resolved = chosen.and_then(|chosen| connect::resolve(&args.connect, None, chosen.flatten()));
    let connection = match resolved {
        Ok(resolved) => resolved.connect(&args.connect).await,
        Err(problem) => Err(problem),
    };
    match connection {
        Err(problem) => Finding::problem("key", &problem),
        Ok(connection) => {
            let kind = if connection.instance.live { "live" } else { "test" };
            // Where the API does not name the instance, the binding holds a hash that tells a person nothing.
            let named = Some(connection.instance.binding.as_str()).filter(|binding| binding.starts_with("ins_"));
            let name = named.map(|name| format!(" {name}")).unwrap_or_default();
            Finding::fine("key", format!("accepted by {}: {kind} instance{name}", connection.instance.host))
        }
    }
}

fn print(screen: &Screen, findings: &[Finding]) -> std::io::Result<()> {
    let look = screen.look();
    let lines = findings.iter().map(|finding| {
        let mark = if finding.exit == Exit::Done { look.good("✓") } else { look.bad("✗") };
        format!("{mark} {}: {}\n", for_terminal(&finding.what), for_terminal(&finding.said))
    });
    screen.print(&lines.collect::<String>())
}

fn print_json(screen: &Screen, findings: &[Finding]) -> std::io::Result<()> {
    let each: Vec<serde_json::Value> = findings
        .iter()
        .map(|finding| {
            serde_json::json!({"what": finding.what, "ok": finding.exit == Exit::Done, "message": finding.said})
        })
        .collect();
    let ok = findings.iter().all(|finding| finding.exit == Exit::Done);
    screen.print(&format!("{}\n", to_text(&serde_json::json!({"ok": ok, "checks": each}))))
}
