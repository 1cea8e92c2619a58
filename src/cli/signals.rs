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
            wait().await;
            if stopper.ask() == Urgency::Drain {
                super::say("stopping: finishing what is under way; once more gives that up, too");
                continue;
            }
            super::say("stopping at once; what is under way is settled when the run is resumed");
            tokio::select! {
                () = wait() => {}
                () = tokio::time::sleep(GRACE) => {}
            }
            end();
        }
    });
}

/// Ends the process where it stands, which a run survives. It may wait for ever for a row on standard input, and nothing
/// else could wake it.
#[expect(clippy::exit, reason = "the thread that would return the exit code is stuck")]
fn end() {
    std::process::exit(Exit::Interrupted as i32);
}

#[cfg(unix)]
async fn wait() {
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

#[cfg(not(unix))]
async fn wait() {
    let _ = tokio::signal::ctrl_c().await;
}
