//! What landfall asks of a metastore.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::fault::Fault;

/// An external Parquet table as a metastore holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogTable {
    /// Database, lower case.
    pub database: String,
    /// Name, lower case.
    pub name: String,
    /// Columns in order: name in lower case, and type as Hive names it.
    pub columns: Vec<(String, String)>,
    /// Comments of columns, by name. Not compared.
    pub comments: BTreeMap<String, String>,
    /// Names of the partition columns; landfall's own tables have none yet.
    pub partition_keys: Vec<String>,
    /// Full URI of the directory.
    pub location: String,
    /// Whether the metastore holds it as an external table. One that is not would lose its data by a drop.
    pub external: bool,
    /// Whether its input format and SerDe are those of Parquet.
    pub parquet: bool,
    /// Table properties, those that the metastore adds included.
    pub properties: BTreeMap<String, String>,
}

/// What a table gets; all else of it stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Columns at its end: name in lower case, and type as Hive names it.
    pub columns: Vec<(String, String)>,
    /// Comments of these columns, by name.
    pub comments: BTreeMap<String, String>,
    /// Properties to be set.
    pub properties: BTreeMap<String, String>,
}

/// A metastore. Every call has a time limit.
#[async_trait]
pub trait Catalog: Send + Sync + std::fmt::Debug {
    /// The table, or `None` if the database or the table is missing.
    async fn get_table(&self, database: &str, name: &str) -> Result<Option<CatalogTable>, CatalogError>;

    /// Creates the table, and its database where missing. One that is there already is left alone, and is
    /// [`CatalogError::AlreadyExists`]. The caller has made the directory: a metastore that makes it may also delete it.
    async fn create_table(&self, table: &CatalogTable) -> Result<(), CatalogError>;

    /// Makes this change to the table that was `seen`; its other properties, comments and its storage stay as they are.
    /// A table that has other columns or another record of migrations by now is left alone, and is
    /// [`CatalogError::Changed`]. Hive 3 cannot compare and change in one step: read back what came of it.
    async fn alter_table(&self, seen: &CatalogTable, change: &Change) -> Result<(), CatalogError>;

    /// Drops the table; its files stay. `false`: there was none. Only tests call it: landfall never drops a table.
    async fn drop_table(&self, database: &str, name: &str) -> Result<bool, CatalogError>;
}

/// Why a metastore call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CatalogError {
    /// The table is there.
    #[error("table {0} already exists")]
    AlreadyExists(String),
    /// Somebody else has changed or dropped the table since it was read.
    #[error("table {0} was changed by somebody else meanwhile")]
    Changed(String),
    /// The metastore refuses the definition: a person must change it.
    #[error("the metastore refuses table {table}: {reason}")]
    Refused {
        /// `database.table`
        table: String,
        /// What it said.
        reason: String,
    },
    /// Away, slow, or a reply was lost: the outcome is unknown; read back and try again.
    #[error("the metastore at {uri} does not answer: {reason}")]
    Unavailable {
        /// Its address.
        uri: String,
        /// What the client said.
        reason: String,
    },
}

impl CatalogError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            CatalogError::AlreadyExists(_) | CatalogError::Changed(_) => Fault::Retry,
            CatalogError::Refused { .. } => Fault::Config,
            CatalogError::Unavailable { .. } => Fault::Retry,
        }
    }
}
