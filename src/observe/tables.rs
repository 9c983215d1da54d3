//! How the tables stand.

use serde::Serialize;

use super::time::Time;

/// How one table stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TableStatus {
    /// Its name, without its database.
    pub name: String,
    /// `database.table`, as the metastore knows it.
    pub full_name: String,
    /// Its directory, as a URI.
    pub location: String,
    /// Rows landed by this process.
    pub rows: u64,
    /// Bytes of the files landed by this process.
    pub bytes: u64,
    /// Files landed by this process.
    pub files: u64,
    /// How it stands with the metastore.
    #[serde(flatten)]
    pub registration: Registration,
    /// Partitions of it that got rows and are not registered yet.
    pub unregistered_partitions: u64,
    /// Since when there have always been some.
    pub unregistered_partitions_since: Option<Time>,
}

/// How a table stands with the metastore, as far as it last answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(tag = "registration", rename_all = "camelCase")]
pub enum Registration {
    /// No metastore is configured.
    #[default]
    None,
    /// The metastore holds it as wanted.
    Registered,
    /// Registered; and a daemon of a newer configuration has added columns, which our rows leave null.
    Newer {
        /// Which.
        reason: String,
    },
    /// The metastore does not hold it, or never answered: its files are landed, but queries do not find them.
    Unregistered {
        /// Since when.
        since: Time,
        /// What the last try said.
        reason: String,
    },
    /// The metastore holds another definition. landfall leaves it alone; a person must act.
    Differs {
        /// Since when.
        since: Time,
        /// What differs, in sentences.
        reason: String,
    },
}

impl TableStatus {
    /// Of which nothing is known yet.
    pub fn new(name: &str) -> TableStatus {
        TableStatus {
            name: name.to_owned(),
            full_name: name.to_owned(),
            location: String::new(),
            rows: 0,
            bytes: 0,
            files: 0,
            registration: Registration::None,
            unregistered_partitions: 0,
            unregistered_partitions_since: None,
        }
    }
}
