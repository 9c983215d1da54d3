//! The vocabulary of the pipeline. Imports nothing else of landfall.

mod batch;
mod headers;
mod offset;
mod offsets;
mod record;
mod tail;

pub use batch::{Accounting, BatchId, Slot};
pub use headers::Headers;
pub use offset::{BrokenChain, Offset, OffsetRange, TopicPartition};
pub use offsets::OffsetSet;
pub use record::{Chunk, Record};
pub use tail::Tail;
