//! Values of a column on their way into an Arrow array, for any type.

use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder,
    Int8Builder, Int16Builder, Int32Builder, Int64Builder, NullBufferBuilder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, ListArray, MapArray, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, FieldRef, Fields};
use jiff::tz::TimeZone;

use super::headers::{as_json, distinct};
use crate::decode::coerce::{self, Mismatch};
use crate::decode::{Names, date, decimal, scan, text, timestamp};
use crate::model::Headers;
use crate::schema::HiveType;
use crate::schema::arrow::data_type;

/// Most rows, and bytes of texts, that a column makes room for because it had as many before.
const MOST_ROOM: usize = 2 << 20;

/// An Arrow builder by the type of its column.
pub(super) enum Builder {
    Boolean(BooleanBuilder),
    Int8(Int8Builder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Decimal(Decimal128Builder, u8, u8),
    Utf8(StringBuilder),
    Varchar(StringBuilder, u32),
    /// Without the blanks at the end, which mean nothing in a `char`.
    Char(StringBuilder, u32),
    Binary(BinaryBuilder),
    Date(Date32Builder),
    /// With the zone of texts that name none.
    Timestamp(TimestampMicrosecondBuilder, TimeZone),
    Array(Box<Lists>),
    Map(Box<Maps>),
    Struct(Box<Structs>),
}

/// Rows of an `array` or a `map`: where each ends among the values.
struct Rows {
    field: FieldRef,
    ends: Vec<i32>,
    nulls: NullBufferBuilder,
}

pub(super) struct Lists {
    rows: Rows,
    elements: Builder,
}

pub(super) struct Maps {
    rows: Rows,
    keys: StringBuilder,
    values: Builder,
}

pub(super) struct Structs {
    names: Names,
    types: Fields,
    fields: Vec<Builder>,
    nulls: NullBufferBuilder,
    /// Of the struct at hand: where in its text each field's last value is; and earlier ones of the same names.
    last: Vec<Option<(usize, usize)>>,
    earlier: Vec<(usize, (usize, usize))>,
}

/// What was made of a value that fits its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// All of it.
    Whole,
    /// A struct, there or below, with a null in place of a field of another type.
    Partial,
}

macro_rules! scalar {
    ($builder:expr, $b:ident => $body:expr, $rows:ident => $list:expr, $maps:ident => $map:expr, $structs:ident => $struct:expr) => {
        match $builder {
            Builder::Boolean($b) => $body,
            Builder::Int8($b) => $body,
            Builder::Int16($b) => $body,
            Builder::Int32($b) => $body,
            Builder::Int64($b) => $body,
            Builder::Float32($b) => $body,
            Builder::Float64($b) => $body,
            Builder::Decimal($b, ..) => $body,
            Builder::Utf8($b) | Builder::Varchar($b, _) | Builder::Char($b, _) => $body,
            Builder::Binary($b) => $body,
            Builder::Date($b) => $body,
            Builder::Timestamp($b, _) => $body,
            Builder::Array($rows) => $list,
            Builder::Map($maps) => $map,
            Builder::Struct($structs) => $struct,
        }
    };
}

