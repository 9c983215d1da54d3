//! The protocol's deliberate defects, in test builds only: each takes one of its precautions away, and the simulation
//! must notice. Named as in the model that the protocol was checked with.

use super::machine::SlotView;
use crate::checkpoint::Entry;
use crate::storage::StorageError;

/// One precaution less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Defect {
    /// Whoever loses a slot takes the next one without comparing offsets.
    NoFence,
    /// The reply of the commit rename is believed instead of reading the slot.
    TrustReply,
    /// An error of the commit rename is taken for "not committed": the batch goes for the next slot at once.
    TrustError,
    /// Only the manifest is renamed into the slot; data files stay in staging until they are published.
    SplitCommit,
    /// Staged files are not listed before the commit.
    NoList,
    /// Nobody publishes the last slot of somebody else.
    NoHelp,
    /// Dead letters are landed without looking whether they were landed already.
    ReplayTwice,
    /// The name of the next epoch's directory has no uuid, so that two daemons make the same one.
    EpochName,
}

/// The manifest of a batch whose data files lie beside its directory, and stay there.
pub(super) fn split(mut entry: Entry, dir: &str) -> Entry {
    if let Entry::Batch(m) = &mut entry {
        m.files.iter_mut().for_each(|f| f.name = format!("{dir}.data/{}", f.name));
    }
    entry
}

/// What the reply of a commit rename makes a trusting daemon believe about the slot.
#[derive(Debug, Default)]
pub(super) struct Trust {
    staged: Option<Entry>,
    believed: Option<SlotView>,
}

impl Trust {
    pub(super) fn staged(&mut self, entry: &Entry) {
        self.staged = Some(entry.clone());
    }

    pub(super) fn renamed(&mut self, reply: &Result<(), StorageError>, has: impl Fn(Defect) -> bool) {
        self.believed = match reply {
            Ok(()) if has(Defect::TrustReply) => self.staged.clone().map(SlotView::Entry),
            // That the slot is taken is an answer, not a doubt.
            Err(StorageError::AlreadyExists { .. }) | Ok(()) => None,
            Err(_) => has(Defect::TrustError).then_some(SlotView::Void),
        };
    }

    /// Once: what is believed instead of reading the slot.
    pub(super) fn take(&mut self) -> Option<SlotView> {
        self.believed.take()
    }
}
