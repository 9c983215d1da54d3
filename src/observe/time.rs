//! A point in time, as the outside is told of it.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// A point in time; RFC 3339 in UTC, to the millisecond, where it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(jiff::Timestamp);

impl Time {
    /// Now.
    pub fn now() -> Time {
        Time(jiff::Timestamp::now())
    }

    /// So many milliseconds since 1970 UTC; `None`: outside of what a calendar knows.
    pub fn of_ms(ms: i64) -> Option<Time> {
        jiff::Timestamp::from_millisecond(ms).ok().map(Time)
    }

    /// Milliseconds since 1970 UTC.
    pub fn ms(self) -> i64 {
        self.0.as_millisecond()
    }

    /// How long ago it was, by a clock that shows `now`; nothing if it lies ahead.
    pub fn age(self, now: Time) -> Duration {
        Duration::from_millis(u64::try_from(now.ms().saturating_sub(self.ms())).unwrap_or(0))
    }
}

impl From<jiff::Timestamp> for Time {
    fn from(at: jiff::Timestamp) -> Time {
        Time(at)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_by_rfc_3339_and_knows_its_age() {
        let at = Time::of_ms(1_627_669_098_123).unwrap();
        assert_eq!(serde_json::to_string(&at).unwrap(), r#""2021-07-30T18:18:18.123Z""#);
        assert_eq!(Time::of_ms(0).unwrap().to_string(), "1970-01-01T00:00:00.000Z");
        let later = Time::of_ms(at.ms() + 1500).unwrap();
        assert_eq!((at.age(later), later.age(at)), (Duration::from_millis(1500), Duration::ZERO));
        assert_eq!(Time::of_ms(i64::MAX), None);
    }
}
