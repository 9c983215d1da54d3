//! `_SUCCESS` files, by which other jobs know that a batch is complete.

use bytes::Bytes;

use super::App;
use crate::catalog::unregistered;
use crate::fault::Fault;
use crate::storage::StorageError;

/// As Hadoop's jobs name it. Readers of the table do not see it: its name begins with `_`.
const SUCCESS_FILE: &str = "_SUCCESS";
/// How often an unanswered call is made again.
const TRIES: u32 = 5;

/// Why there are not all `_SUCCESS` files. All rows are landed, and the next run puts what is missing.
#[derive(Debug, thiserror::Error)]
pub enum SuccessError {
    /// Nobody can see a table.
    #[error(
        "table {table} is not registered in the metastore: {reason}. All rows are landed, and no _SUCCESS file is \
         written: run again when the metastore is back"
    )]
    NotRegistered {
        /// `database.table`
        table: String,
        /// Why.
        reason: String,
    },
    /// The storage does not take a file.
    #[error("all rows are landed, but not all _SUCCESS files are written: {0}. Run again when the storage is back")]
    Storage(#[from] StorageError),
}

impl SuccessError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            SuccessError::NotRegistered { .. } => Fault::Retry,
            SuccessError::Storage(e) => e.fault(),
        }
    }
}

impl App {
    /// Puts an empty file `_SUCCESS` into the directory of each table; one that is there already stays as it is.
    /// To be called when all that was to be landed is landed.
    ///
    /// # Errors
    /// A table is not in the metastore: then no file is written. Or the storage is away: then some may be missing.
    pub async fn write_success_files(&self) -> Result<(), SuccessError> {
        if let Some(catalog) = &self.catalog {
            for wanted in self.wanted() {
                let table = &wanted.table;
                let name = format!("{}.{}", table.database, table.name);
                let reason = match catalog.get_table(&table.database, &table.name).await {
                    Ok(Some(_)) => match unregistered(catalog.as_ref(), self.storage.as_ref(), &wanted).await {
                        Ok(missing) if missing.is_empty() => continue,
                        Ok(missing) => {
                            format!("the metastore lacks {} of its partitions, {}", missing.len(), missing[0])
                        }
                        Err(e) => e.to_string(),
                    },
                    Ok(None) => "the metastore does not have it".to_owned(),
                    Err(e) => e.to_string(),
                };
                return Err(SuccessError::NotRegistered { table: name, reason });
            }
        }
        for dir in &self.locations {
            self.put_success_file(&format!("{dir}/{SUCCESS_FILE}")).await?;
        }
        Ok(())
    }

    async fn put_success_file(&self, path: &str) -> Result<(), StorageError> {
        let mut tries = 0;
        loop {
            match self.storage.create(path, Bytes::new()).await {
                // There from an earlier run, or made by a try whose reply was lost.
                Ok(()) | Err(StorageError::AlreadyExists { .. }) => return Ok(()),
                Err(StorageError::TimedOut { .. } | StorageError::Unavailable { .. }) if tries < TRIES => tries += 1,
                Err(e) => return Err(e),
            }
        }
    }
}
