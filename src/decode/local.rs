//! The day and the hour of a moment, as clocks in a zone show them.

use jiff::tz::TimeZone;

use super::coerce::Mismatch;
use super::instant::{in_range, is_date};
use super::timestamp::offset;

const DAY: i64 = 86_400;

/// Days and hours in a zone. It keeps those of the last second.
#[derive(Debug, Clone)]
pub struct LocalTime {
    zone: TimeZone,
    /// Seconds since 1970 UTC, and the same as the zone's clocks show it.
    last: (i64, i64),
}

impl LocalTime {
    /// In this zone.
    pub fn new(zone: TimeZone) -> LocalTime {
        let last = (0, offset(&zone, 0));
        LocalTime { zone, last }
    }

    /// The zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Day, in days since 1970, and hour, of a moment in microseconds since 1970 UTC.
    ///
    /// # Errors
    /// The moment, or its day, is none that every reader takes.
    pub fn at(&mut self, micros: i64) -> Result<(i32, u8), Mismatch> {
        let second = in_range(micros)?.div_euclid(1_000_000);
        if self.last.0 != second {
            self.last = (second, second + offset(&self.zone, second));
        }
        let (days, hour) = (self.last.1.div_euclid(DAY), self.last.1.rem_euclid(DAY) / 3600);
        if !is_date(days) {
            return Err(Mismatch);
        }
        // Days of four-digit years, and hours below 24.
        Ok((days as i32, hour as u8))
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZoneDatabase;

    use super::*;

    #[test]
    fn days_and_hours_are_those_of_the_zone() {
        let zone = |name: &str| LocalTime::new(TimeZoneDatabase::bundled().get(name).unwrap());
        let (mut utc, mut paris, mut ny) = (zone("UTC"), zone("Europe/Paris"), zone("America/New_York"));
        // 2021-07-30 23:18:18.999999 UTC
        let at = 1_627_687_098_999_999;
        assert_eq!((utc.at(at), paris.at(at), ny.at(at)), (Ok((18838, 23)), Ok((18839, 1)), Ok((18838, 19))));
        assert_eq!((utc.at(0), utc.at(-1), paris.at(0)), (Ok((0, 0)), Ok((-1, 23)), Ok((0, 1))));
        // The hour that comes twice.
        let twice = 1_793_511_000_000_000;
        assert_eq!((ny.at(twice), ny.at(twice + 3_600_000_000)), (Ok((20758, 1)), Ok((20758, 1))));
        let end = 253_402_300_799_999_999;
        assert_eq!((utc.at(end), paris.at(end), ny.at(end)), (Ok((2_932_896, 23)), Err(Mismatch), Ok((2_932_896, 18))));
        assert_eq!(
            (utc.at(end + 1), utc.at(i64::MIN), utc.at(i64::MAX)),
            (Err(Mismatch), Err(Mismatch), Err(Mismatch))
        );
    }
}
