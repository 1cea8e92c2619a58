//! What can be typed. Only parsed and checked here; nothing is done.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::guard::Limit;
use crate::limit::{Rate, Share};
use crate::outcome::Outcome;
use crate::patch::Mode;
use crate::spec::{Duplicates, Empty, Format};

/// Change the metadata of many Clerk users: see it before, apply it under the API's limits, account for every row.
#[derive(Debug, Parser)]
#[command(name = "metapatch", version, max_term_width = 110, after_help = KEY_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const KEY_HELP: &str = "\
The secret key comes from CLERK_SECRET_KEY, --secret-key-file or --secret-key-command, never from a flag's value.
No key at hand? `metapatch demo` shows a whole job on the built-in sandbox.

Exit codes: 0 done; 1 finished, but some rows did not end well; 2 wrong usage or configuration; 3 aborted midway;
4 with `plan --detailed-exitcode`, there are changes; 130 interrupted, and resumable.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Work out and show what would change, and keep it as a run; changes nothing
    Plan(PlanArgs),
    /// Plan and apply, or apply exactly a saved plan
    Apply(ApplyArgs),
    /// Go on with an interrupted run
    Resume(ResumeArgs),
    /// Try again what did not end well in a run
    Retry(RetryArgs),
    /// Report what became of every row of a run
    Report(ReportArgs),
    /// List the runs that were made here
    Runs(RunsArgs),
    /// Validate jobs.yaml, the inputs and the key; changes nothing
    Check(CheckArgs),
    /// Start a local stand-in for Clerk's Backend API
    Sandbox(crate::sandbox::Args),
    /// See a whole job on the sandbox, in seconds
    Demo(DemoArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the JSON Schema of jobs.yaml
    Schema,
    /// Print the manual page
    Man,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Exit with 4 where there are changes and no bad rows
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) drive: DriveArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Apply exactly this saved plan: a run file's path or a run's id
    #[arg(long, value_name = "RUN", conflicts_with_all = ["file", "job"])]
    pub(crate) run: Option<String>,
    /// Do not ask before writing to a live instance
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) drive: DriveArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// A run file's path or a run's id; by default the latest run of this instance
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) again: AgainArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    /// A run file's path or a run's id
    pub(crate) run: String,
    /// Only rows that ended so; by default all that did not end well, except rejected ones
    #[arg(long, value_name = "OUTCOME,…", value_delimiter = ',')]
    pub(crate) only: Vec<Outcome>,
    #[command(flatten)]
    pub(crate) again: AgainArgs,
}

/// What goes with every verb that takes a run through its phases.
#[derive(Debug, Args)]
pub(crate) struct DriveArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
    #[command(flatten)]
    pub(crate) verdict: VerdictArgs,
    #[command(flatten)]
    pub(crate) look: LookArgs,
}

/// What goes with every verb that goes on with a run.
#[derive(Debug, Args)]
pub(crate) struct AgainArgs {
    /// Do not ask before writing to a live instance
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) runs: RunsDirArgs,
    #[command(flatten)]
    pub(crate) drive: DriveArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// A run file's path or a run's id
    pub(crate) run: String,
    /// What to write
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
    /// Where to write it; by default to standard output
    #[arg(short, long, value_name = "PATH")]
    pub(crate) out: Option<PathBuf>,
    /// Write over a file that exists
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) runs: RunsDirArgs,
    #[command(flatten)]
    pub(crate) look: LookArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// A summary for people
    Text,
    /// One line per input row, with what became of it
    Csv,
    /// The rows that did not end well, as they were, to be mended and fed back
    Failed,
    /// One JSON object
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    #[command(flatten)]
    pub(crate) runs: RunsDirArgs,
    #[command(flatten)]
    pub(crate) look: LookArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(flatten)]
    pub(crate) look: LookArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where to put the demo's run and reports; by default a new folder under the system's temporary folder
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) look: LookArgs,
}

/// Where rows come from and how they are read.
#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub(crate) struct InputArgs {
    /// A .csv, .tsv, .ndjson or .jsonl file, each also .gz or .zst; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<String>,
    /// A job of jobs.yaml
    #[arg(long, value_name = "NAME")]
    pub(crate) job: Option<String>,
    /// How the rows are written, where the file's name does not say it
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) input_format: Option<FormatArg>,
    /// Merge each field, or replace it as a whole by the value shown [default: merge]
    #[arg(long, value_enum)]
    pub(crate) mode: Option<ModeArg>,
    /// Several rows of one user: fold them in order, or reject them all [default: fold]
    #[arg(long, value_enum)]
    pub(crate) duplicates: Option<DuplicatesArg>,
    /// What an empty CSV cell means [default: skip]
    #[arg(long, value_enum)]
    pub(crate) empty: Option<EmptyArg>,
    /// Leave a CSV column out; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) ignore_column: Vec<String>,
    /// Let an unverified email address or phone number identify a user
    #[arg(long)]
    pub(crate) allow_unverified: bool,
    /// Refuse to apply if more users than this would change; N, or N% of the users compared
    #[arg(long, value_name = "N|N%")]
    pub(crate) max_changes: Option<Limit>,
}

