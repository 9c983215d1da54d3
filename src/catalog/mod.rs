//! Making the tables known: the metastore follows the tables, and is never in the way of the data.

pub mod hive;
pub mod memory;
pub mod port;
pub mod reconcile;
pub mod register;
pub mod status;
pub mod validate;

pub use hive::HiveCatalog;
pub use memory::MemoryCatalog;
pub use port::{Catalog, CatalogError, CatalogTable};
pub use reconcile::{Plan, compare, plan, same_location, wanted};
pub use register::{COMPARE_EVERY, Registrar, check_once};
pub use status::{RegistrarStatus, TableStatus};
pub use validate::{validate, validate_comments};