impl Builder {
    /// A builder of this type, with room for some rows; timestamps that name no zone are in `zone`.
    pub(super) fn new(hive_type: &HiveType, zone: &TimeZone, room: usize) -> Builder {
        let arrow = data_type(hive_type);
        let rows = |field: &FieldRef| Rows { field: field.clone(), ends: vec![0], nulls: NullBufferBuilder::new(0) };
        match (hive_type, &arrow) {
            (HiveType::Boolean, _) => Builder::Boolean(BooleanBuilder::with_capacity(room)),
            (HiveType::TinyInt, _) => Builder::Int8(Int8Builder::with_capacity(room)),
            (HiveType::SmallInt, _) => Builder::Int16(Int16Builder::with_capacity(room)),
            (HiveType::Int, _) => Builder::Int32(Int32Builder::with_capacity(room)),
            (HiveType::BigInt, _) => Builder::Int64(Int64Builder::with_capacity(room)),
            (HiveType::Float, _) => Builder::Float32(Float32Builder::with_capacity(room)),
            (HiveType::Double, _) => Builder::Float64(Float64Builder::with_capacity(room)),
            (HiveType::Decimal { precision, scale }, _) => {
                Builder::Decimal(Decimal128Builder::with_capacity(room).with_data_type(arrow), *precision, *scale)
            }
            (HiveType::String, _) => Builder::Utf8(StringBuilder::with_capacity(room, room)),
            (HiveType::Varchar(n), _) => Builder::Varchar(StringBuilder::with_capacity(room, room), *n),
            (HiveType::Char(n), _) => Builder::Char(StringBuilder::with_capacity(room, room), *n),
            (HiveType::Binary, _) => Builder::Binary(BinaryBuilder::with_capacity(room, room)),
            (HiveType::Date, _) => Builder::Date(Date32Builder::with_capacity(room)),
            (HiveType::Array(element), DataType::List(field)) => {
                Builder::Array(Box::new(Lists { rows: rows(field), elements: Builder::new(element, zone, room) }))
            }
            (HiveType::Map(value), DataType::Map(field, _)) => {
                let (keys, values) = (StringBuilder::with_capacity(room, room), Builder::new(value, zone, room));
                Builder::Map(Box::new(Maps { rows: rows(field), keys, values }))
            }
            (HiveType::Struct(fields), DataType::Struct(types)) => Builder::Struct(Box::new(Structs {
                names: Names::new(fields.iter().map(|f| f.name.clone()).collect()),
                types: types.clone(),
                fields: fields.iter().map(|f| Builder::new(&f.hive_type, zone, room)).collect(),
                nulls: NullBufferBuilder::new(0),
                last: Vec::new(),
                earlier: Vec::new(),
            })),
            // The Arrow type is made from the Hive type, so nothing but a timestamp is left.
            _ => {
                Builder::Timestamp(TimestampMicrosecondBuilder::with_capacity(room).with_data_type(arrow), zone.clone())
            }
        }
    }

    /// The values, leaving none behind but room for as many.
    pub(super) fn finish(&mut self) -> ArrayRef {
        if let Builder::Utf8(b) = self {
            let (rows, bytes) = (b.len().min(MOST_ROOM), b.values_slice().len().min(MOST_ROOM));
            let fresh = StringBuilder::with_capacity(rows + rows / 8, bytes + bytes / 8);
            return Arc::new(std::mem::replace(b, fresh).finish());
        }
        scalar!(self, b => ArrayBuilder::finish(b), l => l.finish(), m => m.finish(), s => s.finish())
    }

    pub(super) fn append_null(&mut self) {
        scalar!(self, b => b.append_null(), l => l.rows.end(0, false), m => m.rows.end(0, false), s => s.append_null());
    }

    pub(super) fn append_text(&mut self, value: Option<&str>) {
        match (self, value) {
            (Builder::Utf8(b), value) => b.append_option(value),
            (Builder::Varchar(b, n), Some(value)) => b.append_value(coerce::cut(value.into(), *n)),
            (Builder::Char(b, n), Some(value)) => b.append_value(coerce::cut(value.into(), *n).trim_end_matches(' ')),
            (other, _) => other.append_null(),
        }
    }

    /// Appends the headers of a message: as a map, or as the text of a JSON object. No headers at all are null.
    pub(super) fn append_headers(&mut self, headers: Headers<'_>) {
        let headers = distinct(headers);
        match self {
            _ if headers.is_empty() => self.append_null(),
            Builder::Map(m) => {
                for (key, value) in &headers {
                    m.keys.append_value(key);
                    match (&mut m.values, value) {
                        (Builder::Binary(b), value) => b.append_option(*value),
                        (values, value) => values.append_text(value.map(String::from_utf8_lossy).as_deref()),
                    }
                }
                m.rows.end(headers.len(), true);
            }
            other => other.append_text(Some(&as_json(&headers))),
        }
    }

