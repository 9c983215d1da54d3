//! What landfall asks of a metastore.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::fault::Fault;

/// Most partitions in one call: some metastores take a quarter of a second for so many.
pub const PARTITIONS_AT_ONCE: usize = 100;

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
    /// Partition columns in order: name in lower case, and type as Hive names it.
    pub partition_keys: Vec<(String, String)>,
    /// Full URI of the directory.
    pub location: String,
    /// Whether the metastore holds it as an external table. One that is not would lose its data by a drop.
    pub external: bool,
    /// Whether its input format and SerDe are those of Parquet.
    pub parquet: bool,
    /// Table properties, those that the metastore adds included.
    pub properties: BTreeMap<String, String>,
}

/// A partition as a metastore holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogPartition {
    /// Its name: `dt=2026-11-22/hour=7`.
    pub name: String,
    /// A value for each of the table's partition columns, as text.
    pub values: Vec<String>,
    /// Full URI of its directory.
    pub location: String,
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

    /// Names of all partitions of a table, which must be there.
    async fn partition_names(&self, database: &str, table: &str) -> Result<Vec<String>, CatalogError>;

    /// The partitions of these names, in any order; those that are missing are left out. At most
    /// [`PARTITIONS_AT_ONCE`] names.
    async fn partitions(&self, table: &CatalogTable, names: &[String]) -> Result<Vec<CatalogPartition>, CatalogError>;

    /// Adds partitions with the columns that `table` has; those that are there already stay as they are. The caller has
    /// seen their directories, and names none twice. At most [`PARTITIONS_AT_ONCE`] of them.
    async fn add_partitions(&self, table: &CatalogTable, new: &[CatalogPartition]) -> Result<(), CatalogError>;

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
