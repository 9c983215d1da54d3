//! What a batch can hold at most, whatever the settings say.

/// Most message bytes that a batch can hold. Arrow's strings have 32-bit offsets, and JSON re-written as Java writes
/// it may grow threefold (`1e6` to `1000000.0`).
pub const MAX_BYTES: u64 = 512 << 20;
/// Most messages that a batch can hold, for the same reason.
pub const MAX_MESSAGES: u64 = 8_000_000;
/// Data files of one batch: when its rows would be as many, it is sealed. A backlog of many partitions then goes into
/// many batches, and no directory of the log or call of the storage grows with it.
pub const MAX_FILES: usize = 1000;
/// What is kept of a message that is too large.
pub const KEPT_OF_TOO_LARGE: usize = 64 << 10;
/// The least that `memory.max` can be.
pub const LEAST_MEMORY: u64 = 48 << 20;
