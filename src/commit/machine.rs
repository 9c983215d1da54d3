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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::checkpoint::PartitionEntry;
    use crate::model::{Accounting, BatchId, Offset};

    const JOB: Uuid = Uuid::from_u128(1);

    fn range(p: i32, start: i64, end: i64) -> PartitionEntry {
        let (start, end) = (Offset(start), Offset(end));
        PartitionEntry { topic: "t".to_owned(), p, start, end, records: 0, tail: None }
    }

    fn claim(id: u128, p: PartitionEntry, stamped_for: Option<u64>) -> Claim {
        Claim { batch: BatchId(Uuid::from_u128(id)), partitions: vec![p], stamped_for: stamped_for.map(Slot) }
    }

    fn manifest(claim: &Claim) -> Box<Manifest> {
        Box::new(Manifest {
            v: 1,
            kind: Manifest::BATCH.to_owned(),
            job: String::new(),
            job_id: JOB,
            batch: claim.batch,
            instance: String::new(),
            created_ms: 0,
            partitions: claim.partitions.clone(),
            counts: Accounting::default(),
            files: Vec::new(),
            publish_order: Vec::new(),
            locations: Default::default(),
            schema: Default::default(),
            more: Default::default(),
        })
    }

    /// A machine that has staged `claim` and tried its first rename.
    fn renamed(claim: &Claim) -> Machine {
        let snapshot = LogState::first_snapshot(JOB, &[]);
        let mut m = Machine::new(LogState::from_snapshot(&snapshot, "e000001-x"));
        assert_eq!(m.on(Input::Start), Action::Stage { slot: Slot(0) });
        assert_eq!(m.on(Input::Staged(claim.clone())), Action::Rename { slot: Slot(0) });
        assert_eq!(m.on(Input::Renamed), Action::ReadSlot { slot: Slot(0) });
        m
    }

    fn entry(c: &Claim) -> Input {
        Input::Slot(SlotView::Entry(manifest(c)))
    }

    #[test]
    fn a_slot_with_our_batch_is_won_whatever_the_rename_replied() {
        let ours = claim(7, range(0, 0, 5), None);
        let mut m = renamed(&ours);
        assert_eq!(m.on(entry(&ours)), Action::Publish { slot: Slot(0), manifest: manifest(&ours) });
        let Action::Finish(Outcome::Committed { slot, lost_slots: 0, .. }) = m.on(Input::Published) else { panic!() };
        assert_eq!((slot, m.state().next()), (Slot(0), Slot(1)));
    }

    #[test]
    fn a_lost_slot_is_published_for_the_winner_before_the_next_is_tried() {
        let (ours, other) = (claim(7, range(0, 0, 5), None), claim(8, range(1, 0, 9), None));
        let mut m = renamed(&ours);
        assert!(matches!(m.on(entry(&other)), Action::Publish { slot: Slot(0), .. }));
        assert_eq!(m.on(Input::Published), Action::Rename { slot: Slot(1) });
    }

    #[test]
    fn a_batch_whose_messages_another_one_landed_is_given_up() {
        let (ours, other) = (claim(7, range(0, 0, 5), None), claim(8, range(0, 0, 3), None));
        let mut m = renamed(&ours);
        m.on(entry(&other));
        assert_eq!(m.on(Input::Published), Action::Finish(Outcome::Superseded));
        assert_eq!(m.state().next(), Slot(1), "the winner's slot is known");
    }

    #[test]
    fn rows_that_carry_a_number_are_staged_again_for_another_slot() {
        let (ours, other) = (claim(7, range(0, 0, 5), Some(0)), claim(8, range(1, 0, 9), None));
        let mut m = renamed(&ours);
        m.on(entry(&other));
        assert_eq!(m.on(Input::Published), Action::Stage { slot: Slot(1) });
    }

    #[test]
    fn a_void_slot_is_skipped_and_an_absent_one_tried_again() {
        let ours = claim(7, range(0, 0, 5), None);
        let mut m = renamed(&ours);
        assert_eq!(m.on(Input::Slot(SlotView::Absent)), Action::LookForStaging);
        assert_eq!(m.on(Input::Staging(true)), Action::Rename { slot: Slot(0) });
        m.on(Input::Renamed);
        assert_eq!(m.on(Input::Slot(SlotView::Void)), Action::LookForStaging);
        assert_eq!(m.on(Input::Staging(true)), Action::Rename { slot: Slot(1) });
    }

    #[test]
    fn a_staging_directory_that_is_gone_is_made_anew_only_after_a_last_look_at_the_slot() {
        let ours = claim(7, range(0, 0, 5), None);
        let mut m = renamed(&ours);
        m.on(Input::Slot(SlotView::Absent));
        // The rename may have happened between the two looks.
        assert_eq!(m.on(Input::Staging(false)), Action::ReadSlot { slot: Slot(0) });
        let mut late = renamed(&ours);
        late.on(Input::Slot(SlotView::Absent));
        late.on(Input::Staging(false));
        assert!(matches!(late.on(entry(&ours)), Action::Publish { .. }));
        assert_eq!(m.on(Input::Slot(SlotView::Absent)), Action::Stage { slot: Slot(0) });
        // A void slot where our directory should be: staged again for the next one.
        let mut void = renamed(&ours);
        void.on(Input::Slot(SlotView::Void));
        assert_eq!(void.on(Input::Staging(false)), Action::Stage { slot: Slot(1) });
    }

    #[test]
    fn a_slot_that_does_not_continue_the_log_stops_everything() {
        let ours = claim(7, range(0, 0, 5), None);
        let mut m = renamed(&ours);
        m.on(entry(&claim(8, range(1, 0, 9), None)));
        m.on(Input::Published);
        m.on(Input::Renamed);
        m.on(entry(&claim(9, range(1, 4, 12), None)));
        assert!(matches!(m.on(Input::Published), Action::Finish(Outcome::Broken(ChainError::Offsets { .. }))));
    }
}
