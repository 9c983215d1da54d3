//! Values of Arrow arrays as JSON, whatever their type.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use serde_json::{Value, json};

/// The value in this row.
pub fn cell(c: &ArrayRef, row: usize) -> Value {
    if c.is_null(row) {
        return Value::Null;
    }
    match c.data_type() {
        DataType::Boolean => json!(c.as_boolean().value(row)),
        DataType::Int8 => json!(c.as_primitive::<Int8Type>().value(row)),
        DataType::Int16 => json!(c.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => json!(c.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => json!(c.as_primitive::<Int64Type>().value(row)),
        DataType::Float32 => json!(c.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => json!(c.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => json!(c.as_string::<i32>().value(row)),
        DataType::Binary => json!(c.as_binary::<i32>().value(row)),
        DataType::Timestamp(..) => json!(c.as_primitive::<TimestampMicrosecondType>().value(row)),
        DataType::Date32 => json!(c.as_primitive::<Date32Type>().value(row)),
        // As text: no other form of JSON keeps all digits.
        DataType::Decimal128(..) => json!(c.as_primitive::<Decimal128Type>().value_as_string(row)),
        DataType::List(_) => {
            let list = c.as_list::<i32>().value(row);
            (0..list.len()).map(|i| cell(&list, i)).collect()
        }
        DataType::Map(..) => {
            let entries = c.as_map().value(row);
            let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1));
            (0..entries.len()).map(|i| (keys.value(i).to_owned(), cell(values, i))).collect()
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(c.as_struct().columns());
            Value::Object(columns.map(|(f, c)| (f.name().clone(), cell(c, row))).collect())
        }
        other => panic!("no column is {other}"),
    }
}
