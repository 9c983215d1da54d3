//! Arrow arrays of JSON values, for tests that write every type.

use arrow_array::ArrayRef;
use arrow_array::builder::{
    ArrayBuilder, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder,
    Int8Builder, Int16Builder, Int32Builder, Int64Builder, ListBuilder, MapBuilder, StringBuilder, StructBuilder,
    TimestampMicrosecondBuilder, make_builder,
};
use arrow_schema::DataType;
use serde_json::Value;

/// An array of these values; `Null` is null. In JSON's own forms, but for these, as text: decimals and dates as SQL
/// writes them, timestamps likewise (in UTC), bytes as the characters U+0000 to U+00FF, floats that are no numbers as
/// `NaN`, `Infinity` and `-Infinity`.
pub fn array<'a>(data_type: &DataType, values: impl IntoIterator<Item = &'a Value>) -> ArrayRef {
    let mut builder = make_builder(data_type, 16);
    for value in values {
        append(builder.as_mut(), data_type, value);
    }
    builder.finish()
}

type Any = Box<dyn ArrayBuilder>;

fn append(builder: &mut dyn ArrayBuilder, data_type: &DataType, value: &Value) {
    macro_rules! put {
        ($builder:ty, $value:expr) => {
            builder.as_any_mut().downcast_mut::<$builder>().expect(stringify!($builder)).append_option($value)
        };
    }
    let some = Some(value).filter(|v| !v.is_null());
    let int = || some.map(|v| v.as_i64().unwrap_or_else(|| panic!("not an integer: {v}")));
    let text = || some.map(|v| v.as_str().unwrap_or_else(|| panic!("not a text: {v}")));
    let float = || some.map(|v| v.as_f64().unwrap_or_else(|| v.as_str().unwrap().parse().unwrap()));
    match data_type {
        DataType::Boolean => put!(BooleanBuilder, some.map(|v| v.as_bool().unwrap())),
        DataType::Int8 => put!(Int8Builder, int().map(|v| v.try_into().unwrap())),
        DataType::Int16 => put!(Int16Builder, int().map(|v| v.try_into().unwrap())),
        DataType::Int32 => put!(Int32Builder, int().map(|v| v.try_into().unwrap())),
        DataType::Int64 => put!(Int64Builder, int()),
        DataType::Float32 => put!(Float32Builder, float().map(|v| v as f32)),
        DataType::Float64 => put!(Float64Builder, float()),
        DataType::Decimal128(_, scale) => put!(Decimal128Builder, text().map(|v| unscaled(v, *scale as usize))),
        DataType::Utf8 => put!(StringBuilder, text()),
        DataType::Binary => put!(BinaryBuilder, text().map(bytes)),
        DataType::Date32 => put!(Date32Builder, text().map(|v| (micros(v) / 86_400_000_000) as i32)),
        DataType::Timestamp(..) => put!(TimestampMicrosecondBuilder, text().map(micros)),
        DataType::List(element) => {
            let list = builder.as_any_mut().downcast_mut::<ListBuilder<Any>>().unwrap();
            for v in some.into_iter().flat_map(|v| v.as_array().unwrap()) {
                append(list.values(), element.data_type(), v);
            }
            list.append(some.is_some());
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(entry) = entries.data_type() else { panic!("{entries}") };
            let map = builder.as_any_mut().downcast_mut::<MapBuilder<Any, Any>>().unwrap();
            for (key, v) in some.into_iter().flat_map(|v| v.as_object().unwrap()) {
                append(map.keys(), entry[0].data_type(), &Value::from(key.as_str()));
                append(map.values(), entry[1].data_type(), v);
            }
            map.append(some.is_some()).unwrap();
        }
        DataType::Struct(fields) => {
            let object = builder.as_any_mut().downcast_mut::<StructBuilder>().unwrap();
            for (field, inner) in fields.iter().zip(object.field_builders_mut()) {
                append(
                    inner.as_mut(),
                    field.data_type(),
                    some.and_then(|v| v.get(field.name())).unwrap_or(&Value::Null),
                );
            }
            object.append(some.is_some());
        }
        other => panic!("no test writes {other}"),
    }
}

/// `-1.50` is -150.
fn unscaled(text: &str, scale: usize) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert_eq!(fraction.len(), scale, "{text}: write all {scale} digits");
    format!("{whole}{fraction}").parse().unwrap()
}

fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

/// Microseconds since 1970 of a date or a timestamp.
fn micros(text: &str) -> i64 {
    let midnight = if text.len() > 10 { text.to_owned() } else { format!("{text} 00:00:00") };
    let time: jiff::civil::DateTime = midnight.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
    let since = time.duration_since(jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0));
    since.as_micros().try_into().unwrap()
}
