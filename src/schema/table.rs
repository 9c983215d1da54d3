//! A table as its migrations declare it.

use std::collections::BTreeMap;

use super::hive_type::HiveType;

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name as written in the DDL: the JSON field is looked up by it.
    pub name: String,
    /// Name in the metastore and in the Parquet files: `name` in lower case.
    pub physical_name: String,
    /// Type.
    pub hive_type: HiveType,
    /// `COMMENT '…'`.
    pub comment: Option<String>,
}

/// An external Hive table of Parquet files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Database, if the DDL names one (`create external table db.name`); lower case.
    pub database: Option<String>,
    /// Name in lower case.
    pub name: String,
    /// Columns in table order; those of `PARTITIONED BY` are not among them, and not in the files.
    pub columns: Vec<Column>,
    /// `PARTITIONED BY`: the columns whose values are the names of directories, outermost first.
    pub partition_columns: Vec<Column>,
    /// `LOCATION` as written: an absolute path, or a full URI.
    pub location: String,
    /// `TBLPROPERTIES` as written.
    pub properties: BTreeMap<String, String>,
    /// `COMMENT` of the table.
    pub comment: Option<String>,
    /// The migration file that created it, for messages.
    pub migration: String,
    /// Every migration file that made it what it is, in order.
    pub applied: Vec<Applied>,
}

/// What one migration file does to a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// File name.
    pub file: String,
    /// Its four digits.
    pub number: String,
    /// CRC-32C of the file's statements about this table. Comments, white space and other tables do not matter.
    pub checksum: u32,
    /// How many columns the table has with it.
    pub columns: usize,
}

impl Table {
    /// The file that declares a column, by its physical name.
    pub fn migration_of(&self, column: &str) -> &str {
        let at = self.columns.iter().position(|c| c.physical_name == column);
        let by = self.applied.iter().find(|a| at.is_some_and(|at| at < a.columns));
        by.map_or(&self.migration, |a| &a.file)
    }

    /// All columns as readers see them: those of `PARTITIONED BY` come last.
    pub fn all_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().chain(&self.partition_columns)
    }

    /// Short fingerprint of names and types of the columns, in order.
    pub fn fingerprint(&self) -> String {
        let columns: Vec<_> = self.columns.iter().map(|c| format!("{} {}", c.physical_name, c.hive_type)).collect();
        let mut text = columns.join(",");
        if !self.partition_columns.is_empty() {
            let keys = self.partition_columns.iter().map(|c| format!("{} {}", c.physical_name, c.hive_type));
            text = format!("{text} by {}", keys.collect::<Vec<_>>().join(","));
        }
        format!("fp:{:08x}", crc32c::crc32c(text.as_bytes()))
    }
}
