//! Which partition a row belongs to.

use std::fmt::Write;

use jiff::tz::TimeZone;

use super::columns::Input;
use super::derived::write_text;
use super::plan::PlannedTable;
use super::source::Source;
use crate::decode::coerce::{cut, integer};
use crate::decode::{LocalTime, date, text, write_date};
use crate::schema::{HiveType, partition};

/// The partition columns of a table.
pub(super) struct Keys {
    keys: Vec<Key>,
    room: usize,
    clock: LocalTime,
    /// The directory of the row at hand, and the value at hand; kept for their memory.
    directory: String,
    value: String,
}

struct Key {
    name: String,
    hive_type: HiveType,
    source: Source,
    errors: u64,
}

/// A value as text, in the buffer that was given.
enum Value {
    Null,
    There,
    /// Of another type than its column: null, or an earlier one of the same field that fits.
    Wrong {
        earlier: bool,
    },
}

impl Keys {
    /// `None`: the table has no partitions.
    pub(super) fn new(table: &PlannedTable, zone: &TimeZone) -> Option<Keys> {
        let columns = &table.table.partition_columns;
        let keys = columns.iter().zip(&table.partition_sources).map(|(c, &source)| {
            let (name, hive_type) = (c.physical_name.clone(), c.hive_type.clone());
            Key { name, hive_type, source, errors: 0 }
        });
        let keys: Vec<_> = keys.collect();
        let (room, clock) = (partition::room(keys.len()), LocalTime::new(zone.clone()));
        (!keys.is_empty()).then(|| Keys { keys, room, clock, directory: String::new(), value: String::new() })
    }

    /// The directory of the row's partition, below that of its table.
    pub(super) fn directory(&mut self, input: &Input<'_>) -> &str {
        self.directory.clear();
        for key in &mut self.keys {
            self.value.clear();
            let value = key.read(input, &mut self.clock, &mut self.value);
            let there = matches!(value, Value::There | Value::Wrong { earlier: true });
            let value_text = there.then_some(self.value.as_str());
            let pushed = partition::push(&mut self.directory, &key.name, value_text, self.room);
            key.errors += u64::from(!pushed || matches!(value, Value::Wrong { .. }));
        }
        &self.directory
    }

    /// By partition column, how many values were none; forgotten with this call.
    pub(super) fn take_errors(&mut self) -> impl Iterator<Item = u64> + '_ {
        self.keys.iter_mut().map(|k| std::mem::take(&mut k.errors))
    }

    /// Whether a partition column, given by its number, takes this JSON value.
    pub(super) fn takes(&self, key: usize, raw: &str) -> bool {
        let mut value = String::new();
        match self.keys[key].json(raw, &mut value) {
            None => false,
            Some(false) => true,
            Some(true) => partition::push(&mut String::new(), &self.keys[key].name, Some(&value), self.room),
        }
    }
}

impl Key {
    fn read(&self, input: &Input<'_>, clock: &mut LocalTime, out: &mut String) -> Value {
        let record = input.record;
        let there = match self.source {
            Source::Field(slot) => return self.field(slot, input, out),
            Source::Date(moment) | Source::Hour(moment) => {
                let is_date = matches!(self.source, Source::Date(_));
                let (at, wrong) = moment.read(input, clock);
                if let Some((day, hour)) = at {
                    match self.hive_type {
                        HiveType::Varchar(n) => {
                            let mut whole = String::new();
                            write_text(&mut whole, is_date, day, hour);
                            out.push_str(&cut(whole.into(), n));
                        }
                        HiveType::String | HiveType::Date => write_text(out, is_date, day, hour),
                        _ => _ = write!(out, "{hour}"),
                    }
                }
                return match (wrong, at.is_some()) {
                    (true, earlier) => Value::Wrong { earlier },
                    (false, true) => Value::There,
                    (false, false) => Value::Null,
                };
            }
            Source::Key => {
                let key = record.key.map(String::from_utf8_lossy);
                key.map(|key| self.text(&key, out)).is_some()
            }
            Source::Topic => {
                self.text(input.topic, out);
                true
            }
            Source::Partition => {
                // Writing to a string cannot fail.
                _ = write!(out, "{}", record.partition.partition);
                true
            }
            // The plan lets no other source fill a partition column.
            _ => false,
        };
        if there { Value::There } else { Value::Null }
    }

    /// The last value of a field that fits.
    fn field(&self, slot: usize, input: &Input<'_>, out: &mut String) -> Value {
        let Some(raw) = input.row.raw(slot) else { return Value::Null };
        match self.json(raw, out) {
            Some(true) => Value::There,
            Some(false) => Value::Null,
            None => {
                let earlier = input.row.before(slot).find_map(|raw| self.json(raw, out)).unwrap_or(false);
                Value::Wrong { earlier }
            }
        }
    }

    /// Writes a JSON value as the column's text; `false`: it is null; `None`: it does not fit, and nothing is written.
    fn json(&self, raw: &str, out: &mut String) -> Option<bool> {
        if let Source::Date(_) | Source::Hour(_) = self.source {
            return None;
        }
        let number = |n: Option<i64>, out: &mut String| {
            // Writing to a string cannot fail.
            n.map(|n| _ = write!(out, "{n}")).is_some()
        };
        Some(match &self.hive_type {
            HiveType::TinyInt => number(integer::<i8>(raw).ok()?.map(i64::from), out),
            HiveType::SmallInt => number(integer::<i16>(raw).ok()?.map(i64::from), out),
            HiveType::Int => number(integer::<i32>(raw).ok()?.map(i64::from), out),
            HiveType::BigInt => number(integer::<i64>(raw).ok()?, out),
            HiveType::Date => date(raw).ok()?.map(|day| write_date(out, day)).is_some(),
            // Of a path on which something is no object.
            _ if raw.is_empty() => return None,
            _ => text(raw).map(|text| self.text(&text, out)).is_some(),
        })
    }

    fn text(&self, text: &str, out: &mut String) {
        match self.hive_type {
            HiveType::Varchar(n) => out.push_str(&cut(text.into(), n)),
            _ => out.push_str(text),
        }
    }
}
