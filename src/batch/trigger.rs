//! When a batch is sealed. Time is an argument: a duration since any one moment, the same for all calls.

use std::time::Duration;

use super::limits::{MAX_BYTES, MAX_FILES, MAX_MESSAGES};
use crate::config::settings;

/// How large a batch is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes of its messages.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
    /// Data files that its rows will be.
    pub files: usize,
}

/// The conditions of `[trigger]`.
#[derive(Debug, Clone, Copy)]
pub struct Trigger {
    interval: Duration,
    max_bytes: u64,
    max_messages: u64,
}

impl Trigger {
    /// From the settings; bytes and rows at most half of what a buffer takes, so that a chunk more still fits.
    pub fn new(settings: &settings::Trigger) -> Trigger {
        Trigger {
            interval: settings.interval,
            max_bytes: settings.max_bytes.get().min(MAX_BYTES / 2),
            max_messages: settings.max_rows.get().min(MAX_MESSAGES / 2),
        }
    }

    /// The tick that ends a batch opened at `opened_at`: ticks come at whole multiples of the interval, so that one
    /// late batch does not shift all that follow.
    pub fn tick_after(&self, opened_at: Duration) -> Duration {
        let interval = self.interval.as_nanos();
        if interval == 0 {
            return opened_at;
        }
        let tick = (opened_at.as_nanos() / interval + 1) * interval;
        let nanos_of_second = (tick % 1_000_000_000) as u32;
        Duration::new(u64::try_from(tick / 1_000_000_000).unwrap_or(u64::MAX), nanos_of_second)
    }

    /// Whether a batch is large enough to be sealed at once.
    pub fn is_large(&self, size: Size) -> bool {
        size.bytes >= self.max_bytes || size.messages >= self.max_messages || size.files >= MAX_FILES
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    fn trigger(interval: u64, bytes: u64, rows: u64) -> Trigger {
        let n = |n| NonZeroU64::new(n).unwrap();
        let interval = Duration::from_millis(interval);
        Trigger::new(&settings::Trigger { interval, max_bytes: n(bytes), max_rows: n(rows) })
    }

    fn size(bytes: u64, messages: u64) -> Size {
        Size { bytes, messages, files: 2 }
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn ticks_are_fixed() {
        let t = trigger(10_000, 100, 10);
        for (opened, tick) in [
            (0, 10_000),
            (9_999, 10_000),
            (10_000, 20_000),
            // Opened in the middle of an interval: only the rest of it.
            (17_000, 20_000),
            // The commit of the batch before took until 23 s: in step again.
            (23_000, 30_000),
        ] {
            assert_eq!(t.tick_after(ms(opened)), ms(tick), "{opened}");
        }
        assert_eq!(trigger(0, 100, 10).tick_after(ms(5)), ms(5));
    }

    #[test]
    fn size_does_not_wait() {
        let t = trigger(10_000, 100, 10);
        assert!(!t.is_large(size(99, 9)) && t.is_large(size(100, 9)) && t.is_large(size(99, 10)));
        let of = |files| t.is_large(Size { files, ..size(9, 9) });
        assert!(!of(MAX_FILES - 1) && of(MAX_FILES));
        assert!(trigger(1, u64::MAX, u64::MAX).is_large(size(MAX_BYTES / 2, 1)));
    }
}
