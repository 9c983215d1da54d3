//! Signals that ask this process to end: the servers are stopped first.

use anyhow::{Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

static LAST: LazyLock<Arc<AtomicUsize>> = LazyLock::new(|| Arc::new(AtomicUsize::new(0)));

/// From now on, SIGINT, SIGTERM and SIGHUP are only noted.
pub fn catch() -> Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        flag::register_usize(signal, Arc::clone(&LAST), signal as usize)?;
    }
    Ok(())
}

/// The last such signal, if there was one.
pub fn caught() -> Option<i32> {
    match LAST.load(Ordering::Relaxed) {
        0 => None,
        signal => Some(signal as i32),
    }
}

/// Breaks off a wait.
pub(crate) fn check() -> Result<()> {
    match caught() {
        Some(signal) => bail!("stopped by signal {signal}"),
        None => Ok(()),
    }
}
