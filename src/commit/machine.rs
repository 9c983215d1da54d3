//! The commit protocol as a function: `(state, input) → action`. No I/O, no clock, no randomness.
//!
//! One rename of a whole staging directory into the next slot of the log is the commit; everything else is private
//! before it and can be done by anybody after it. The machine never believes the reply of that rename: it reads the
//! slot and compares the id. A batch, a seal, a gap and a topic's new beginning all go this way.

use super::batch::Claim;
use crate::checkpoint::{ChainError, Entry, LogState, Manifest, SealEntry};
use crate::model::Slot;

/// What to do next. The driver does it until it has an answer, however long that takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Write all files and the manifest into a new staging directory, under a new id.
    Stage {
        /// The number that the entry will have if it wins at once.
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
    /// The slot is free: see whether our staging directory is still there, and whether the log has gone on elsewhere.
    LookAround,
    /// Move the slot's data files into their tables; done when none is left in the slot.
    Publish {
        /// The slot.
        slot: Slot,
        /// Its manifest.
        manifest: Box<Manifest>,
    },
    /// Enter the epoch that a seal names into the register, unless it stands there already.
    Register {
        /// The seal.
        seal: Box<SealEntry>,
    },
    /// The epoch was closed and perhaps deleted: open the log anew from the register, with its last slot published.
    Reopen,
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
    /// What lies around a free slot.
    Around {
        /// Whether our staging directory is there.
        staging: bool,
        /// Whether the register names an epoch after ours.
        newer_epoch: bool,
    },
    /// The slot's files are in their tables.
    Published,
    /// The epoch is registered.
    Registered,
    /// The log as it is now.
    Reopened(Box<LogState>),
}

/// What stands in a slot.
#[derive(Debug, Clone, PartialEq)]
pub enum SlotView {
    /// Nothing.
    Absent,
    /// A directory without a manifest: a no-op for everybody, for ever.
    Void,
    /// An entry.
    Entry(Entry),
}

/// How a commit ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The entry is in this slot, and published.
    Committed {
        /// The slot.
        slot: Slot,
        /// What stands there.
        entry: Entry,
        /// Slots that others won meanwhile.
        lost_slots: u64,
    },
    /// The log has moved on in a way that the entry does not fit any more: drop it and go on from where the log stands.
    Superseded,
    /// The log cannot be continued.
    Broken(ChainError),
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Begin,
    Staging,
    Renaming {
        claim: Claim,
    },
    Reading {
        claim: Claim,
        last_look: bool,
    },
    Looking {
        claim: Claim,
        void: bool,
    },
    /// What the slot's entry asks of everybody is being done.
    Helping {
        claim: Claim,
        entry: Entry,
    },
    Reopening {
        claim: Claim,
    },
    Ended,
}

/// The commit of one entry.
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
            // The log may have been read on since the batch was filled: by a seal that came before it, or by upkeep.
            (Step::Staging, Input::Staged(claim)) => self.go_for_next(claim),
            (Step::Renaming { claim }, Input::Renamed) => self.read(claim, false),
            (Step::Reading { claim, last_look }, Input::Slot(view)) => match view {
                SlotView::Entry(entry) => self.help(claim, entry),
                SlotView::Void => {
                    self.state.skip_void();
                    self.look_around(claim, true)
                }
                // Neither in the slot nor in staging, seen twice: somebody deleted it. Nothing is committed.
                SlotView::Absent if last_look => self.stage(),
                SlotView::Absent => self.look_around(claim, false),
            },
            // Nothing is ever put into a slot of an epoch that is closed: without this a late daemon would try for ever.
            (Step::Looking { claim, .. }, Input::Around { newer_epoch: true, .. }) => {
                self.step = Step::Reopening { claim };
                Action::Reopen
            }
            (Step::Looking { claim, .. }, Input::Around { staging: true, .. }) => self.rename(claim),
            (Step::Looking { void: true, .. }, Input::Around { staging: false, .. }) => self.stage(),
            // Between the two looks the rename may have happened after all: look at the slot once more.
            (Step::Looking { claim, void: false }, Input::Around { staging: false, .. }) => self.read(claim, true),
            (Step::Reopening { claim }, Input::Reopened(state)) => {
                self.state = *state;
                self.go_for_next(claim)
            }
            (Step::Helping { claim, entry }, Input::Published | Input::Registered) => self.fold(claim, entry),
            _ => Action::Finish(Outcome::Superseded),
        }
    }

    fn stage(&mut self) -> Action {
        self.step = Step::Staging;
        Action::Stage { slot: self.state.next() }
    }

    fn rename(&mut self, claim: Claim) -> Action {
        let slot = self.state.next();
        // What was written for another slot is written again.
        if claim.only_for.is_some_and(|only| only != slot) {
            return self.stage();
        }
        self.step = Step::Renaming { claim };
        Action::Rename { slot }
    }

    fn read(&mut self, claim: Claim, last_look: bool) -> Action {
        self.step = Step::Reading { claim, last_look };
        Action::ReadSlot { slot: self.state.next() }
    }

    fn look_around(&mut self, claim: Claim, void: bool) -> Action {
        self.step = Step::Looking { claim, void };
        Action::LookAround
    }

    fn help(&mut self, claim: Claim, entry: Entry) -> Action {
        // What does not continue the log must not reach a table.
        if let Err(e) = self.state.clone().fold(&entry) {
            return Action::Finish(Outcome::Broken(e));
        }
        let action = match &entry {
            Entry::Batch(manifest) => Action::Publish { slot: self.state.next(), manifest: manifest.clone() },
            Entry::Seal(seal) => Action::Register { seal: seal.clone() },
            Entry::Gap(_) | Entry::Topic(_) => return self.fold(claim, entry),
        };
        self.step = Step::Helping { claim, entry };
        action
    }

    fn fold(&mut self, claim: Claim, entry: Entry) -> Action {
        let slot = self.state.next();
        if let Err(e) = self.state.fold(&entry) {
            return Action::Finish(Outcome::Broken(e));
        }
        if entry.id() == claim.entry.id() {
            return Action::Finish(Outcome::Committed { slot, entry, lost_slots: self.lost_slots });
        }
        self.lost_slots += 1;
        self.go_for_next(claim)
    }

    /// Goes for the next slot if what is claimed fits on top of the log: a slot that is free compares no offsets.
    fn go_for_next(&mut self, claim: Claim) -> Action {
        match self.state.accepts(&claim.entry) {
            Ok(()) => self.rename(claim),
            Err(_) => Action::Finish(Outcome::Superseded),
        }
    }
}
