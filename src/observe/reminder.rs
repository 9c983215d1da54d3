//! When to speak of something that lasts: sparsely, and more sparsely the longer it lasts.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3600);

/// Something that was spoken of when it began, and is spoken of again after a minute, after two more, and so on, up to once an
/// hour.
#[derive(Debug, Clone, Copy)]
pub struct Reminder {
    since: Instant,
    next: Instant,
    wait: Duration,
}

impl Reminder {
    /// It begins.
    pub fn new(now: Instant) -> Reminder {
        Reminder { since: now, next: now + FIRST, wait: FIRST }
    }

    /// How long it has lasted.
    pub fn lasted(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// Whether it is time to speak of it again; then not again for a while.
    pub fn is_due(&mut self, now: Instant) -> bool {
        let due = now >= self.next;
        if due {
            self.wait = (self.wait * 2).min(LONGEST);
            self.next = now + self.wait;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_spoken_of_some_thirty_times() {
        let begin = Instant::now();
        let mut reminder = Reminder::new(begin);
        let said: Vec<u64> = (0..86_400).filter(|s| reminder.is_due(begin + Duration::from_secs(*s))).collect();
        assert_eq!(said[..7], [60, 180, 420, 900, 1860, 3780, 7380]);
        assert_eq!(said.len(), 28);
        assert_eq!(reminder.lasted(begin + Duration::from_secs(5)), Duration::from_secs(5));
    }
}
