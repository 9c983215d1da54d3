//! Partitions that are not read on. What was read of them lands first: only then it is true where the log goes on, and
//! what a person or `kafka.on_gap` gives up.

use std::time::Instant;

use tracing::error;

use super::work::Work;
use super::{HALTED_EVERY, Pipeline};
use crate::model::Offset;
use crate::source::SourceError;

/// Why a partition is stopped, until that is told.
#[derive(Debug)]
pub(super) struct Halt {
    error: SourceError,
    /// All that was read before is in a batch that was sealed.
    sealed: bool,
}

impl Pipeline {
    /// A partition is not read on until a person decides.
    pub(super) fn halt(&mut self, error: SourceError) {
        if let Some((partition, at)) = error.stopped() {
            self.positions.stopped(partition, at);
        }
        self.halts.push(Halt { error, sealed: false });
    }

    /// The open batch is sealed.
    pub(super) fn seal_halts(&mut self) {
        let whole = self.intake.is_empty();
        self.halts.iter_mut().for_each(|halt| halt.sealed |= whole);
    }

    /// While nothing commits: tells what is stopped, where all that was read before is landed. Returns a gap that is to
    /// be recorded instead.
    pub(super) fn settle_halts(&mut self) -> Option<Work> {
        while let Some(at) = self.halts.iter().position(|halt| halt.sealed || self.is_empty()) {
            let Halt { error, .. } = self.halts.remove(at);
            match error {
                SourceError::Gap { partition, low, missing, .. } if self.record_gaps => {
                    return Some(Work::AcceptGap { partition, to: Offset(low), missing });
                }
                error => self.tell_halt(error),
            }
        }
        None
    }

    fn tell_halt(&mut self, error: SourceError) {
        error!(%error, fault = ?error.fault(), "a partition is stopped");
        self.reporter.stopped(&error);
        self.upkeep_due = self.upkeep_due.min(Instant::now() + HALTED_EVERY);
        if self.positions.bounded() {
            self.failure.get_or_insert(error.into());
        }
    }

    /// What was read is dropped, so that its partitions are to be read again, also those that were about to be stopped.
    pub(super) fn drop_halts(&mut self) {
        for halt in self.halts.drain(..) {
            halt.error.stopped().into_iter().for_each(|(partition, _)| self.positions.not_stopped(partition));
        }
    }
}
