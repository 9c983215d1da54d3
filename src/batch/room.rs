//! The memory that the pieces of a batch are made of.

/// The largest block that is kept when freed; of smaller ones, twice as many bytes.
const KEPT: usize = 8 << 20;

/// Has the C library keep freed memory for the next piece, instead of giving it back to the system and being given it
/// anew page by page, which took a tenth of the CPU time from message to file. Call it once, at the start.
///
/// glibc raises its thresholds when a large block is freed (`mallopt(3)`, on `M_MMAP_THRESHOLD`), so freeing one does
/// it. The block is never touched, so it takes no memory. Another allocator is left as it is.
pub fn keep_freed_memory() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(KEPT)));
}
