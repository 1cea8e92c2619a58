//! `demo`: a sandbox, and a real job on it, end to end, in seconds.
//!
//! What runs here are the commands themselves, typed out, so that the demo can show nothing that they do not do.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser as _;

use super::args::{Cli, Command, DemoArgs};
use super::problem::{Exit, Problem};
use super::screen::Screen;
use super::{commands, report};
use crate::harmless::for_terminal;
use crate::limit::Rate;
use crate::report::words::count;
use crate::sandbox::{self, Fault, FaultKind, Quota};

/// The rows of the demo: new roles for the 1,000 users of the sandbox that seed 1 makes, and a few rows that go wrong.
const ROWS: &str = include_str!("../../fixtures/demo.csv");

const USERS: u32 = 1_000;

/// The key of the sandbox; it opens nothing else.
const KEY: &str = "sk_test_sandbox_demo";

pub(super) async fn demo(args: &DemoArgs, screen: &Screen) -> Result<Exit, Problem> {
    let folder = folder(args)?;
    let sandbox = sandbox::start(config()).await.map_err(|e| Problem::of(Exit::Aborted, "sandbox", &e))?;
    let rows = put(&folder, "roles.csv", ROWS)?;
    let key = put(&folder, "key", KEY)?;
    let typed = Typed { url: sandbox.url().to_owned(), key, runs: folder.join("runs"), args };

    step(
        screen,
        &format!("A sandbox of Clerk's Backend API with {} is at {}", count(USERS.into(), "user"), sandbox.url()),
    );
    step(screen, "metapatch plan roles.csv");
    typed.plan(&rows, screen).await?;
    let run = typed.latest_run()?;

    step(screen, "metapatch apply --run …, while the API now and then fails, or cuts a connection after the write");
    sandbox.set_faults(faults());
    typed.apply(&run, screen).await?;

    let results = typed.report(&run, "csv", &folder.join("results.csv"), screen)?;
    let failed = typed.report(&run, "failed", &folder.join("failed.csv"), screen)?;
    let truth = sandbox.truth();
    sandbox.stop().await;
    if !screen.is_json() {
        let seen = format!(
            "The sandbox saw {} and {}; no user was written more often than {}.",
            count(truth.gets, "read"),
            count(truth.patches, "write"),
            count(truth.writes.max_per_user, "time"),
        );
        step(screen, &seen);
        let files = [("every row", &results), ("rows to mend", &failed), ("the run file", &run)];
        let listed = files.map(|(what, path)| format!("  {what:<13} {}\n", for_terminal(&text(path))));
        let _ = screen.print(&listed.concat());
    }
    Ok(Exit::Done)
}

fn config() -> sandbox::Config {
    let ten_seconds = Duration::from_secs(10);
    sandbox::Config {
        users: USERS,
        limit: Quota::Fixed(sandbox::Rate::new(Rate::LIVE.count(), ten_seconds)),
        latency: Duration::from_millis(40),
        jitter: Duration::from_millis(40),
        ..Default::default()
    }
}

fn faults() -> Vec<Fault> {
    vec![
        Fault::new(FaultKind::Unavailable).rate(0.004).on(sandbox::On::Write),
        Fault::new(FaultKind::CutAfter).next(2).after(100).on(sandbox::On::Write),
    ]
}

/// A new folder that only its user can look into.
fn folder(args: &DemoArgs) -> Result<PathBuf, Problem> {
    let named = args.dir.clone();
    let path = named.unwrap_or_else(|| std::env::temp_dir().join(format!("metapatch-demo-{:08x}", fastrand::u32(..))));
    refuse_filled(&path)?;
    crate::run_file::Folder::new(path.clone()).prepare()?;
    // Reports and the run file say where they are; that should work from anywhere.
    std::path::absolute(&path).map_err(|e| Problem::of(Exit::Usage, "demo", &e))
}

/// A folder with something in it is somebody's, and the names of the demo's files are ones that people use.
fn refuse_filled(path: &Path) -> Result<(), Problem> {
    if !path.is_dir() {
        return Ok(());
    }
    let mut entries = std::fs::read_dir(path).map_err(|e| Problem::of(Exit::Usage, "demo", &e))?;
    if entries.next().is_none() {
        return Ok(());
    }
    Err(Problem::usage(format!("the folder `{}` is not empty, and the demo replaces nothing", path.display()))
        .hint("name a new or an empty folder, or leave --dir out for one under the temporary folder"))
}

