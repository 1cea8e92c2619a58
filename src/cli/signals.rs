//! Ctrl-C and SIGTERM: the first drains, the second abandons, and what then still holds on is ended.

use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use super::problem::{Exit, Problem};
use crate::stop::{Stopper, Urgency};

/// How long a run that is abandoned may take to say how far it has come.
const GRACE: Duration = Duration::from_secs(10);

/// Listens until the program ends.
pub(crate) fn listen(stopper: Stopper) {
    // From here on, not from when the task is first run.
    let mut signals = Signals::new();
    tokio::spawn(async move {
        loop {
            signals.next().await;
            if stopper.ask("asked to stop") == Urgency::Drain {
                say_below_bars("stopping: finishing what is under way; once more gives that up, too");
                continue;
            }
            say_below_bars("stopping at once; what is under way is settled when the run is resumed");
            tokio::select! {
                () = signals.next() => {}
                () = tokio::time::sleep(GRACE) => {}
            }
            end();
        }
    });
}

/// Says a line with room above and below it on a terminal, where the next drawing of the bars would wipe it out.
pub(crate) fn say_below_bars(line: &str) {
    use std::io::IsTerminal as _;
    if std::io::stderr().is_terminal() { super::say(&format!("\n{line}\n\n")) } else { super::say(line) }
}

/// How the work of a command came to its end: with a result, a panic, or, where nothing comes, because it was given up.
type Ended = Option<std::thread::Result<Result<Exit, Problem>>>;

/// Where the thread that waits for the work is told of its end.
static END: OnceLock<mpsc::Sender<Ended>> = OnceLock::new();

/// Does the work of a command in a thread of its own, and does not wait for it any more once it is given up: it may wait
/// for ever for a row on standard input, and nothing could wake it. A run survives that at any point.
pub(crate) fn unless_given_up(work: impl FnOnce() -> Result<Exit, Problem> + Send + 'static) -> Result<Exit, Problem> {
    let (sender, ended) = mpsc::channel();
    // A command does its work once, so that it has not been set.
    let _ = END.set(sender.clone());
    thread::spawn(move || sender.send(Some(thread::spawn(work).join())));
    match ended.recv() {
        Ok(Some(Ok(result))) => result,
        Ok(Some(Err(panic))) => std::panic::resume_unwind(panic),
        Ok(None) | Err(_) => Ok(Exit::Interrupted),
    }
}

/// Gives up the work where it stands.
fn end() {
    if let Some(end) = END.get() {
        // Nobody listens any more once the work has ended by itself.
        let _ = end.send(None);
    }
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn asked_to_stop() {
    Signals::new().next().await;
}

/// Ctrl-C and SIGTERM, heard from the moment this is made.
struct Signals {
    #[cfg(unix)]
    heard: [Option<tokio::signal::unix::Signal>; 2],
}

#[cfg(unix)]
impl Signals {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        // Without a handler a signal ends the process at once, which a run survives as well.
        Self { heard: [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).ok()) }
    }

    async fn next(&mut self) {
        async fn one(heard: &mut Option<tokio::signal::unix::Signal>) {
            match heard {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        }
        let [interrupt, terminate] = &mut self.heard;
        tokio::select! {
            () = one(interrupt) => {}
            () = one(terminate) => {}
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    const fn new() -> Self {
        Self {}
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
