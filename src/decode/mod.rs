//! Message bytes to typed values: one strict pass, then each column's value as Spark would have it.

pub mod coerce;
mod decimal;
mod decoder;
mod instant;
mod learned;
mod local;
mod names;
#[cfg(test)]
mod oracle_tests;
mod paths;
mod reject;
mod row;
pub mod scan;
mod strict;
mod text;
mod timestamp;

pub use decimal::decimal;
pub use decoder::Decoder;
pub use instant::{date, in_range, timestamp};
pub use local::LocalTime;
pub use names::Names;
pub use reject::{Reason, Reject};
pub use row::UnionRow;
pub use text::{text, unescape};
pub use timestamp::{TimestampText, write_date};
