//! Tells glibc's allocator how much freed memory to keep. `mallopt` takes unsafe code, which is forbidden elsewhere, so it
//! is a crate of its own.

/// Blocks of this size and more come from the system and go back to it at once: files, and little else. All smaller
/// ones, as the columns of some messages and Kafka's answers of 2 MiB, are kept for the next of their kind.
pub const LARGE: i32 = 3 << 20;

/// Sets the bounds for the whole process. Call it first of all.
///
/// Left alone, glibc begins by giving every piece of a batch back and taking it anew, page by page, which costs a tenth of
/// the CPU time from message to file; and once a large file was freed, it keeps 64 MiB for each thread (`mallopt(3)`,
/// "dynamic mmap threshold"). Another C library is left as it is.
pub fn bound_what_is_kept() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for option in [libc::M_MMAP_THRESHOLD, libc::M_TRIM_THRESHOLD] {
        // SAFETY: mallopt takes two numbers and may be called at any time.
        let taken = unsafe { libc::mallopt(option, LARGE) };
        debug_assert_eq!(taken, 1, "mallopt({option})");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_allocator_takes_both_and_works_on() {
        super::bound_what_is_kept();
        let blocks: Vec<Vec<u8>> = (0..8).map(|n| vec![n; super::LARGE as usize >> n]).collect();
        assert!(blocks.iter().zip(0..).all(|(block, n)| block.iter().all(|b| *b == n)));
    }
}
