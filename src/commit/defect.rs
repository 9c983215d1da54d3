//! The protocol's deliberate defects, in test builds only: each takes one of its precautions away, and the simulation
//! must notice. Named as in the model that the protocol was checked with.

/// One precaution less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Defect {
    /// Whoever loses a slot takes the next one without comparing offsets.
    NoFence,
    /// The reply of the commit rename is believed instead of reading the slot.
    TrustReply,
    /// An error of the commit rename is taken for "not committed".
    TrustError,
    /// Only the manifest is renamed into the slot; data files stay in staging until they are published.
    SplitCommit,
    /// Staged files are not listed before the commit.
    NoList,
    /// Nobody publishes the last slot of somebody else.
    NoHelp,
    /// The name of the next epoch's directory has no uuid.
    EpochName,
    /// Staged files and directories make their parents.
    CreateParent,
}
