//! Rows of one table on their way into Arrow arrays.

use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, BinaryBuilder, BooleanBuilder, Float32Builder, Float64Builder, Int8Builder, Int16Builder,
    Int32Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, Int64Array};

use super::plan::PlannedTable;
use super::source::Source;
use crate::decode::{Reject, UnionRow, coerce, text};
use crate::model::Record;
use crate::schema::HiveType;
use crate::schema::arrow::data_type;

/// All that a row can be made of.
pub(super) struct Input<'r> {
    pub record: &'r Record<'r>,
    /// Its topic, with the incarnation if it was declared new: `events#1`.
    pub topic: &'r str,
    /// Its fields; nothing for a dead letter.
    pub row: &'r UnionRow<'r>,
    /// The whole message as text; `None` where it is no UTF-8 or too large.
    pub text: Option<&'r str>,
    /// The message, or its first bytes where it is too large.
    pub bytes: &'r [u8],
    /// The Kafka timestamp as text.
    pub timestamp: Option<&'r str>,
    /// Why it is a dead letter.
    pub reject: Option<&'r Reject>,
}

/// The rows of one table.
pub(super) struct TableBuffer {
    columns: Vec<ColumnBuffer>,
    pub rows: usize,
}

impl TableBuffer {
    pub(super) fn new(table: &PlannedTable) -> TableBuffer {
        let columns = table.table.columns.iter().zip(&table.sources);
        let columns = columns.map(|(c, &source)| ColumnBuffer {
            source,
            builder: (source != Source::BatchId).then(|| Builder::new(&c.hive_type)),
            errors: 0,
        });
        TableBuffer { columns: columns.collect(), rows: 0 }
    }

    pub(super) fn append(&mut self, input: &Input<'_>) {
        for column in &mut self.columns {
            column.append(input);
        }
        self.rows += 1;
    }

    /// The columns, leaving none behind; `None` for a column that holds the batch's number.
    pub(super) fn finish(&mut self) -> Vec<Option<ArrayRef>> {
        self.rows = 0;
        self.columns.iter_mut().map(|c| c.builder.as_mut().map(Builder::finish)).collect()
    }

    /// By column, how many values were of another type than it; forgotten with this call.
    pub(super) fn take_errors(&mut self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let errors = self.columns.iter_mut().map(|c| std::mem::take(&mut c.errors)).enumerate();
        errors.filter(|(_, n)| *n > 0)
    }
}

/// The column of the batch's number.
pub(super) fn batch_ids(batch_id: u64, rows: usize) -> ArrayRef {
    Arc::new(Int64Array::from_value(i64::try_from(batch_id).unwrap_or(i64::MAX), rows))
}

struct ColumnBuffer {
    source: Source,
    /// `None` for the batch's number, known only later.
    builder: Option<Builder>,
    errors: u64,
}

impl ColumnBuffer {
    #[inline]
    fn append(&mut self, input: &Input<'_>) {
        let Some(builder) = &mut self.builder else { return };
        let record = input.record;
        match self.source {
            Source::Field(slot) => self.errors += u64::from(builder.append_field(input.row, slot)),
            Source::Value => builder.append_bytes(Some(input.bytes), input.text),
            Source::Key => {
                let key = record.key.map(String::from_utf8_lossy);
                builder.append_bytes(record.key, key.as_deref())
            }
            Source::Timestamp => match builder {
                Builder::Utf8(b) => b.append_option(input.timestamp),
                Builder::Int64(b) => b.append_option(record.timestamp_ms),
                // Microseconds reach the year 294246; what Kafka may claim beyond it has no value here.
                Builder::Micros(b) => b.append_option(record.timestamp_ms.and_then(|ms| ms.checked_mul(1000))),
                other => other.append_null(),
            },
            Source::Topic => builder.append_text(Some(input.topic)),
            Source::Partition => match builder {
                Builder::Int32(b) => b.append_value(record.partition.partition),
                other => other.append_i64(i64::from(record.partition.partition)),
            },
            Source::Offset => builder.append_i64(record.offset),
            Source::Reason => builder.append_text(input.reject.map(|r| r.reason.as_str())),
            Source::Detail => builder.append_text(input.reject.map(|r| r.detail.as_str())),
            Source::BatchId => {}
        }
    }
}

