//! The table model: Hive types, tables, and the migrations that declare them.

mod alter;
pub mod arrow;
mod clauses;
mod ddl;
mod error;
pub mod hive_type;
mod lexer;
pub mod migrations;
pub mod names;
mod parser;
pub mod partition;
pub mod table;
mod type_grammar;

pub use arrow::arrow_schema;
pub use error::MigrationError;
pub use hive_type::{HiveType, StructField};
pub use table::{Applied, Column, Table};
