//! Kafka timestamps as text, as Spark casts a timestamp to a string.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Seconds of the 400 years after which the calendar repeats, weekdays and so the zones' yearly rules included.
const CYCLE: i64 = 146_097 * 86_400;

/// Milliseconds since 1970 UTC to `yyyy-MM-dd HH:mm:ss[.fff]` in a zone. It keeps the text of the last second.
#[derive(Debug, Clone)]
pub struct TimestampText {
    zone: TimeZone,
    second: Option<i64>,
    text: String,
    /// Length of the text up to the seconds.
    whole: usize,
}

impl TimestampText {
    /// Texts in `zone`.
    pub fn new(zone: TimeZone) -> TimestampText {
        TimestampText { zone, second: None, text: String::new(), whole: 0 }
    }

    /// The text: zeros at the end of the fraction are cut, with the dot if nothing is left; a year over 9999 has a `+`
    /// before it, one before year 0 a `-`.
    pub fn format(&mut self, ms: i64) -> &str {
        let second = ms.div_euclid(1000);
        if self.second != Some(second) {
            self.second = Some(second);
            self.text.clear();
            let local = second + offset(&self.zone, second);
            write_seconds(&mut self.text, local);
            self.whole = self.text.len();
        }
        self.text.truncate(self.whole);
        let millis = ms.rem_euclid(1000) as u32;
        if millis > 0 {
            let digits = [millis / 100, millis / 10 % 10, millis % 10];
            let kept = 4 - digits.iter().rev().take_while(|&&d| d == 0).count();
            let [a, b, c] = digits.map(|d| b'0' + d as u8);
            // All four are ASCII.
            self.text.push_str(std::str::from_utf8(&[b'.', a, b, c][..kept]).unwrap_or_default());
        }
        &self.text
    }
}

/// The zone's offset from UTC in seconds. jiff's timestamps end within the year 9999; beyond them it is that of the same
/// moment in another cycle of the calendar.
pub(super) fn offset(zone: &TimeZone, second: i64) -> i64 {
    let (min, max) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    let inside = if second > max {
        second - ((second - max) / CYCLE + 1) * CYCLE
    } else if second < min {
        second + ((min - second) / CYCLE + 1) * CYCLE
    } else {
        second
    };
    Timestamp::from_second(inside).map_or(0, |t| i64::from(zone.to_offset(t).seconds()))
}

/// A day of a four-digit year, in days since 1970, as `2026-11-22`.
pub fn write_date(out: &mut String, days: i32) {
    let (year, month, day) = civil(days.into());
    // Writing to a string cannot fail.
    _ = write!(out, "{year:04}-{month:02}-{day:02}");
}

fn write_seconds(out: &mut String, local: i64) {
    let (year, month, day) = civil(local.div_euclid(86_400));
    let s = local.rem_euclid(86_400);
    let sign = if year > 9999 {
        "+"
    } else if year < 0 {
        "-"
    } else {
        ""
    };
    let year = year.abs();
    // Writing to a string cannot fail.
    _ = write!(out, "{sign}{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

/// Days since 1970-01-01 to year, month and day, proleptic Gregorian (Howard Hinnant, "chrono-compatible low-level
/// date algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimestampText {
        TimestampText::new(jiff::tz::TimeZoneDatabase::bundled().get(name).unwrap())
    }

    #[test]
    fn as_spark_writes_it() {
        let mut utc = zone("UTC");
        for (ms, want) in [
            (1627669098000, "2021-07-30 18:18:18"),
            (1627669100010, "2021-07-30 18:18:20.01"),
            (1627669101100, "2021-07-30 18:18:21.1"),
            (1627669101123, "2021-07-30 18:18:21.123"),
            (1627669101000, "2021-07-30 18:18:21"),
            (1627669101001, "2021-07-30 18:18:21.001"),
            (978307199999, "2000-12-31 23:59:59.999"),
            (951782400000, "2000-02-29 00:00:00"),
            (0, "1970-01-01 00:00:00"),
            (-1, "1969-12-31 23:59:59.999"),
            (-1500, "1969-12-31 23:59:58.5"),
            (253402300799999, "9999-12-31 23:59:59.999"),
            (253402300800000, "+10000-01-01 00:00:00"),
            (-62135596800000, "0001-01-01 00:00:00"),
            (-62167219200001, "-0001-12-31 23:59:59.999"),
        ] {
            assert_eq!(utc.format(ms), want);
        }
        utc.format(i64::MAX);
        utc.format(i64::MIN);
    }

    #[test]
    fn in_a_zone_and_beyond_the_years_it_knows() {
        let mut ny = zone("America/New_York");
        assert_eq!(ny.format(1793511000000), "2026-11-01 01:30:00");
        assert_eq!(ny.format(1793511000000 + 3_600_000), "2026-11-01 01:30:00");
        assert_eq!(ny.format(1793511000000 + 7_200_000), "2026-11-01 02:30:00");
        // The same moments 20 calendar cycles later, in the year 10026.
        assert_eq!(ny.format(1793511000000 + 20 * CYCLE * 1000), "+10026-11-01 01:30:00");
        assert_eq!(ny.format(253402300800000), "9999-12-31 19:00:00");
        assert_eq!(zone("Asia/Kolkata").format(0), "1970-01-01 05:30:00");
        assert_eq!(zone("UTC").format(1793511000000), "2026-11-01 05:30:00");
    }

    #[test]
    fn agrees_with_jiff_on_many_moments() {
        let mut london = zone("Europe/London");
        let tz = london.zone.clone();
        for i in -5000i64..5000 {
            let ms = i * 12_345_678_901;
            let want =
                Timestamp::from_millisecond(ms).unwrap().to_zoned(tz.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
            assert_eq!(london.format(ms).split('.').next(), Some(want.as_str()));
        }
    }
}
