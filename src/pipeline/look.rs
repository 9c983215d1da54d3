//! What the pipeline sees of itself, and tells: every second, and when a partition is stopped.

use std::time::Instant;

use tracing::error;

use super::report::Sight;
use super::{HALTED_EVERY, Pipeline};
use crate::model::Offset;
use crate::source::SourceError;

impl Pipeline {
    /// Looks after the pause and, when it is due, the status.
    pub(super) fn look(&mut self) {
        let elapsed = self.begun.elapsed();
        let paused = self.brake.look(elapsed);
        let news = (paused.is_some(), self.stopping);
        if std::mem::replace(&mut self.told, news) == news && Instant::now() < self.reporter.due() {
            return;
        }
        self.reporter.look(Sight {
            view: self.source.view(),
            held: self.memory.held(),
            max: self.memory.max(),
            full: self.memory.is_full() || self.memory.is_behind(),
            paused,
            stopping: self.stopping,
            open: (!self.is_empty()).then(|| elapsed.saturating_sub(self.opened_at)),
        });
    }

    /// A partition is not read on until a person decides.
    pub(super) fn halt(&mut self, error: SourceError) {
        if let Some(partition) = error.partition() {
            self.positions.stopped(partition);
        }
        if let SourceError::Gap { partition, low, missing, .. } = &error
            && self.record_gaps
        {
            self.gaps.push((partition.clone(), Offset(*low), *missing));
            return;
        }
        error!(%error, fault = ?error.fault(), "a partition is stopped");
        self.reporter.stopped(&error);
        self.upkeep_due = self.upkeep_due.min(Instant::now() + HALTED_EVERY);
        if self.positions.bounded() {
            self.failure.get_or_insert(error.into());
        }
    }

    /// Of a bounded run; `read` messages more are read.
    pub(super) fn tell_what_is_left(&self, read: u64) {
        if self.positions.bounded() {
            self.reporter.read_on(read, self.positions.offsets_left());
        }
    }
}
