//! Rows of one table on their way into Arrow arrays.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use jiff::tz::TimeZone;

use super::builder::{Builder, Fit};
use super::derived;
use super::partition::Keys;
use super::plan::PlannedTable;
use super::source::Source;
use crate::decode::coerce::integer;
use crate::decode::{LocalTime, Reason, Reject, UnionRow, in_range, timestamp};
use crate::model::Record;

/// Most bytes of a value that the detail of a dead letter shows.
const SHOWN: usize = 200;

/// Rows that a column has room for when it begins; of many partitions each may get few.
const ROOM: usize = 1024;
const ROOM_OF_PARTITION: usize = 16;

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
    keys: Option<Keys>,
    /// The only part of a table without partitions; of another one, what new parts are like: it never has rows.
    whole: Part,
    parts: Vec<Part>,
    by_directory: HashMap<String, usize>,
    /// The part of the last row: most come in runs.
    latest: usize,
    clock: LocalTime,
}

/// The rows of one partition, or of a table that has none.
pub(super) struct Part {
    /// Its directory below the table's; empty for that one itself.
    pub directory: String,
    pub rows: usize,
    columns: Vec<ColumnBuffer>,
}

impl TableBuffer {
    pub(super) fn new(table: &PlannedTable, zone: &TimeZone) -> TableBuffer {
        let keys = Keys::new(table, zone);
        let room = if keys.is_some() { 0 } else { ROOM };
        let whole = Part::new(table, zone, String::new(), room);
        let clock = LocalTime::new(zone.clone());
        TableBuffer { keys, whole, parts: Vec::new(), by_directory: HashMap::new(), latest: 0, clock }
    }

    pub(super) fn append(&mut self, table: &PlannedTable, input: &Input<'_>) {
        let Some(keys) = &mut self.keys else { return self.whole.append(input, &mut self.clock) };
        let directory = keys.directory(input);
        if self.parts.get(self.latest).is_none_or(|p| p.directory != directory) {
            self.latest = match self.by_directory.get(directory) {
                Some(&at) => at,
                None => {
                    let at = self.parts.len();
                    self.by_directory.insert(directory.to_owned(), at);
                    self.parts.push(Part::new(table, self.clock.zone(), directory.to_owned(), ROOM_OF_PARTITION));
                    at
                }
            };
        }
        self.parts[self.latest].append(input, &mut self.clock);
    }

    /// How many files its rows will be.
    pub(super) fn files(&self) -> usize {
        self.parts.len() + usize::from(self.whole.rows > 0)
    }

    /// Why the message is none for this table, `table`, if it has a value of another type than its column.
    pub(super) fn refuses(&mut self, table: &PlannedTable, row: &UnionRow<'_>) -> Option<Reject> {
        let (columns, keys, clock) = (&self.whole.columns, self.keys.as_ref(), &mut self.clock);
        let mut is_moment = |raw: &str| match timestamp(raw, clock.zone()) {
            Ok(micros) => micros.is_none_or(|micros| clock.at(micros).is_ok()),
            Err(_) => false,
        };
        let of_column = |at: usize, raw: &str| match (columns.get(at), keys) {
            (Some(buffer), _) => buffer.builder.as_ref().is_none_or(|b| b.takes(raw, true)),
            (None, keys) => keys.is_none_or(|k| k.takes(at - columns.len(), raw)),
        };
        let all = table.table.all_columns().zip(table.all_sources()).enumerate();
        let (column, raw) = all
            .filter_map(|(at, (column, source))| {
                let raw = row.raw(source.slot()?)?;
                let fits = if let Source::Field(_) = source { of_column(at, raw) } else { is_moment(raw) };
                (!fits).then_some((column, raw))
            })
            .next()?;
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

    /// The parts that have rows, each with its columns, leaving none behind; `None` for a column that holds the batch's
    /// number.
    pub(super) fn finish(&mut self) -> Vec<(String, usize, Vec<Option<ArrayRef>>)> {
        self.by_directory.clear();
        self.latest = 0;
        let mut parts = std::mem::take(&mut self.parts);
        parts.sort_by(|a, b| a.directory.cmp(&b.directory));
        let parted = parts.iter_mut().map(Part::finish).collect::<Vec<_>>();
        let whole = (self.whole.rows > 0).then(|| self.whole.finish());
        whole.into_iter().chain(parted).collect()
    }

    /// By column, those of the partition last, how many values were of another type than it; forgotten with this call.
    pub(super) fn take_errors(&mut self) -> Vec<(usize, u64)> {
        let mut errors: Vec<u64> = vec![0; self.whole.columns.len()];
        for part in self.parts.iter_mut().chain([&mut self.whole]) {
            let columns = part.columns.iter_mut().zip(&mut errors);
            columns.for_each(|(c, sum)| *sum += std::mem::take(&mut c.errors));
        }
        errors.extend(self.keys.iter_mut().flat_map(Keys::take_errors));
        errors.into_iter().enumerate().filter(|(_, n)| *n > 0).collect()
    }
}

impl Part {
    fn new(table: &PlannedTable, zone: &TimeZone, directory: String, room: usize) -> Part {
        let columns = table.table.columns.iter().zip(&table.sources);
        let columns = columns.map(|(c, &source)| ColumnBuffer {
            source,
            builder: (source != Source::BatchId).then(|| Builder::new(&c.hive_type, zone, room)),
            errors: 0,
        });
        Part { directory, rows: 0, columns: columns.collect() }
    }

    fn append(&mut self, input: &Input<'_>, clock: &mut LocalTime) {
        for column in &mut self.columns {
            column.append(input, clock);
        }
        self.rows += 1;
    }

    fn finish(&mut self) -> (String, usize, Vec<Option<ArrayRef>>) {
        let columns = self.columns.iter_mut().map(|c| c.builder.as_mut().map(Builder::finish)).collect();
        (self.directory.clone(), std::mem::take(&mut self.rows), columns)
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
    fn append(&mut self, input: &Input<'_>, clock: &mut LocalTime) {
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
            Source::Date(_) | Source::Hour(_) => {
                self.errors += u64::from(derived::append(builder, self.source, input, clock));
            }
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
    // Most columns are these: without a call.
    match builder {
        Builder::Utf8(b) if !raw.is_empty() => {
            b.append_option(row.text_of(raw));
            return false;
        }
        Builder::Int64(b) => {
            if let Ok(value) = integer(raw) {
                b.append_option(value);
                return false;
            }
        }
        _ => {}
    }
    if let Ok(fit) = builder.append(raw) {
        return fit == Fit::Partial;
    }
    if !row.before(slot).any(|raw| builder.append(raw).is_ok()) {
        builder.append_null();
    }
    true
}