/// An Arrow builder by the type of its column.
enum Builder {
    Boolean(BooleanBuilder),
    Int8(Int8Builder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Utf8(StringBuilder),
    Binary(BinaryBuilder),
    Micros(TimestampMicrosecondBuilder),
}

macro_rules! each {
    ($builder:expr, $b:ident => $body:expr) => {
        match $builder {
            Builder::Boolean($b) => $body,
            Builder::Int8($b) => $body,
            Builder::Int16($b) => $body,
            Builder::Int32($b) => $body,
            Builder::Int64($b) => $body,
            Builder::Float32($b) => $body,
            Builder::Float64($b) => $body,
            Builder::Utf8($b) => $body,
            Builder::Binary($b) => $body,
            Builder::Micros($b) => $body,
        }
    };
}

impl Builder {
    fn new(hive_type: &HiveType) -> Builder {
        match hive_type {
            HiveType::Boolean => Builder::Boolean(BooleanBuilder::new()),
            HiveType::TinyInt => Builder::Int8(Int8Builder::new()),
            HiveType::SmallInt => Builder::Int16(Int16Builder::new()),
            HiveType::Int => Builder::Int32(Int32Builder::new()),
            HiveType::BigInt => Builder::Int64(Int64Builder::new()),
            HiveType::Float => Builder::Float32(Float32Builder::new()),
            HiveType::Double => Builder::Float64(Float64Builder::new()),
            HiveType::String => Builder::Utf8(StringBuilder::new()),
            HiveType::Binary => Builder::Binary(BinaryBuilder::new()),
            HiveType::Timestamp => {
                Builder::Micros(TimestampMicrosecondBuilder::new().with_data_type(data_type(hive_type)))
            }
            other => unreachable!("the plan lets no column of type {other} through yet"),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        each!(self, b => ArrayBuilder::finish(b))
    }

    /// For a source that cannot fill the type; the plan lets none through.
    fn append_null(&mut self) {
        debug_assert!(false, "the plan has paired a source with a type it cannot fill");
        each!(self, b => b.append_null());
    }

    fn append_i64(&mut self, value: i64) {
        match self {
            Builder::Int64(b) => b.append_value(value),
            other => other.append_null(),
        }
    }

    fn append_text(&mut self, value: Option<&str>) {
        match self {
            Builder::Utf8(b) => b.append_option(value),
            other => other.append_null(),
        }
    }

    fn append_bytes(&mut self, bytes: Option<&[u8]>, text: Option<&str>) {
        match self {
            Builder::Binary(b) => b.append_option(bytes),
            other => other.append_text(text),
        }
    }

    /// Says whether the value was of another type.
    #[inline]
    fn append_field(&mut self, row: &UnionRow<'_>, slot: usize) -> bool {
        macro_rules! convert {
            ($b:expr, $convert:expr) => {{
                let (value, mismatch) = row.convert(slot, $convert);
                $b.append_option(value);
                mismatch
            }};
        }
        match self {
            // Any value converts to a string, so the last one stays.
            Builder::Utf8(b) => {
                b.append_option(row.raw(slot).and_then(text));
                false
            }
            Builder::Boolean(b) => convert!(b, coerce::boolean),
            Builder::Int8(b) => convert!(b, coerce::integer),
            Builder::Int16(b) => convert!(b, coerce::integer),
            Builder::Int32(b) => convert!(b, coerce::integer),
            Builder::Int64(b) => convert!(b, coerce::integer),
            Builder::Float32(b) => convert!(b, coerce::floating),
            Builder::Float64(b) => convert!(b, coerce::floating),
            Builder::Binary(_) | Builder::Micros(_) => {
                self.append_null();
                true
            }
        }
    }
}
