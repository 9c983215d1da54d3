//! Hive types as Arrow types: what the Parquet files hold.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use super::hive_type::{HiveType, StructField};
use super::table::Table;

/// The Arrow type of a column.
pub fn data_type(hive_type: &HiveType) -> DataType {
    match hive_type {
        HiveType::Boolean => DataType::Boolean,
        HiveType::TinyInt => DataType::Int8,
        HiveType::SmallInt => DataType::Int16,
        HiveType::Int => DataType::Int32,
        HiveType::BigInt => DataType::Int64,
        HiveType::Float => DataType::Float32,
        HiveType::Double => DataType::Float64,
        HiveType::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale as i8),
        HiveType::String | HiveType::Varchar(_) | HiveType::Char(_) => DataType::Utf8,
        HiveType::Binary => DataType::Binary,
        HiveType::Date => DataType::Date32,
        HiveType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        HiveType::Array(element) => DataType::List(Arc::new(Field::new("element", data_type(element), true))),
        HiveType::Map(value) => {
            let key = Field::new("key", DataType::Utf8, false);
            let entries = Fields::from(vec![key, Field::new("value", data_type(value), true)]);
            DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entries), false)), false)
        }
        HiveType::Struct(fields) => {
            let field = |f: &StructField| Field::new(f.physical_name(), data_type(&f.hive_type), true);
            DataType::Struct(fields.iter().map(field).collect())
        }
    }
}

/// The table's Arrow schema: lower-case names, every column nullable, as Hive reads it.
pub fn arrow_schema(table: &Table) -> SchemaRef {
    let field = |c: &super::Column| Field::new(&c.physical_name, data_type(&c.hive_type), true);
    Arc::new(Schema::new(table.columns.iter().map(field).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_and_columns_nullable() {
        let text = "create external table t (`User-Agent` string, At timestamp) stored as parquet location '/t'";
        let tables = super::super::migrations::load(&[("0001_t.sql".into(), text.into())]).unwrap();
        let schema = arrow_schema(&tables[0]);
        assert!(schema.fields().iter().all(|f| f.is_nullable()));
        assert_eq!((schema.field(0).name().as_str(), schema.field(0).data_type()), ("user-agent", &DataType::Utf8));
        let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
        assert_eq!((schema.field(1).name().as_str(), schema.field(1).data_type()), ("at", &micros));
    }
}
