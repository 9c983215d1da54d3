//! Message bytes to typed values: one strict pass, then each column's value as Spark would have it.

pub mod coerce;
mod decoder;
mod reject;
mod row;
mod text;
mod timestamp;

pub use decoder::Decoder;
pub use reject::{Reason, Reject};
pub use row::UnionRow;
pub use text::text;
pub use timestamp::TimestampText;