/// Where runs are kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "Runs")]
pub(crate) struct PlaceArgs {
    #[command(flatten)]
    pub(crate) runs: RunsDirArgs,
    /// Name this run's file
    #[arg(long, value_name = "PATH")]
    pub(crate) run_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Runs")]
pub(crate) struct RunsDirArgs {
    /// The folder of run files [env: METAPATCH_RUNS_DIR] [default: .metapatch/runs]
    #[arg(long, value_name = "DIR")]
    pub(crate) runs_dir: Option<PathBuf>,
}

/// Which instance, and how to reach it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Instance")]
pub(crate) struct ConnectArgs {
    /// The configuration [default: jobs.yaml, where a job or an instance is named]
    #[arg(short, long, value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,
    /// An instance of the configuration
    #[arg(long, value_name = "NAME")]
    pub(crate) instance: Option<String>,
    #[expect(clippy::doc_markdown, reason = "it is a help text, where an address stands as it is")]
    /// The API's address [env: CLERK_API_URL] [default: https://api.clerk.com]
    #[arg(long, value_name = "URL")]
    pub(crate) api_url: Option<String>,
    /// Allow the configuration to name this host
    #[arg(long, value_name = "HOST")]
    pub(crate) allow_api_url: Vec<String>,
    /// Trust the certificate authorities in this PEM file as well
    #[arg(long, value_name = "PATH")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Read the secret key from a file
    #[arg(long, value_name = "PATH")]
    pub(crate) secret_key_file: Option<PathBuf>,
    /// Read the secret key from what a command prints
    #[arg(long, value_name = "CMD", conflicts_with = "secret_key_file")]
    pub(crate) secret_key_command: Option<String>,
    /// How long a request may take
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    pub(crate) timeout: Duration,
}

/// How fast, how long, how often.
#[derive(Debug, Args)]
#[command(next_help_heading = "Pace")]
pub(crate) struct PaceArgs {
    /// The instance's limit, such as 1000/10s [default: 100/10s with a test key, else 1000/10s]
    #[arg(long, value_name = "N/PERIOD")]
    pub(crate) rate: Option<Rate>,
    /// The limit of writes to one user [default: 10/10s]
    #[arg(long, value_name = "N/PERIOD")]
    pub(crate) user_rate: Option<Rate>,
    /// How much of the limit this run may take [default: 100% with a test key, else 50%]
    #[arg(long, value_name = "PERCENT")]
    pub(crate) share: Option<Share>,
    /// The most writes under way at once [default: what sends one period's budget within a second, 256 at the most]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) max_in_flight: Option<u16>,
    /// Read a user again before writing if it was compared longer ago
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    pub(crate) max_age: Duration,
    /// Stop, resumable, after this time
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) max_duration: Option<Duration>,
    /// Try a request so often; answers of 429 do not count
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_attempts: u32,
    /// Abort when more changes than this fail; a share counts once 50 were tried
    #[arg(long, value_name = "N|N%", default_value = "20%")]
    pub(crate) max_failures: Limit,
}

/// What counts as fine.
#[derive(Debug, Args)]
#[command(next_help_heading = "Guards and verdict")]
pub(crate) struct VerdictArgs {
    /// Lift one guard: `max_changes`, or `forbid:PATH`; may be given several times
    #[arg(long, value_name = "GUARD")]
    pub(crate) allow: Vec<String>,
    /// Outcomes that count as fine for the exit code
    #[arg(long, value_name = "OUTCOME,…", value_delimiter = ',')]
    pub(crate) accept: Vec<Outcome>,
}

/// What is shown, and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct LookArgs {
    /// Print for people, or exactly one JSON object
    #[arg(long, value_enum, default_value_t = OutputArg::Human)]
    pub(crate) output: OutputArg,
    /// Show values of private metadata, which are masked otherwise
    #[arg(long)]
    pub(crate) show_private: bool,
    /// Colours
    #[arg(long, value_enum, default_value_t = ColorArg::Auto)]
    pub(crate) color: ColorArg,
    /// How progress is shown on standard error
    #[arg(long, value_enum, default_value_t = ProgressArg::Auto)]
    pub(crate) progress: ProgressArg,
    /// Say nothing but errors on standard error
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more on standard error
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputArg {
    Human,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorArg {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressArg {
    Auto,
    Bar,
    Plain,
    Json,
    None,
}

/// Gives a type of ours the names that can be typed for it.
macro_rules! value_enum {
    ($arg:ident for $kind:ty: $($variant:ident = $value:expr),+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
        pub(crate) enum $arg { $($variant),+ }

        impl From<$arg> for $kind {
            fn from(arg: $arg) -> Self {
                match arg { $($arg::$variant => $value),+ }
            }
        }
    };
}

value_enum!(FormatArg for Format: Csv = Format::Csv, Tsv = Format::Tsv, Ndjson = Format::Ndjson);
value_enum!(ModeArg for Mode: Merge = Mode::Merge, Replace = Mode::Replace);
value_enum!(DuplicatesArg for Duplicates: Fold = Duplicates::Fold, Error = Duplicates::Error);
value_enum!(EmptyArg for Empty: Skip = Empty::Skip, Delete = Empty::Delete, String = Empty::String);

/// Reads a duration such as `30s`, `5m` or `1h30m`; it must be longer than nothing.
fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a duration such as `30s`, `5m` or `1h30m`".to_owned();
    let span: jiff::SignedDuration = text.parse().map_err(|_| expected())?;
    Duration::try_from(span).ok().filter(|span| !span.is_zero()).ok_or_else(expected)
}
