//! How the configuration stands in a running daemon.

use serde::Serialize;

use super::time::Time;

/// Which configuration is in force, and what became of the last try to read another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigStatus {
    /// When the one in force was read; `None`: at the start.
    pub read_again: Option<Time>,
    /// How often another one was taken over since the start.
    pub reloads: u64,
    /// How often one was refused since the start.
    pub failures: u64,
    /// Why the last one was refused, if nothing was taken over since: the files are not what is in force.
    pub last_error: Option<String>,
}
