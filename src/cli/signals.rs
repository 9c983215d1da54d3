//! SIGTERM and Ctrl-C: the first asks for a graceful stop, the second ends the process at once. SIGHUP: the configuration is
//! to be read again.

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

/// Counts SIGHUPs, which end the process no more.
pub(super) fn hangups() -> watch::Receiver<u64> {
    let (sender, receiver) = watch::channel(0);
    match signal(SignalKind::hangup()) {
        Ok(mut hangup) => {
            tokio::spawn(async move {
                while hangup.recv().await.is_some() {
                    sender.send_modify(|count| *count += 1);
                }
            });
        }
        Err(e) => warn!(error = %e, "SIGHUP is not handled: a restart reads another configuration"),
    }
    receiver
}
