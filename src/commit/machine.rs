//! The commit protocol as a function: `(state, input) → action`. No I/O, no clock, no randomness.
//!
//! One rename of a whole staging directory into the next slot of the log is the commit; everything else is private
//! before it and can be done by anybody after it. The machine never believes the reply of that rename: it reads the
//! slot and compares the batch id.

use super::batch::Claim;
use crate::checkpoint::{ChainError, LogState, Manifest};
use crate::model::Slot;

/// What to do next. The driver does it until it has an answer, however long that takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Write all files and the manifest into a new staging directory, under a new batch id.
    Stage {
        /// The number that the batch will have if it wins at once.
        slot: Slot,
    },
    /// Try to rename the staging directory to this slot. Answer [`Input::Renamed`], whatever the reply was.
    Rename {
        /// The slot.
        slot: Slot,
    },
    /// List the slot, and read its manifest.
    ReadSlot {
        /// The slot.
        slot: Slot,
    },
    /// See whether our staging directory is still there.
    LookForStaging,
    /// Move the slot's data files into their tables; done when none is left in the slot.
    Publish {
        /// The slot.
        slot: Slot,
        /// Its manifest.
        manifest: Box<Manifest>,
    },
    /// The commit has ended.
    Finish(Outcome),
}

/// What an action led to.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Begin.
    Start,
    /// All is staged and checked, as this claim.
    Staged(Claim),
    /// The rename was tried; its reply does not matter.
    Renamed,
    /// What stands in the slot.
    Slot(SlotView),
    /// Whether the staging directory is there.
    Staging(bool),
    /// The slot's files are in their tables.
    Published,
}

/// What stands in a slot.
#[derive(Debug, Clone, PartialEq)]
pub enum SlotView {
    /// Nothing.
    Absent,
    /// A directory without a manifest: a no-op for everybody, for ever.
    Void,
    /// A batch.
    Entry(Box<Manifest>),
}

/// How a commit ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The batch is in this slot, and published.
    Committed {
        /// The slot.
        slot: Slot,
        /// Its manifest.
        manifest: Box<Manifest>,
        /// Slots that others won meanwhile.
        lost_slots: u64,
    },
    /// Another daemon landed messages of ours: drop the batch and read on from where the log stands now.
    Superseded,
    /// The log cannot be continued.
    Broken(ChainError),
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Begin,
    Staging,
    Renaming { claim: Claim },
    Reading { claim: Claim, last_look: bool },
    Looking { claim: Claim, void: bool },
    Publishing { claim: Claim, manifest: Box<Manifest> },
    Ended,
}

/// The commit of one batch.
#[derive(Debug)]
pub struct Machine {
    state: LogState,
    step: Step,
    lost_slots: u64,
}

impl Machine {
    /// A commit on top of `state`, whose last slot must be published.
    pub fn new(state: LogState) -> Machine {
        Machine { state, step: Step::Begin, lost_slots: 0 }
    }

    /// The log as far as this machine has read it.
    pub fn state(&self) -> &LogState {
        &self.state
    }

    /// Takes the log state back.
    pub fn into_state(self) -> LogState {
        self.state
    }

    /// The next action. An input that does not answer the last action is a bug of the driver; it ends in `Superseded`,
    /// which is always safe: nothing is lost, the messages are read again.
    pub fn on(&mut self, input: Input) -> Action {
        let step = std::mem::replace(&mut self.step, Step::Ended);
        match (step, input) {
            (Step::Begin, Input::Start) => self.stage(),
            (Step::Staging, Input::Staged(claim)) => self.rename(claim),
            (Step::Renaming { claim }, Input::Renamed) => self.read(claim, false),
            (Step::Reading { claim, last_look }, Input::Slot(view)) => match view {
                SlotView::Entry(manifest) => {
                    let slot = self.state.next();
                    self.step = Step::Publishing { claim, manifest: manifest.clone() };
                    Action::Publish { slot, manifest }
                }
                SlotView::Void => {
                    self.state.skip_void();
                    self.step = Step::Looking { claim, void: true };
                    Action::LookForStaging
                }
                // Neither in the slot nor in staging, seen twice: somebody deleted it. Nothing is committed.
                SlotView::Absent if last_look => self.stage(),
                SlotView::Absent => {
                    self.step = Step::Looking { claim, void: false };
                    Action::LookForStaging
                }
            },
            (Step::Looking { claim, .. }, Input::Staging(true)) => self.rename(claim),
            (Step::Looking { void: true, .. }, Input::Staging(false)) => self.stage(),
            // Between the two looks the rename may have happened after all: look at the slot once more.
            (Step::Looking { claim, void: false }, Input::Staging(false)) => self.read(claim, true),
            (Step::Publishing { claim, manifest }, Input::Published) => self.fold(claim, manifest),
            _ => Action::Finish(Outcome::Superseded),
        }
    }

    fn stage(&mut self) -> Action {
        self.step = Step::Staging;
        Action::Stage { slot: self.state.next() }
    }

    fn rename(&mut self, claim: Claim) -> Action {
        let slot = self.state.next();
        // Rows that carry the batch's number were written for another slot: write them again.
        if claim.stamped_for.is_some_and(|stamped| stamped != slot) {
            return self.stage();
        }
        self.step = Step::Renaming { claim };
        Action::Rename { slot }
    }

    fn read(&mut self, claim: Claim, last_look: bool) -> Action {
        self.step = Step::Reading { claim, last_look };
        Action::ReadSlot { slot: self.state.next() }
    }

    fn fold(&mut self, claim: Claim, manifest: Box<Manifest>) -> Action {
        let slot = self.state.next();
        if let Err(e) = self.state.fold(&manifest) {
            return Action::Finish(Outcome::Broken(e));
        }
        if manifest.batch == claim.batch {
            return Action::Finish(Outcome::Committed { slot, manifest, lost_slots: self.lost_slots });
        }
        self.lost_slots += 1;
        match self.state.continues(&claim.partitions) {
            Ok(()) => self.rename(claim),
            Err(_) => Action::Finish(Outcome::Superseded),
        }
    }
}
