//! The command line: from what was typed to an exit code.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use self::args::{Cli, Command, LookArgs};
use self::problem::{Exit, Problem};
use self::screen::Screen;

mod args;
mod check;
mod commands;
mod connect;
mod demo;
mod drive;
mod input;
mod problem;
mod progress;
mod report;
mod runs;
mod screen;
mod signals;
mod told;

/// Runs the command and gives its exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return misread(&error, &args),
    };
    let screen = Screen::new(cli.command.look());
    match run(cli.command, &screen) {
        Ok(exit) => exit.into(),
        Err(problem) => {
            screen.problem(&problem);
            problem.exit.into()
        }
    }
}

/// Tells what clap makes of arguments that it cannot take, or the help or version that was asked for.
fn misread(error: &clap::Error, args: &[OsString]) -> ExitCode {
    if !error.use_stderr() {
        // Nobody is left to tell if that fails.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    if text.contains(|letter: char| letter != '\n' && crate::harmless::is_unsafe(letter)) {
        // It repeats what was typed, colours or not, which a terminal must not obey.
        text.lines().for_each(|line| say(&crate::harmless::for_terminal(line)));
    } else {
        let _ = error.print();
    }
    if asks_for_json(args) {
        let said = text.split("\n\n").next().unwrap_or_default();
        let said: Vec<&str> = said.trim_start_matches("error: ").lines().map(str::trim).collect();
        let _ = crate::report::json::write_error(&mut std::io::stdout().lock(), "usage", &said.join(" "));
    }
    Exit::Usage.into()
}

/// Whether arguments that cannot be taken ask for JSON all the same.
fn asks_for_json(args: &[OsString]) -> bool {
    args.iter().any(|arg| arg == "--output=json") || args.windows(2).any(|pair| pair == ["--output", "json"])
}

fn run(command: Command, screen: &Screen) -> Result<Exit, Problem> {
    match command {
        Command::Report(args) => report::report(&args, screen),
        Command::Runs(args) => report::runs(&args, screen),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "metapatch", &mut script);
            Ok(print(screen, &String::from_utf8_lossy(&script)))
        }
        Command::Man => {
            let mut page = Vec::new();
            // Writing to memory cannot fail.
            let _ = clap_mangen::Man::new(Cli::command()).render(&mut page);
            Ok(print(screen, &String::from_utf8_lossy(&page)))
        }
        Command::Schema => Ok(print(screen, &format!("{:#}\n", crate::settings::json_schema()))),
        command => {
            let screen = screen.clone();
            signals::unless_given_up(move || in_runtime(command, &screen))
        }
    }
}

fn print(screen: &Screen, text: &str) -> Exit {
    // A reader that has seen enough closes the pipe, which is no failure.
    let _ = screen.print(text);
    Exit::Done
}

fn in_runtime(command: Command, screen: &Screen) -> Result<Exit, Problem> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Problem::of(Exit::Aborted, "runtime", &e))?;
    let exit = runtime.block_on(async {
        match command {
            Command::Plan(args) => commands::plan(&args, screen).await,
            Command::Apply(args) => commands::apply(&args, screen).await,
            Command::Resume(args) => commands::resume(&args, screen).await,
            Command::Retry(args) => commands::retry(&args, screen).await,
            Command::Check(args) => check::check(&args, screen).await,
            Command::Demo(args) => demo::demo(&args, screen).await,
            Command::Sandbox(args) => sandbox(args).await,
            // The others need no runtime and have been done.
            _ => Ok(Exit::Done),
        }
    });
    // Requests that were abandoned must not hold up the end.
    runtime.shutdown_background();
    exit
}

async fn sandbox(args: crate::sandbox::Args) -> Result<Exit, Problem> {
    crate::sandbox::serve(args, signals::asked_to_stop()).await.map_err(|e| Problem::of(Exit::Usage, "sandbox", &e))?;
    Ok(Exit::Done)
}

impl Command {
    fn look(&self) -> &LookArgs {
        static PLAIN: LookArgs = LookArgs {
            output: args::OutputArg::Human,
            show_private: false,
            color: args::ColorArg::Auto,
            progress: args::ProgressArg::Auto,
            quiet: false,
            verbose: false,
        };
        match self {
            Self::Plan(args) => &args.drive.look,
            Self::Apply(args) => &args.drive.look,
            Self::Resume(args) => &args.again.drive.look,
            Self::Retry(args) => &args.again.drive.look,
            Self::Report(args) => &args.look,
            Self::Runs(args) => &args.look,
            Self::Check(args) => &args.look,
            Self::Demo(args) => &args.look,
            Self::Sandbox(_) | Self::Completions { .. } | Self::Schema | Self::Man => &PLAIN,
        }
    }
}

/// Says one line on standard error. A closed standard error is no reason to stop.
#[expect(clippy::let_underscore_must_use, reason = "there is nowhere left to say that it failed")]
pub(crate) fn say(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
