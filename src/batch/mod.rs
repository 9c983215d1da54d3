//! Micro-batches: messages become rows of all their tables until the batch is sealed.

pub mod buffer;
pub mod ceiling;
mod columns;
pub mod limits;
pub mod plan;
mod sealed;
mod source;
#[cfg(test)]
mod tests;
pub mod trigger;

pub use buffer::{Again, BatchBuffer, Buried, PushError};
pub use plan::{Plan, PlannedTable};
pub use sealed::{FieldErrors, SealedBatch, SealedPartition, SealedTable};
pub use source::Source;
pub use trigger::{SealReason, Trigger};
