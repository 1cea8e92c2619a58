//! Ctrl-C and SIGTERM: the first drains, the second abandons, and what then still holds on is ended.

use std::time::Duration;

use super::problem::Exit;
use crate::stop::{Stopper, Urgency};

/// How long a run that is abandoned may take to say how far it has come.
const GRACE: Duration = Duration::from_secs(3);

/// Listens until the program ends.
pub(crate) fn listen(stopper: Stopper) {
    tokio::spawn(async move {
        loop {
            asked_to_stop().await;
            if stopper.ask("asked to stop") == Urgency::Drain {
                say_below_bars("stopping: finishing what is under way; once more gives that up, too");
                continue;
            }
            say_below_bars("stopping at once; what is under way is settled when the run is resumed");
            tokio::select! {
                () = asked_to_stop() => {}
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

/// Ends the process where it stands, which a run survives. It may wait for ever for a row on standard input, and nothing
/// else could wake it.
#[expect(clippy::exit, reason = "the thread that would return the exit code is stuck")]
fn end() {
    std::process::exit(Exit::Interrupted as i32);
}

/// Waits for Ctrl-C or SIGTERM.
#[cfg(unix)]
pub(crate) async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        // Without a handler SIGTERM ends the process at once, which a run survives as well.
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub(crate) async fn asked_to_stop() {
    let _ = tokio::signal::ctrl_c().await;
}
