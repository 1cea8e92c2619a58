//! What is printed, and where: data on standard output, everything else on standard error.

use std::io::{self, BufRead as _, IsTerminal as _, Write};

use super::args::{ColorArg, LookArgs, OutputArg};
use super::problem::Problem;
use crate::harmless::for_terminal;
use crate::report::summary::Summary;
use crate::report::text::{self, Look};
use crate::report::{Destination, json};

/// The widest page: longer lines are hard to read, whatever the terminal.
const WIDEST: usize = 120;

/// How to print.
#[derive(Debug, Clone)]
pub(super) struct Screen {
    look: Look,
    json: bool,
    silent: bool,
    show_private: bool,
}

impl Screen {
    pub(super) fn new(args: &LookArgs) -> Self {
        let terminal = io::stdout().is_terminal();
        let colored = match args.color {
            ColorArg::Always => true,
            ColorArg::Never => false,
            ColorArg::Auto => terminal && anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never,
        };
        let width = if terminal { terminal_width() } else { 100 };
        let look = if colored { Look::colored(width) } else { Look::plain(width) };
        Self { look, json: args.output == OutputArg::Json, silent: false, show_private: args.show_private }
    }

    /// A screen that shows no data.
    pub(super) const fn silent() -> Self {
        Self { look: Look::plain(0), json: false, silent: true, show_private: false }
    }

    pub(super) const fn shows_private(&self) -> bool {
        self.show_private
    }

    pub(super) const fn is_json(&self) -> bool {
        self.json
    }

    pub(super) const fn look(&self) -> Look {
        self.look
    }

    /// For whose eyes rows on standard output are.
    pub(super) fn destination(&self) -> Destination {
        if io::stdout().is_terminal() {
            Destination::Terminal { show_private: self.show_private }
        } else {
            Destination::Exact
        }
    }

    /// The plan, before it is applied; programs get one object at the very end instead.
    pub(super) fn preview(&self, summary: &Summary) {
        if !self.json {
            // Standard output may be a closed pipe; that is no reason to stop.
            let _ = self.print(&text::preview(summary, self.look));
        }
    }

    /// The end of a command that only plans.
    pub(super) fn plan(&self, summary: &Summary) -> io::Result<()> {
        if self.json {
            json::write(&mut io::stdout().lock(), summary)
        } else {
            self.print(&text::plan(summary, self.look))
        }
    }

    /// The end of a command that applies.
    pub(super) fn ending(&self, summary: &Summary) -> io::Result<()> {
        if self.json {
            json::write(&mut io::stdout().lock(), summary)
        } else {
            self.print(&text::ending(summary, self.look))
        }
    }

    /// Data for people.
    pub(super) fn print(&self, text: &str) -> io::Result<()> {
        if self.silent {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Why a command ended early; programs find it on standard output as well.
    pub(super) fn problem(&self, problem: &Problem) {
        self.problem_of_run(problem);
        if self.json {
            let _ = json::write_error(&mut io::stdout().lock(), problem.code, &problem.message);
        }
    }

    /// Why a run ended early; programs find it in the run's own object.
    pub(super) fn problem_of_run(&self, problem: &Problem) {
        super::say(&format!("{} {}", self.label("error:"), for_terminal(&problem.message)));
        if let Some(hint) = &problem.hint {
            super::say(&format!(" {} {}", self.label("hint:"), for_terminal(hint)));
        }
    }

    fn label(&self, word: &str) -> String {
        if io::stderr().is_terminal() { self.look.strong(word) } else { word.to_owned() }
    }

    /// Asks a question that only `y` or `yes` agrees to.
    pub(super) fn ask(&self, question: &str) -> bool {
        let mut err = io::stderr().lock();
        let _ = write!(err, "\n{} [y/N] ", self.look.strong(question));
        let _ = err.flush();
        drop(err);
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes" | "Yes" | "YES")
    }
}

/// How many columns the terminal has, as far as is known.
fn terminal_width() -> usize {
    let columns = console_width().or_else(|| std::env::var("COLUMNS").ok()?.parse().ok());
    columns.unwrap_or(80).min(WIDEST)
}

fn console_width() -> Option<usize> {
    let (_, columns) = console::Term::stdout().size_checked()?;
    Some(usize::from(columns)).filter(|columns| *columns > 0)
}
