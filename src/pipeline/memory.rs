//! What is held in memory, counted. Who holds something says how much, and lets go by dropping the guard.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Rows that wait to be encoded, as a part of all that may be held.
const WAITING: u64 = 4;

/// What may be held, and what is.
#[derive(Debug, Clone)]
pub struct Memory {
    max: u64,
    held: Gauge,
    waiting: Gauge,
}

impl Memory {
    /// Allows `max` bytes between the source and the storage.
    pub fn new(max: u64) -> Memory {
        let freed = Arc::new(Notify::new());
        let gauge = || Gauge { bytes: Arc::default(), freed: freed.clone() };
        Memory { max, held: gauge(), waiting: gauge() }
    }

    /// Bytes that are held.
    pub fn held(&self) -> u64 {
        self.held.bytes.load(Ordering::Relaxed)
    }

    /// Bytes that may be held.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// No more can be taken.
    pub(super) fn is_full(&self) -> bool {
        self.held() >= self.max
    }

    /// Half is held: what is open is better landed, so that the next batch has room beside it.
    pub(super) fn is_half_full(&self) -> bool {
        self.held() >= self.max / 2
    }

    /// Rows come faster than they are encoded.
    pub(super) fn is_behind(&self) -> bool {
        self.waiting.bytes.load(Ordering::Relaxed) >= self.max / WAITING
    }

    /// Waits until something is let go of; at once, if that was since the last call.
    pub(super) async fn freed(&self) {
        self.held.freed.notified().await;
    }

    /// Holds nothing yet.
    pub(super) fn hold(&self) -> Held {
        Held { gauge: self.held.clone(), bytes: 0 }
    }

    /// Holds nothing yet, of what waits to be encoded.
    pub(super) fn wait(&self) -> Held {
        Held { gauge: self.waiting.clone(), bytes: 0 }
    }
}

#[derive(Debug, Clone)]
struct Gauge {
    bytes: Arc<AtomicU64>,
    freed: Arc<Notify>,
}

/// Bytes that somebody holds.
#[derive(Debug)]
pub(super) struct Held {
    gauge: Gauge,
    bytes: u64,
}

impl Held {
    /// Now it is so much.
    pub(super) fn set(&mut self, bytes: u64) {
        let before = std::mem::replace(&mut self.bytes, bytes);
        if bytes >= before {
            self.gauge.bytes.fetch_add(bytes - before, Ordering::Relaxed);
        } else {
            self.gauge.bytes.fetch_sub(before - bytes, Ordering::Relaxed);
            self.gauge.freed.notify_one();
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_dropped_is_free_again() {
        let memory = Memory::new(100);
        let (mut a, mut b) = (memory.hold(), memory.hold());
        a.set(30);
        b.set(20);
        assert!(memory.is_half_full() && !memory.is_full());
        a.set(90);
        assert!(memory.is_full());
        drop(a);
        assert_eq!(memory.held(), 20);
        memory.freed().await;
        let mut waiting = memory.wait();
        waiting.set(25);
        assert!(memory.is_behind() && memory.held() == 20);
    }
}
