//! Rows of one table on their way into Arrow arrays.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use jiff::tz::TimeZone;

use super::builder::{Builder, Fit};
use super::plan::PlannedTable;
use super::source::Source;
use crate::decode::{Reason, Reject, UnionRow, in_range, text};
use crate::model::Record;

/// Most bytes of a value that the detail of a dead letter shows.
const SHOWN: usize = 200;

/// All that a row can be made of.
pub(super) struct Input<'r> {
    pub record: &'r Record<'r>,
    /// Its topic, with the incarnation if it was declared new: `events#1`.
    pub topic: &'r str,
    /// Its fields; nothing for a dead letter.
    pub row: &'r UnionRow<'r>,
    /// The whole message as text; `None` where it is no UTF-8 or too large.
    pub text: Option<&'r str>,
    /// The message, or its first bytes where it is too large; `None` for a tombstone.
    pub bytes: Option<&'r [u8]>,
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
    pub(super) fn new(table: &PlannedTable, zone: &TimeZone) -> TableBuffer {
        let columns = table.table.columns.iter().zip(&table.sources);
        let columns = columns.map(|(c, &source)| ColumnBuffer {
            source,
            builder: (source != Source::BatchId).then(|| Builder::new(&c.hive_type, zone)),
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

    /// Why the message is none for this table, `table`, if it has a value of another type than its column.
    pub(super) fn refuses(&self, table: &PlannedTable, row: &UnionRow<'_>) -> Option<Reject> {
        let (column, raw) = table.table.columns.iter().zip(&self.columns).find_map(|(column, buffer)| {
            let Source::Field(slot) = buffer.source else { return None };
            let raw = row.raw(slot)?;
            let fits = buffer.builder.as_ref().is_none_or(|b| b.takes(raw, true));
            (!fits).then_some((column, raw))
        })?;
        let mut end = raw.len().min(SHOWN);
        while !raw.is_char_boundary(end) {
            end -= 1;
        }
        let found = match raw {
            "" => "something that is no object stands in the way of its path".to_owned(),
            _ if end < raw.len() => format!("found {}…", &raw[..end]),
            _ => format!("found {raw}"),
        };
        let detail = format!("table {}, column {} {}: {found}", table.table.name, column.name, column.hive_type);
        Some(Reject::new(Reason::TypeError, detail))
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
            Source::Field(slot) => self.errors += u64::from(append_field(builder, input.row, slot)),
            Source::Value => append_bytes(builder, input.bytes, input.text),
            Source::Key => {
                let key = record.key.map(String::from_utf8_lossy);
                append_bytes(builder, record.key, key.as_deref());
            }
            Source::Timestamp => match builder {
                Builder::Int64(b) => b.append_option(record.timestamp_ms),
                Builder::Timestamp(b, _) => {
                    let micros = record.timestamp_ms.map(|ms| ms.checked_mul(1000).and_then(|us| in_range(us).ok()));
                    self.errors += u64::from(micros == Some(None));
                    b.append_option(micros.flatten());
                }
                other => other.append_text(input.timestamp),
            },
            Source::Topic => builder.append_text(Some(input.topic)),
            Source::Partition => match builder {
                Builder::Int32(b) => b.append_value(record.partition.partition),
                other => append_i64(other, i64::from(record.partition.partition)),
            },
            Source::Offset => append_i64(builder, record.offset),
            Source::Headers => builder.append_headers(record.headers),
            Source::Reason => builder.append_text(input.reject.map(|r| r.reason.as_str())),
            Source::Detail => builder.append_text(input.reject.map(|r| r.detail.as_str())),
            Source::BatchId => {}
        }
    }
}

fn append_i64(builder: &mut Builder, value: i64) {
    match builder {
        Builder::Int64(b) => b.append_value(value),
        other => other.append_null(),
    }
}

fn append_bytes(builder: &mut Builder, bytes: Option<&[u8]>, text: Option<&str>) {
    match builder {
        Builder::Binary(b) => b.append_option(bytes),
        other => other.append_text(text),
    }
}

/// Appends the last value of a field that fits, as Spark has it: `1,"x"` is 1 for a number. Says whether the last value
/// of all, or something in it, was of another type.
#[inline]
fn append_field(builder: &mut Builder, row: &UnionRow<'_>, slot: usize) -> bool {
    let Some(raw) = row.raw(slot) else {
        builder.append_null();
        return false;
    };
    // Most columns are texts: without a call.
    if let Builder::Utf8(b) = builder
        && !raw.is_empty()
    {
        b.append_option(text(raw));
        return false;
    }
    if let Ok(fit) = builder.append(raw) {
        return fit == Fit::Partial;
    }
    if !row.before(slot).any(|raw| builder.append(raw).is_ok()) {
        builder.append_null();
    }
    true
}
