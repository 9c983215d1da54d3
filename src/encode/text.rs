//! Values of Arrow arrays as text, and Arrow types as Hive names them; timestamps, which are not read by Arrow.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arrow_schema::{DataType, FieldRef};
use jiff::civil::date;
use jiff::{SignedDuration, ToSpan};

/// The Hive type, as the metastore writes it; `None` for what landfall does not write, or not by Arrow.
pub(super) fn hive_type(t: &DataType) -> Option<String> {
    let name = match t {
        DataType::Boolean => "boolean",
        DataType::Int8 => "tinyint",
        DataType::Int16 => "smallint",
        DataType::Int32 => "int",
        DataType::Int64 => "bigint",
        DataType::Float32 => "float",
        DataType::Float64 => "double",
        DataType::Utf8 => "string",
        DataType::Binary => "binary",
        DataType::Date32 => "date",
        DataType::Decimal128(precision, scale) => return Some(format!("decimal({precision},{scale})")),
        DataType::List(element) => return Some(format!("array<{}>", hive_type(element.data_type())?)),
        DataType::Map(entries, _) => {
            let DataType::Struct(entry) = entries.data_type() else { return None };
            let types: Option<Vec<_>> = entry.iter().map(|f| hive_type(f.data_type())).collect();
            return Some(format!("map<{}>", types?.join(",")));
        }
        DataType::Struct(fields) => {
            let field = |f: &FieldRef| Some(format!("{}:{}", f.name(), hive_type(f.data_type())?));
            return Some(format!("struct<{}>", fields.iter().map(field).collect::<Option<Vec<_>>>()?.join(",")));
        }
        _ => return None,
    };
    Some(name.to_owned())
}

/// A value of a column; null is `None`.
pub(super) fn of_row(column: &dyn Array, row: usize) -> Option<String> {
    let mut text = String::new();
    column.is_valid(row).then(|| write(column, row, false, &mut text))?;
    Some(text)
}

/// Inside an array, map or struct, texts are quoted and escaped as in JSON.
fn write(array: &dyn Array, row: usize, inside: bool, out: &mut String) {
    if array.is_null(row) {
        out.push_str("null");
        return;
    }
    match array.data_type() {
        DataType::Boolean => out.push_str(&array.as_boolean().value(row).to_string()),
        DataType::Int8 => number::<Int8Type>(array, row, out),
        DataType::Int16 => number::<Int16Type>(array, row, out),
        DataType::Int32 => number::<Int32Type>(array, row, out),
        DataType::Int64 => number::<Int64Type>(array, row, out),
        DataType::Float32 => {
            let v = array.as_primitive::<Float32Type>().value(row);
            quoted(&v.to_string(), inside && !v.is_finite(), out);
        }
        DataType::Float64 => {
            let v = array.as_primitive::<Float64Type>().value(row);
            quoted(&v.to_string(), inside && !v.is_finite(), out);
        }
        DataType::Decimal128(..) => out.push_str(&array.as_primitive::<Decimal128Type>().value_as_string(row)),
        DataType::Utf8 => quoted(array.as_string::<i32>().value(row), inside, out),
        DataType::Binary => quoted(&hex(array.as_binary::<i32>().value(row)), inside, out),
        DataType::Date32 => quoted(&day(array.as_primitive::<Date32Type>().value(row)), inside, out),
        DataType::List(_) => {
            let elements = array.as_list::<i32>().value(row);
            list('[', ']', elements.len(), out, |i, out| write(&elements, i, true, out));
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            list('{', '}', entries.len(), out, |i, out| {
                write(entries.column(0), i, true, out);
                out.push(':');
                write(entries.column(1), i, true, out);
            });
        }
        DataType::Struct(fields) => {
            let values = array.as_struct();
            list('{', '}', fields.len(), out, |i, out| {
                quoted(fields[i].name(), true, out);
                out.push(':');
                write(values.column(i), row, true, out);
            });
        }
        // `hive_type` has refused the column.
        other => out.push_str(&other.to_string()),
    }
}

fn number<T: ArrowPrimitiveType<Native: std::fmt::Display>>(array: &dyn Array, row: usize, out: &mut String) {
    out.push_str(&array.as_primitive::<T>().value(row).to_string());
}

fn list(open: char, close: char, len: usize, out: &mut String, item: impl Fn(usize, &mut String)) {
    out.push(open);
    for i in 0..len {
        if i > 0 {
            out.push(',');
        }
        item(i, out);
    }
    out.push(close);
}

fn quoted(text: &str, quote: bool, out: &mut String) {
    match quote {
        true => out.push_str(&serde_json::Value::from(text).to_string()),
        false => out.push_str(text),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// As SQL writes it; as days since 1970 where the calendar ends.
fn day(days: i32) -> String {
    match date(1970, 1, 1).checked_add(days.days()) {
        Ok(day) => day.to_string(),
        Err(_) => format!("{days} days"),
    }
}

/// As SQL writes it, in UTC; as microseconds since 1970 where the calendar ends.
pub(super) fn timestamp(micros: i128) -> String {
    // civil time: jiff's Timestamp ends a day before the year 9999 does
    let epoch = date(1970, 1, 1).at(0, 0, 0, 0);
    let time = i64::try_from(micros).ok().and_then(|m| epoch.checked_add(SignedDuration::from_micros(m)).ok());
    match time {
        Some(t) => t.strftime("%Y-%m-%d %H:%M:%S%.f").to_string(),
        None => format!("{micros} µs"),
    }
}
