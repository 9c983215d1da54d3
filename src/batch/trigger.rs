//! When a batch is sealed. Time is an argument: a duration since any one moment, the same for all calls.

use std::time::Duration;

use super::limits::{MAX_BYTES, MAX_FILES, MAX_MESSAGES};
use crate::config::settings;

/// Why a batch is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealReason {
    /// A tick of the interval has come.
    Interval,
    /// `trigger.max_bytes` is reached.
    Bytes,
    /// `trigger.max_rows` is reached.
    Rows,
    /// Its rows are of as many partitions as a batch can land.
    Partitions,
}

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

    /// Whether a batch opened at `opened_at`, when its first message came, is to be sealed. Never without a
    /// message. If the ones before took longer than the interval, at once.
    pub fn due(&self, now: Duration, opened_at: Duration, size: Size) -> Option<SealReason> {
        let Size { bytes, messages, files } = size;
        if messages == 0 {
            None
        } else if bytes >= self.max_bytes {
            Some(SealReason::Bytes)
        } else if messages >= self.max_messages {
            Some(SealReason::Rows)
        } else if files >= MAX_FILES {
            Some(SealReason::Partitions)
        } else {
            (now >= self.tick_after(opened_at)).then_some(SealReason::Interval)
        }
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
        for (now, opened, want) in [
            (9_999, 0, None),
            (10_000, 0, Some(SealReason::Interval)),
            (19_999, 10_000, None),
            (20_000, 10_000, Some(SealReason::Interval)),
            // Opened in the middle of an interval: only the rest of it.
            (20_000, 17_000, Some(SealReason::Interval)),
            // The commit of the batch before took until 23 s: at once, and then in step again.
            (23_000, 10_000, Some(SealReason::Interval)),
            (29_999, 23_000, None),
            (30_000, 23_000, Some(SealReason::Interval)),
        ] {
            assert_eq!(t.due(ms(now), ms(opened), size(1, 1)), want, "{now} {opened}");
        }
        assert_eq!(t.tick_after(ms(23_000)), ms(30_000));
    }

    #[test]
    fn size_does_not_wait_and_empty_never_runs() {
        let t = trigger(10_000, 100, 10);
        assert_eq!(t.due(ms(1), ms(0), size(99, 9)), None);
        assert_eq!(t.due(ms(1), ms(0), size(100, 9)), Some(SealReason::Bytes));
        assert_eq!(t.due(ms(1), ms(0), size(99, 10)), Some(SealReason::Rows));
        assert_eq!(t.due(ms(99_000), ms(0), size(0, 0)), None);
        let of = |files| t.due(ms(1), ms(0), Size { files, ..size(9, 9) });
        assert_eq!((of(MAX_FILES - 1), of(MAX_FILES)), (None, Some(SealReason::Partitions)));
        assert_eq!(trigger(0, 100, 10).due(ms(5), ms(5), size(1, 1)), Some(SealReason::Interval));
        assert_eq!(trigger(1, u64::MAX, u64::MAX).due(ms(0), ms(0), size(MAX_BYTES / 2, 1)), Some(SealReason::Bytes));
    }
}
