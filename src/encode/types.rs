//! Which Arrow types are landed, and the Parquet types that they become.

use std::sync::Arc;

use arrow_schema::{DataType, Schema, TimeUnit};
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{LogicalType, Type as Physical};
use parquet::errors::ParquetError;
use parquet::schema::types::{Type, TypePtr};

/// Whether a column of this type can be landed: all that a declared column becomes.
pub(super) fn is_landed(t: &DataType) -> bool {
    is_timestamp(t) || is_landed_inside(t)
}

/// Whichever its zone, the value is an instant; without one it would be a wall clock's reading.
pub(super) fn is_timestamp(t: &DataType) -> bool {
    matches!(t, DataType::Timestamp(TimeUnit::Microsecond, Some(_)))
}

/// Inside arrays, maps and structs there is no timestamp: Hive's reader knows no form of it but INT96, which is
/// written for top-level columns only.
fn is_landed_inside(t: &DataType) -> bool {
    use DataType::{Binary, Boolean, Date32, Float32, Float64, Int8, Int16, Int32, Int64, Utf8};
    match t {
        Boolean | Int8 | Int16 | Int32 | Int64 | Float32 | Float64 | Utf8 | Binary | Date32 => true,
        DataType::Decimal128(precision, scale) => {
            (1..=38).contains(precision) && u8::try_from(*scale).is_ok_and(|scale| scale <= *precision)
        }
        DataType::List(element) => is_landed_inside(element.data_type()),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(entry) => match entry.as_ref() {
                [key, value] => *key.data_type() == Utf8 && is_landed_inside(value.data_type()),
                _ => false,
            },
            _ => false,
        },
        // Parquet has no group without fields.
        DataType::Struct(fields) => !fields.is_empty() && fields.iter().all(|f| is_landed_inside(f.data_type())),
        _ => false,
    }
}

/// The Parquet schema: Arrow's own, but for timestamps and decimals.
pub(super) fn root(schema: &Schema) -> Result<TypePtr, ParquetError> {
    let converted = ArrowSchemaConverter::new().with_coerce_types(true).convert(schema)?;
    let fields = schema.fields().iter().zip(converted.root_schema().get_fields());
    let fields = fields.map(|(field, converted)| match is_timestamp(field.data_type()) {
        false => with_fixed_decimals(converted),
        true => {
            let info = converted.get_basic_info();
            let builder = Type::primitive_type_builder(info.name(), Physical::INT96);
            Ok(Arc::new(builder.with_repetition(info.repetition()).build()?))
        }
    });
    let fields = fields.collect::<Result<Vec<_>, ParquetError>>()?;
    Ok(Arc::new(Type::group_type_builder("schema").with_fields(fields).build()?))
}

/// The type with every decimal as FIXED_LEN_BYTE_ARRAY: Hive's reader fails at Arrow's INT32 and INT64.
fn with_fixed_decimals(t: &TypePtr) -> Result<TypePtr, ParquetError> {
    let info = t.get_basic_info();
    if t.is_group() {
        let fields = t.get_fields().iter().map(with_fixed_decimals).collect::<Result<_, _>>()?;
        let group = Type::group_type_builder(info.name()).with_repetition(info.repetition()).with_fields(fields);
        let group =
            group.with_logical_type(info.logical_type_ref().cloned()).with_converted_type(info.converted_type());
        return Ok(Arc::new(group.build()?));
    }
    let Some(LogicalType::Decimal(decimal)) = info.logical_type_ref() else { return Ok(t.clone()) };
    let leaf = Type::primitive_type_builder(info.name(), Physical::FIXED_LEN_BYTE_ARRAY)
        .with_repetition(info.repetition())
        .with_logical_type(Some(LogicalType::decimal(decimal.scale, decimal.precision)))
        .with_precision(decimal.precision)
        .with_scale(decimal.scale)
        .with_length(decimal_bytes(decimal.precision))
        .build()?;
    Ok(Arc::new(leaf))
}

/// The least number of bytes for a number of so many digits and its sign; Arrow's writer writes as many.
fn decimal_bytes(digits: i32) -> i32 {
    let most = 10u128.pow(digits.unsigned_abs().min(38)) - 1;
    (1..16).find(|bytes| most < 1u128 << (8 * bytes - 1)).unwrap_or(16)
}

#[cfg(test)]
mod tests {
    use super::decimal_bytes;

    #[test]
    fn decimals_have_the_lengths_that_hive_itself_writes() {
        // SerDe's table, ParquetHiveSerDe.PRECISION_TO_BYTE_COUNT
        let hive = [
            1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6, 6, 6, 7, 7, 8, 8, 9, 9, 9, 10, 10, 11, 11, 11, 12, 12, 13, 13, 13, 14,
            14, 15, 15, 16, 16, 16,
        ];
        assert_eq!((1..=38).map(decimal_bytes).collect::<Vec<_>>(), hive);
    }
}
