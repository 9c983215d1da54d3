//! The table model: Hive types, tables, and the migrations that declare them.

pub mod arrow;
mod ddl;
mod error;
pub mod hive_type;
mod lexer;
pub mod migrations;
mod parser;
pub mod table;
mod type_grammar;

pub use arrow::arrow_schema;
pub use error::MigrationError;
pub use hive_type::{HiveType, StructField};
pub use table::{Column, Table};
