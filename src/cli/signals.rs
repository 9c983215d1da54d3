//! SIGTERM and Ctrl-C: the first asks for a graceful stop, the second ends the process at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::warn;

use crate::fault::Fault;

/// A flag that turns true at the first signal.
pub(super) fn stop_flag() -> (watch::Sender<bool>, watch::Receiver<bool>) {
    let (sender, receiver) = watch::channel(false);
    let flag = sender.clone();
    let (term, int) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    match (term, int) {
        (Ok(mut term), Ok(mut int)) => {
            tokio::spawn(async move {
                loop {
                    tokio::select! {
                        _ = term.recv() => {}
                        _ = int.recv() => {}
                    }
                    if flag.send_replace(true) {
                        warn!("second signal: ending at once; what was not landed is read again by the next start");
                        std::process::exit(Fault::Fenced.exit_code().into());
                    }
                }
            });
        }
        (Err(e), _) | (_, Err(e)) => warn!(error = %e, "signals are not handled: a stop ends the process at once"),
    }
    (sender, receiver)
}
