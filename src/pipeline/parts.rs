//! What a pipeline is made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{EncodeContext, Memory, Reporter, Upkeep, Workers};
use crate::batch::{Plan, Trigger};
use crate::commit::Committer;
use crate::model::TopicPartition;
use crate::source::Source;

/// What a pipeline is made of.
pub struct Parts {
    /// Where messages come from.
    pub source: Box<dyn Source>,
    /// Tables, columns, routes.
    pub plan: Arc<Plan>,
    /// When a batch is closed.
    pub trigger: Trigger,
    /// How rows are encoded.
    pub encode: Arc<EncodeContext>,
    /// The threads that decode and encode.
    pub workers: Workers,
    /// How much may be held between the source and the storage.
    pub memory: Memory,
    /// Lands batches.
    pub committer: Committer,
    /// Tells the world.
    pub reporter: Reporter,
    /// What is looked after beside.
    pub upkeep: Upkeep,
    /// Whether messages that retention took are skipped, with a record in the log, instead of stopping their partition.
    pub record_gaps: bool,
    /// `run --available-now`: read up to these offsets, then end.
    pub until: Option<BTreeMap<TopicPartition, i64>>,
}
