//! Making the tables known: the metastore follows the tables, and is never in the way of the data.

mod compare;
mod history;
pub mod hive;
pub mod memory;
mod partitions;
pub mod port;
pub mod reconcile;
pub mod register;
mod settle;
mod spelling;
pub mod status;
pub mod validate;

pub use compare::compare;
pub use history::RECORD;
pub use hive::HiveCatalog;
pub use memory::MemoryCatalog;
pub use partitions::{NewPartitions, PartitionError, register_new, unregistered};
pub use port::{Catalog, CatalogError, CatalogPartition, CatalogTable, Change, PARTITIONS_AT_ONCE};
pub use reconcile::{Plan, Wanted, plan};
pub use register::{COMPARE_EVERY, Registrar};
pub use settle::{check_once, look};
pub use spelling::same_location;
pub use status::{RegistrarStatus, TableStatus};
pub use validate::{validate, warnings};
