//! Column types as Hive names them.

use std::fmt;

/// A Hive column type that landfall can land.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HiveType {
    /// `boolean`
    Boolean,
    /// `tinyint`, 8 bits
    TinyInt,
    /// `smallint`, 16 bits
    SmallInt,
    /// `int` or `integer`, 32 bits
    Int,
    /// `bigint`, or `long` as Spark writes it, 64 bits
    BigInt,
    /// `float`
    Float,
    /// `double`
    Double,
    /// `string`
    String,
    /// `binary`
    Binary,
    /// `timestamp`, microseconds since 1970 UTC in memory
    Timestamp,
}

impl fmt::Display for HiveType {
    /// The name that the Hive metastore uses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HiveType::Boolean => "boolean",
            HiveType::TinyInt => "tinyint",
            HiveType::SmallInt => "smallint",
            HiveType::Int => "int",
            HiveType::BigInt => "bigint",
            HiveType::Float => "float",
            HiveType::Double => "double",
            HiveType::String => "string",
            HiveType::Binary => "binary",
            HiveType::Timestamp => "timestamp",
        })
    }
}
