//! What the pipeline sees of itself, and tells every second.

use std::time::Instant;

use super::Pipeline;
use super::report::Sight;

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

    /// Of a bounded run; `read` messages more are read.
    pub(super) fn tell_what_is_left(&self, read: u64) {
        if self.positions.bounded() {
            self.reporter.read_on(read, self.positions.offsets_left());
        }
    }
}
