//! Column types as Hive names them.

use std::fmt;

/// A Hive column type that landfall can land.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
    /// `decimal(precision,scale)`
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits behind the point, at most `precision`.
        scale: u8,
    },
    /// `string`
    String,
    /// `varchar(n)`: at most n characters, 1 to 65535.
    Varchar(u32),
    /// `char(n)`: n characters, 1 to 255; readers pad with spaces.
    Char(u32),
    /// `binary`
    Binary,
    /// `date`: days since 1970-01-01
    Date,
    /// `timestamp`, microseconds since 1970 UTC in memory
    Timestamp,
    /// `array<…>`
    Array(Box<HiveType>),
    /// `map<string,…>`: the keys are strings, as JSON's are
    Map(Box<HiveType>),
    /// `struct<name:type,…>`
    Struct(Vec<StructField>),
}

/// A field of a `struct`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StructField {
    /// Name as written in the DDL: the JSON field is looked up by it.
    pub name: String,
    /// Its type.
    pub hive_type: HiveType,
}

impl StructField {
    /// Name in the metastore and in the Parquet files: in lower case.
    pub fn physical_name(&self) -> String {
        self.name.to_lowercase()
    }
}

impl HiveType {
    /// Whether it is an array, a map or a struct.
    pub fn is_nested(&self) -> bool {
        matches!(self, HiveType::Array(_) | HiveType::Map(_) | HiveType::Struct(_))
    }
}

impl fmt::Display for HiveType {
    /// The name that the Hive metastore uses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            HiveType::Boolean => "boolean",
            HiveType::TinyInt => "tinyint",
            HiveType::SmallInt => "smallint",
            HiveType::Int => "int",
            HiveType::BigInt => "bigint",
            HiveType::Float => "float",
            HiveType::Double => "double",
            HiveType::Decimal { precision, scale } => return write!(f, "decimal({precision},{scale})"),
            HiveType::String => "string",
            HiveType::Varchar(n) => return write!(f, "varchar({n})"),
            HiveType::Char(n) => return write!(f, "char({n})"),
            HiveType::Binary => "binary",
            HiveType::Date => "date",
            HiveType::Timestamp => "timestamp",
            HiveType::Array(element) => return write!(f, "array<{element}>"),
            HiveType::Map(value) => return write!(f, "map<string,{value}>"),
            HiveType::Struct(fields) => {
                f.write_str("struct<")?;
                for (i, field) in fields.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    write!(f, "{comma}{}:{}", field.physical_name(), field.hive_type)?;
                }
                ">"
            }
        };
        f.write_str(name)
    }
}
