//! Micro-batches: messages become rows of all their tables until the batch is sealed.

pub mod buffer;
mod builder;
pub mod ceiling;
mod columns;
pub mod derived;
mod headers;
mod letters;
pub mod limits;
mod partition;
pub mod plan;
mod rows;
mod sealed;
mod source;
#[cfg(test)]
mod tests;
pub mod trigger;
mod unknown;

pub use buffer::{BatchBuffer, Buried, PushError};
pub use derived::Moment;
pub use letters::{Letter, Letters};
pub use plan::{Plan, PlannedTable};
pub use rows::Again;
pub use sealed::{FieldErrors, SealedBatch, SealedPartition, SealedTable, UnknownField};
pub use source::Source;
pub use trigger::{Size, Trigger};
