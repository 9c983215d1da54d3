//! The threads that decode and encode.

use std::sync::Arc;

/// As many threads as there are cores, and the work that waits for them, in order.
#[derive(Debug, Clone)]
pub struct Workers {
    pool: Arc<rayon::ThreadPool>,
}

impl Workers {
    /// So many threads; a panic in one ends the process.
    pub fn new(threads: usize) -> Result<Workers, String> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|n| format!("worker-{n}")).build();
        Ok(Workers { pool: Arc::new(pool.map_err(|e| format!("cannot start {threads} threads: {e}"))?) })
    }

    /// How many there are.
    pub(super) fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Does it as soon as a thread is free.
    pub(super) fn run(&self, work: impl FnOnce() + Send + 'static) {
        self.pool.spawn_fifo(work);
    }
}
