//! The table model: Hive types, tables, and the migrations that declare them.

pub mod hive_type;
pub mod table;

pub use hive_type::HiveType;
pub use table::{Column, Table};