    /// Appends a JSON value; where it does not fit the type, nothing.
    ///
    /// An array or a map in which something does not fit is refused as a whole; a struct keeps the rest, also inside an
    /// array or a map: as in Spark.
    #[inline]
    pub(super) fn append(&mut self, raw: &str) -> Result<Fit, Mismatch> {
        match self {
            Builder::Boolean(b) => b.append_option(coerce::boolean(raw)?),
            Builder::Int8(b) => b.append_option(coerce::integer(raw)?),
            Builder::Int16(b) => b.append_option(coerce::integer(raw)?),
            Builder::Int32(b) => b.append_option(coerce::integer(raw)?),
            Builder::Int64(b) => b.append_option(coerce::integer(raw)?),
            Builder::Float32(b) => b.append_option(coerce::floating(raw)?),
            Builder::Float64(b) => b.append_option(coerce::floating(raw)?),
            Builder::Decimal(b, precision, scale) => b.append_option(decimal(raw, *precision, *scale)?),
            Builder::Utf8(_) if raw.is_empty() => return Err(Mismatch),
            Builder::Utf8(b) => b.append_option(text(raw)),
            Builder::Varchar(..) | Builder::Char(..) if raw.is_empty() => return Err(Mismatch),
            Builder::Varchar(..) | Builder::Char(..) => self.append_text(text(raw).as_deref()),
            Builder::Binary(b) => b.append_option(coerce::binary(raw)?),
            Builder::Date(b) => b.append_option(date(raw)?),
            Builder::Timestamp(b, zone) => b.append_option(timestamp(raw, zone)?),
            Builder::Array(_) | Builder::Map(_) if !self.takes(raw, false) => return Err(Mismatch),
            _ => return self.append_taken(raw),
        }
        Ok(Fit::Whole)
    }

    /// Appends a value of which [`Builder::takes`] has said that it fits.
    fn append_taken(&mut self, raw: &str) -> Result<Fit, Mismatch> {
        match self {
            Builder::Array(_) | Builder::Map(_) | Builder::Struct(_) if raw == "null" => {
                self.append_null();
                Ok(Fit::Whole)
            }
            Builder::Array(l) => l.append(raw),
            Builder::Map(m) => m.append(raw),
            Builder::Struct(s) if raw.starts_with('{') => Ok(s.append(raw)),
            Builder::Struct(_) => Err(Mismatch),
            other => other.append(raw),
        }
    }

    /// Whether a JSON value fits, but for fields of structs; with `wholly`, these too.
    pub(super) fn takes(&self, raw: &str, wholly: bool) -> bool {
        match self {
            Builder::Boolean(_) => coerce::boolean(raw).is_ok(),
            Builder::Int8(_) => coerce::integer::<i8>(raw).is_ok(),
            Builder::Int16(_) => coerce::integer::<i16>(raw).is_ok(),
            Builder::Int32(_) => coerce::integer::<i32>(raw).is_ok(),
            Builder::Int64(_) => coerce::integer::<i64>(raw).is_ok(),
            Builder::Float32(_) | Builder::Float64(_) => coerce::floating::<f64>(raw).is_ok(),
            Builder::Decimal(_, precision, scale) => decimal(raw, *precision, *scale).is_ok(),
            Builder::Utf8(_) | Builder::Varchar(..) | Builder::Char(..) => !raw.is_empty(),
            Builder::Binary(_) => coerce::binary(raw).is_ok(),
            Builder::Date(_) => date(raw).is_ok(),
            Builder::Timestamp(_, zone) => timestamp(raw, zone).is_ok(),
            _ if raw == "null" => true,
            Builder::Array(l) => raw.starts_with('[') && scan::elements(raw).all(|e| l.elements.takes(e, wholly)),
            Builder::Map(m) => {
                raw.starts_with('{') && scan::entries(raw).iter().all(|(_, v)| m.values.takes(v, wholly))
            }
            Builder::Struct(s) => raw.starts_with('{') && (!wholly || s.takes_all(raw)),
        }
    }
}

impl Rows {
    /// Ends a row of `values` values.
    fn end(&mut self, values: usize, is_valid: bool) {
        let last = self.ends.last().copied().unwrap_or_default();
        let values = i32::try_from(values).unwrap_or(i32::MAX);
        let end = last.checked_add(values).expect("a batch has fewer bytes of JSON than 2^31, and so fewer values");
        self.ends.push(end);
        self.nulls.append(is_valid);
    }
}

