//! Making the tables known: the metastore follows the tables, and is never in the way of the data.

pub mod port;

pub use port::{Catalog, CatalogError, CatalogTable};
