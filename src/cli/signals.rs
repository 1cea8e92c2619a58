//! Ctrl-C and SIGTERM: the first drains, the second abandons.

use crate::stop::Stopper;

/// Listens until the program ends.
pub(crate) fn listen(stopper: Stopper) {
    tokio::spawn(async move {
        loop {
            asked_to_stop().await;
            stopper.ask("asked to stop");
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
