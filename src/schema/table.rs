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
    /// Columns in table order.
    pub columns: Vec<Column>,
    /// `LOCATION` as written: an absolute path, or a full URI.
    pub location: String,
    /// `TBLPROPERTIES` as written.
    pub properties: BTreeMap<String, String>,
    /// `COMMENT` of the table.
    pub comment: Option<String>,
    /// The migration file that created it, for messages.
    pub migration: String,
}

impl Table {
    /// Short fingerprint of names and types of the columns, in order.
    pub fn fingerprint(&self) -> String {
        let columns: Vec<_> = self.columns.iter().map(|c| format!("{} {}", c.physical_name, c.hive_type)).collect();
        format!("fp:{:08x}", crc32c::crc32c(columns.join(",").as_bytes()))
    }
}
