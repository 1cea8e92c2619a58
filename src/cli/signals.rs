//! Ctrl-C and SIGTERM: the first drains, the second abandons.

use crate::stop::{Stopper, Urgency};

/// Listens until the program ends.
pub(crate) fn listen(stopper: Stopper) {
    tokio::spawn(async move {
        loop {
            asked_to_stop().await;
            let said = match stopper.ask() {
                Urgency::Drain => "stopping: finishing what is under way; once more gives that up, too",
                _ => "stopping at once; what is under way is settled when the run is resumed",
            };
            super::say(said);
        }
    });
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