impl Lists {
    fn append(&mut self, raw: &str) -> Result<Fit, Mismatch> {
        let (mut count, mut fit) = (0, Fit::Whole);
        for element in scan::elements(raw) {
            if self.elements.append_taken(element)? == Fit::Partial {
                fit = Fit::Partial;
            }
            count += 1;
        }
        self.rows.end(count, true);
        Ok(fit)
    }

    fn finish(&mut self) -> ArrayRef {
        let ends = std::mem::replace(&mut self.rows.ends, vec![0]);
        let (field, nulls) = (self.rows.field.clone(), self.rows.nulls.finish());
        Arc::new(ListArray::new(field, OffsetBuffer::new(ends.into()), self.elements.finish(), nulls))
    }
}

impl Maps {
    fn append(&mut self, raw: &str) -> Result<Fit, Mismatch> {
        let entries = scan::entries(raw);
        let mut fit = Fit::Whole;
        for (key, value) in &entries {
            if self.values.append_taken(value)? == Fit::Partial {
                fit = Fit::Partial;
            }
            self.keys.append_value(key);
        }
        self.rows.end(entries.len(), true);
        Ok(fit)
    }

    fn finish(&mut self) -> ArrayRef {
        let ends = std::mem::replace(&mut self.rows.ends, vec![0]);
        let DataType::Struct(types) = self.rows.field.data_type() else {
            unreachable!("the entries of a map are structs: schema/arrow.rs makes them so")
        };
        let entries = vec![Arc::new(self.keys.finish()) as ArrayRef, self.values.finish()];
        let entries = StructArray::new(types.clone(), entries, None);
        Arc::new(MapArray::new(
            self.rows.field.clone(),
            OffsetBuffer::new(ends.into()),
            entries,
            self.rows.nulls.finish(),
            false,
        ))
    }
}

impl Structs {
    fn append_null(&mut self) {
        self.nulls.append_null();
        self.fields.iter_mut().for_each(Builder::append_null);
    }

    fn append(&mut self, raw: &str) -> Fit {
        self.find(raw);
        let mut fit = Fit::Whole;
        for (i, field) in self.fields.iter_mut().enumerate() {
            let value = |(start, end): (usize, usize)| raw.get(start..end).unwrap_or_default();
            let Some(last) = self.last[i].map(value) else {
                field.append_null();
                continue;
            };
            if let Ok(found) = field.append(last) {
                fit = if found == Fit::Partial { found } else { fit };
                continue;
            }
            // As at the top level, the last value that fits stays.
            fit = Fit::Partial;
            let mut earlier = self.earlier.iter().rev().filter(|(f, _)| *f == i);
            if !earlier.any(|(_, at)| field.append(value(*at)).is_ok()) {
                field.append_null();
            }
        }
        self.nulls.append_non_null();
        fit
    }

    /// Notes where each field's values are.
    fn find(&mut self, raw: &str) {
        self.last.clear();
        self.last.resize(self.fields.len(), None);
        self.earlier.clear();
        let mut hint = 0;
        for (key, value) in scan::fields(raw) {
            let Some(at) = self.names.find(key, hint) else { continue };
            hint = at + 1;
            let start = value.as_ptr() as usize - raw.as_ptr() as usize;
            if let Some(before) = self.last[at].replace((start, start + value.len())) {
                self.earlier.push((at, before));
            }
        }
    }

    /// Whether the last value of every field fits.
    fn takes_all(&self, raw: &str) -> bool {
        let mut last: Vec<Option<&str>> = vec![None; self.fields.len()];
        for (key, value) in scan::fields(raw) {
            if let Some(at) = self.names.find(key, 0) {
                last[at] = Some(value);
            }
        }
        self.fields.iter().zip(last).all(|(field, value)| value.is_none_or(|value| field.takes(value, true)))
    }

    fn finish(&mut self) -> ArrayRef {
        let nulls = self.nulls.finish();
        let fields = self.fields.iter_mut().map(Builder::finish).collect();
        Arc::new(StructArray::new(self.types.clone(), fields, nulls))
    }
}