fn put(folder: &Path, name: &str, text: &str) -> Result<PathBuf, Problem> {
    let path = folder.join(name);
    let write = || -> Result<(), crate::report::file::FileError> {
        let mut file = crate::report::file::ReportFile::create(&path, false)?;
        file.write_all(text.as_bytes())
            .map_err(|source| crate::report::file::FileError::Io { path: path.clone(), source })?;
        file.finish()
    };
    write().map_err(|e| Problem::of(Exit::Usage, "demo", &e))?;
    Ok(path)
}

fn step(screen: &Screen, text: &str) {
    if !screen.is_json() {
        let _ = screen.print(&format!("\n{}\n\n", screen.look().strong(&format!("▸ {text}"))));
    }
}

/// What goes with every command of the demo.
struct Typed<'t> {
    url: String,
    key: PathBuf,
    runs: PathBuf,
    args: &'t DemoArgs,
}

impl Typed<'_> {
    async fn plan(&self, rows: &Path, screen: &Screen) -> Result<(), Problem> {
        let Command::Plan(mut args) = self.parse(&["plan", &text(rows)], true)? else { return Ok(()) };
        args.drive.look = self.args.look.clone();
        // In JSON the demo prints one object: that of the apply.
        let screen = if screen.is_json() { Screen::silent() } else { screen.clone() };
        commands::plan(&args, &screen).await.map(|_| ())
    }

    async fn apply(&self, run: &Path, screen: &Screen) -> Result<(), Problem> {
        let typed = ["apply", "--run", &text(run), "--max-in-flight", "12", "--yes"];
        let Command::Apply(mut args) = self.parse(&typed, true)? else { return Ok(()) };
        args.drive.look = self.args.look.clone();
        commands::apply(&args, screen).await.map(|_| ())
    }

    fn report(&self, run: &Path, format: &str, out: &Path, screen: &Screen) -> Result<PathBuf, Problem> {
        let typed = ["report", &text(run), "--format", format, "-o", &text(out)];
        if let Command::Report(args) = self.parse(&typed, false)? {
            report::report(&args, screen)?;
        }
        Ok(out.to_owned())
    }

    fn parse(&self, typed: &[&str], connects: bool) -> Result<Command, Problem> {
        let mut line = vec!["metapatch".to_owned()];
        line.extend(typed.iter().map(|word| (*word).to_owned()));
        line.extend(["--runs-dir".to_owned(), text(&self.runs)]);
        if connects {
            let rate = Rate::LIVE.to_string();
            let more = ["--api-url", &self.url, "--secret-key-file", &text(&self.key), "--rate", &rate];
            line.extend(more.map(str::to_owned));
        }
        Cli::try_parse_from(line).map(|cli| cli.command).map_err(|e| Problem::usage(e.to_string()))
    }

    fn latest_run(&self) -> Result<PathBuf, Problem> {
        let runs = crate::run_file::Folder::new(self.runs.clone()).list()?;
        runs.last().cloned().ok_or_else(|| Problem::usage("the demo's plan left no run file"))
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_holds_something_is_left_as_it_is() {
        let place = tempfile::tempdir().expect("there is room");
        refuse_filled(place.path()).expect("an empty folder is nobody's");
        refuse_filled(&place.path().join("new")).expect("there is nothing yet");
        std::fs::write(place.path().join("roles.csv"), "mine").expect("can be written");
        let problem = refuse_filled(place.path()).expect_err("must be refused");
        assert_eq!(problem.exit, Exit::Usage);
        assert!(problem.message.contains("is not empty"), "{}", problem.message);
    }

    #[test]
    fn a_file_of_the_demo_replaces_none() {
        let place = tempfile::tempdir().expect("there is room");
        std::fs::write(place.path().join("key"), "mine").expect("can be written");
        assert_eq!(put(place.path(), "key", KEY).expect_err("must be refused").exit, Exit::Usage);
        assert_eq!(std::fs::read_to_string(place.path().join("key")).expect("is there"), "mine");
    }
}
