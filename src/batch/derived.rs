//! Values made of a moment: its day, its hour.

use std::fmt::Write;

use super::builder::Builder;
use super::columns::Input;
use super::source::Source;
use crate::decode::{LocalTime, in_range, timestamp, write_date};

/// Where a moment comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The message's Kafka timestamp.
    Kafka,
    /// A JSON field in this slot of the decoder that holds a timestamp.
    Field(usize),
}

impl Moment {
    /// Day and hour; and whether there was a value that is no timestamp. Of a field that comes more than once, the last
    /// value that is one.
    pub(super) fn read(self, input: &Input<'_>, clock: &mut LocalTime) -> (Option<(i32, u8)>, bool) {
        let slot = match self {
            Moment::Kafka => {
                let Some(ms) = input.record.timestamp_ms else { return (None, false) };
                let at = ms.checked_mul(1000).and_then(|micros| in_range(micros).ok());
                let at = at.and_then(|micros| clock.at(micros).ok());
                return (at, at.is_none());
            }
            Moment::Field(slot) => slot,
        };
        let Some(raw) = input.row.raw(slot) else { return (None, false) };
        let mut read = |raw: &str| match timestamp(raw, clock.zone()) {
            Ok(None) => Some(None),
            Ok(Some(micros)) => clock.at(micros).ok().map(Some),
            Err(_) => None,
        };
        match read(raw) {
            Some(at) => (at, false),
            None => (input.row.before(slot).find_map(read).flatten(), true),
        }
    }
}

/// Appends the day or the hour that `source` stands for; `true`: it should have been one, and is none.
pub(super) fn append(builder: &mut Builder, source: Source, input: &Input<'_>, clock: &mut LocalTime) -> bool {
    let (moment, is_date) = match source {
        Source::Date(moment) => (moment, true),
        Source::Hour(moment) => (moment, false),
        _ => return false,
    };
    let (at, wrong) = moment.read(input, clock);
    let Some((day, hour)) = at else {
        builder.append_null();
        return wrong;
    };
    match builder {
        Builder::Date(b) => b.append_value(day),
        // An hour is below 24.
        Builder::Int8(b) => b.append_value(hour as i8),
        Builder::Int16(b) => b.append_value(hour.into()),
        Builder::Int32(b) => b.append_value(hour.into()),
        Builder::Int64(b) => b.append_value(hour.into()),
        other => {
            let mut text = String::new();
            write_text(&mut text, is_date, day, hour);
            other.append_text(Some(&text));
        }
    }
    wrong
}

/// A day as `2026-11-22`, or an hour as `07`.
pub(super) fn write_text(out: &mut String, is_date: bool, day: i32, hour: u8) {
    if is_date {
        write_date(out, day);
    } else {
        // Writing to a string cannot fail.
        _ = write!(out, "{hour:02}");
    }
}
