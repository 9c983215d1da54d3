//! Dates and timestamps from JSON, as Spark's `from_json` reads them without a format; within what every reader takes.

use std::borrow::Cow;
use std::sync::LazyLock;

use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::coerce::{Coerced, Mismatch, string};

const DAY: i64 = 86_400;
const MICROS: i64 = 1_000_000;
/// 1582-10-15: Hive reads dates before it in another calendar, and Spark refuses the file.
const FIRST_DATE: i64 = -141_427;
/// 9999-12-31
const LAST_DATE: i64 = 2_932_896;
/// 1900-01-01 00:00:00 UTC: the same for timestamps.
const FIRST_MICROS: i64 = -25_567 * DAY * MICROS;
const LAST_MICROS: i64 = (LAST_DATE + 1) * DAY * MICROS - 1;
/// Years after which the calendar and the yearly rules of the zones repeat, and their days.
const CYCLE: (i64, i64) = (400, 146_097);

/// The zones that the binary carries.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// `date`, in days since 1970: from a string that begins with `yyyy-MM-dd` (also `yyyy-M-d`, `yyyy-MM`, `yyyy`), with
/// nothing, or a blank or `T` and anything, behind it. From 1582-10-15 to 9999-12-31.
pub fn date(raw: &str) -> Coerced<i32> {
    let Some(text) = text(raw)? else { return Ok(None) };
    let mut at = Cursor::new(&text);
    let (days, parts) = at.date(7).ok_or(Mismatch)?;
    let is_good = (parts == 3 && at.peek().is_some_and(|b| matches!(b, b' ' | b'T'))) || at.peek().is_none();
    if !is_good || !is_date(days) {
        return Err(Mismatch);
    }
    i32::try_from(days).map(Some).map_err(|_| Mismatch)
}

/// `timestamp`, in microseconds since 1970 UTC: from a string `yyyy-MM-dd[( |T)HH[:mm[:ss[.f…][zone]]]]`, in `zone`
/// where it names none (an offset, `Z`, or a name like `Europe/Paris`), digits behind the sixth cut; or from a whole
/// number of seconds. From 1900-01-01 UTC to the end of 9999 UTC.
pub fn timestamp(raw: &str, zone: &TimeZone) -> Coerced<i64> {
    let micros = match raw.as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => raw.parse::<i64>().ok().and_then(|s| s.checked_mul(MICROS)),
        _ => {
            let Some(text) = text(raw)? else { return Ok(None) };
            parse_timestamp(&text, zone)
        }
    };
    in_range(micros.ok_or(Mismatch)?).map(Some)
}

/// Microseconds since 1970 UTC, if every reader takes them for a timestamp.
pub fn in_range(micros: i64) -> Result<i64, Mismatch> {
    if (FIRST_MICROS..=LAST_MICROS).contains(&micros) { Ok(micros) } else { Err(Mismatch) }
}

/// Whether every reader takes this day, in days since 1970.
pub(super) fn is_date(days: i64) -> bool {
    (FIRST_DATE..=LAST_DATE).contains(&days)
}

/// The string without white space and control characters around it; `None` is null.
fn text(raw: &str) -> Result<Option<Cow<'_, str>>, Mismatch> {
    if raw == "null" {
        return Ok(None);
    }
    let text = string(raw).ok_or(Mismatch)?;
    let is_blank = |c: char| c <= ' ' || c == '\u{7f}';
    Ok(Some(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches(is_blank)),
        Cow::Owned(text) => Cow::Owned(text.trim_matches(is_blank).to_owned()),
    }))
}

fn parse_timestamp(text: &str, zone: &TimeZone) -> Option<i64> {
    let mut at = Cursor::new(text);
    let (days, parts) = at.date(6)?;
    let (mut time, mut fraction, mut zone) = ([0i64; 3], 0, Cow::Borrowed(zone));
    if at.peek().is_some() {
        if parts != 3 || !(at.take(b' ') || at.take(b'T')) {
            return None;
        }
        time[0] = at.digits(1, 2)?;
        for unit in &mut time[1..] {
            if at.peek().is_none() {
                break;
            }
            *unit = at.take(b':').then(|| at.digits(1, 2))??;
        }
        // What is left stands behind the seconds.
        if at.take(b'.') {
            fraction = at.fraction();
        }
        if let Some(name) = at.rest() {
            zone = Cow::Owned(zone_of(name.trim_matches(|c: char| c <= ' '))?);
        }
    }
    let [hour, minute, second] = time;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let local = days * DAY + hour * 3600 + minute * 60 + second;
    Some((local - offset(local, &zone)?).checked_mul(MICROS)? + fraction)
}

/// The zone's offset from UTC, in seconds, where its clocks show `local`, seconds since 1970. Of a time that comes
/// twice, the first; a time that is skipped lies as far behind the gap as it lay within it: as in Java.
fn offset(local: i64, zone: &TimeZone) -> Option<i64> {
    if *zone == TimeZone::UTC {
        return Some(0);
    }
    if let Ok(fixed) = zone.to_fixed_offset() {
        return Some(i64::from(fixed.seconds()));
    }
    // jiff's timestamps end on 9999-12-30: later ones are looked up in the cycle before.
    let cycle = if local > (LAST_DATE - 366) * DAY { CYCLE.1 * DAY } else { 0 };
    let shown = EPOCH.checked_add(jiff::SignedDuration::from_secs(local - cycle)).ok()?;
    let instant = zone.to_ambiguous_timestamp(shown).compatible().ok()?;
    Some(local - cycle - instant.as_second())
}

/// 1970-01-01 on some clock.
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
/// Java's zones go no farther from UTC, in seconds.
const FARTHEST: i64 = 18 * 3600;

/// `Z`, `+1`, `+01`, `+1:00`, `+01:00`, `+0100`, `+01:00:00`, `+010000`, these behind `UTC`, `GMT` or `UT`, or a zone's
/// IANA name.
fn zone_of(name: &str) -> Option<TimeZone> {
    if name == "Z" {
        return Some(TimeZone::UTC);
    }
    let prefix = ["UTC", "GMT", "UT"].into_iter().find_map(|p| name.strip_prefix(p));
    let signed = match prefix {
        Some("") => return Some(TimeZone::UTC),
        Some(rest) if rest.starts_with(['+', '-']) => rest,
        _ => name,
    };
    let Some(digits) = signed.strip_prefix(['+', '-']) else { return ZONES.get(name).ok() };
    let mut at = Cursor::new(digits);
    let mut parts = [0i64; 3];
    if digits.contains(':') {
        parts[0] = at.digits(1, 2)?;
        for part in &mut parts[1..] {
            if at.peek().is_none() {
                break;
            }
            *part = at.take(b':').then(|| at.digits(1, 2))??;
        }
    } else {
        let number = at.digits(1, 6)?;
        parts = match digits.len() {
            1 | 2 => [number, 0, 0],
            4 => [number / 100, number % 100, 0],
            6 => [number / 10_000, number / 100 % 100, number % 100],
            _ => return None,
        };
    }
    let seconds = parts[0] * 3600 + parts[1] * 60 + parts[2];
    if at.peek().is_some() || parts[1] > 59 || parts[2] > 59 || seconds > FARTHEST {
        return None;
    }
    let seconds = if signed.starts_with('-') { -seconds } else { seconds };
    jiff::tz::Offset::from_seconds(seconds as i32).ok().map(TimeZone::fixed)
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Cursor<'a> {
        Cursor { text, at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, sign: u8) -> bool {
        let found = self.peek() == Some(sign);
        self.at += usize::from(found);
        found
    }

    /// All digits that come, if they are so many.
    fn digits(&mut self, least: usize, most: usize) -> Option<i64> {
        let rest = &self.text.as_bytes()[self.at..];
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if !(least..=most).contains(&count) {
            return None;
        }
        self.at += count;
        Some(rest[..count].iter().fold(0, |sum, b| sum * 10 + i64::from(b - b'0')))
    }

    /// Digits behind the point as microseconds; those behind the sixth are cut.
    fn fraction(&mut self) -> i64 {
        let (mut micros, mut unit) = (0, MICROS);
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            unit /= 10;
            micros += unit * i64::from(digit - b'0');
            self.at += 1;
        }
        micros
    }

    /// What is left, if anything.
    fn rest(&mut self) -> Option<&'a str> {
        self.text.get(self.at..).filter(|rest| !rest.is_empty())
    }

    /// `[+-]y[-m[-d]]`: days since 1970, and how many parts there were.
    fn date(&mut self, most_digits_of_year: usize) -> Option<(i64, u8)> {
        let is_negative = self.take(b'-');
        if !is_negative {
            self.take(b'+');
        }
        let year = self.digits(4, most_digits_of_year)?;
        let year = if is_negative { -year } else { year };
        let (mut month, mut day, mut parts) = (1, 1, 1);
        if self.take(b'-') {
            (month, parts) = (self.digits(1, 2)?, 2);
            if self.take(b'-') {
                (day, parts) = (self.digits(1, 2)?, 3);
            }
        }
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let last = match month {
            2 => 28 + i64::from(leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        ((1..=last).contains(&day)).then(|| (days(year, month, day), parts))
    }
}

/// Days since 1970-01-01, proleptic Gregorian (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days(year: i64, month: i64, day: i64) -> i64 {
    let y = year - i64::from(month <= 2);
    let (era, yoe) = (y.div_euclid(CYCLE.0), y.rem_euclid(CYCLE.0));
    let doy = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * CYCLE.1 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &str) -> String {
        format!("\"{text}\"")
    }

    #[test]
    fn dates() {
        for (text, want) in [
            ("1970-01-01", 0),
            ("2021-07-30", 18_838),
            ("2021-7-3", 18_811),
            ("2021-07", 18_809),
            ("2021", 18_628),
            ("+2021-07-30", 18_838),
            (" 2021-07-30\\t", 18_838),
            ("2021-07-30T", 18_838),
            ("2021-07-30 and more", 18_838),
            ("2021-07-30T18:18:18Z", 18_838),
            ("2000-02-29", 11_016),
            ("1969-12-31", -1),
            ("1582-10-15", -141_427),
            ("9999-12-31", 2_932_896),
        ] {
            assert_eq!(date(&quoted(text)), Ok(Some(want)), "{text}");
        }
        assert_eq!(date("null"), Ok(None));
        for text in [
            "",
            " ",
            "1582-10-14",
            "10000-01-01",
            "0001-01-01",
            "-2021-01-01",
            "2021-13-01",
            "2021-02-29",
            "1900-02-29",
            "2021-00-01",
            "2021-01-00",
            "2021-01-32",
            "21-01-01",
            "2021-",
            "2021-1-",
            "2021-001-01",
            "2021-01-001",
            "2021-01T",
            "2021 x",
            "20210730",
            "2021/07/30",
            "30.07.2021",
            "2021-07-30x",
            "18838",
            "7",
            "x",
            "２０２１-01-01",
        ] {
            assert_eq!(date(&quoted(text)), Err(Mismatch), "{text}");
        }
        for raw in ["18838", "true", "{}", "[]", ""] {
            assert_eq!(date(raw), Err(Mismatch), "{raw}");
        }
    }

    #[test]
    fn timestamps() {
        let zone = ZONES.get("America/New_York").unwrap();
        let second = |s: i64| s * MICROS;
        for (text, want) in [
            ("2021-07-30T18:18:18Z", second(1_627_669_098)),
            ("2021-07-30 18:18:18.123456789Z", second(1_627_669_098) + 123_456),
            ("2021-07-30 14:18:18", second(1_627_669_098)),
            ("2021-07-30 14:18:18.", second(1_627_669_098)),
            ("2021-07-30T14:18:18.1", second(1_627_669_098) + 100_000),
            ("2021-07-30T20:18:18+02:00", second(1_627_669_098)),
            ("2021-07-30T20:18:18+2", second(1_627_669_098)),
            ("2021-07-30T20:18:18+0200", second(1_627_669_098)),
            ("2021-07-30T20:18:18 GMT+2:0", second(1_627_669_098)),
            ("2021-07-30T18:18:18 UTC", second(1_627_669_098)),
            ("2021-07-30T20:18:18 Europe/Paris", second(1_627_669_098)),
            ("2021-07-30T13:18:18 EST", second(1_627_669_098)),
            ("2021-07-30T00:18:18-180000", second(1_627_669_098)),
            ("2021-07-30 4:5", second(1_627_632_300)),
            ("2021-07-30 4", second(1_627_632_000)),
            ("2021-07-30", second(1_627_617_600)),
            ("2021", second(1_609_477_200)),
            // Twice on that day: the first; not at all: an hour later.
            ("2026-11-01 01:30:00", second(1_793_511_000)),
            ("2026-03-08 02:30:00", second(1_772_955_000)),
            ("1900-01-01T00:00:00Z", FIRST_MICROS),
            ("1960-06-15T12:34:56.123456Z", -second(301_231_504) + 123_456),
            ("9999-12-31T23:59:59.999999Z", LAST_MICROS),
            ("9999-12-31 18:59:59.999999", LAST_MICROS),
        ] {
            assert_eq!(timestamp(&quoted(text), &zone), Ok(Some(want)), "{text}");
        }
        for (raw, want) in [("0", 0), ("1627669098", second(1_627_669_098)), ("-1", -MICROS)] {
            assert_eq!(timestamp(raw, &zone), Ok(Some(want)), "{raw}");
        }
        assert_eq!(timestamp("null", &zone), Ok(None));
        for text in [
            "",
            "1899-12-31T23:59:59Z",
            "10000-01-01T00:00:00Z",
            "2021-07-30T",
            "2021-07-30T24:00:00",
            "2021-07-30T23:60:00",
            "2021-07-30T23:59:60",
            "2021-07-30T10:",
            "2021-07-30T10:00Z",
            "2021-07-30T10:00:00z",
            "2021-07-30T10:00:00+19:00",
            "2021-07-30T10:00:00+1:",
            "2021-07-30T10:00:00+100",
            "2021-07-30T10:00:00 Mars/Base",
            "2021-07-30t10:00:00",
            "2021-07 10:00:00",
            "2021-02-30T10:00:00",
            "12:30:00",
            "T12:30",
            "9999-12-31 19:00:00",
            "2021-07-30T10:00:00+é",
            "1627669098",
        ] {
            assert_eq!(timestamp(&quoted(text), &zone), Err(Mismatch), "{text}");
        }
        for raw in ["1.5", "1e3", "1627669098000", "99999999999999999999", "true", "{}", "[]", ""] {
            assert_eq!(timestamp(raw, &zone), Err(Mismatch), "{raw}");
        }
    }

    #[test]
    fn local_times_agree_with_jiff() {
        for name in ["Europe/London", "America/Sao_Paulo", "Asia/Kolkata", "Pacific/Apia", "UTC"] {
            let zone = ZONES.get(name).unwrap();
            for i in -2000i64..6000 {
                let shown = EPOCH.checked_add(jiff::SignedDuration::from_secs(i * 1_234_567)).unwrap();
                let want = zone.to_timestamp(shown).unwrap().as_microsecond();
                assert_eq!(
                    timestamp(&quoted(&shown.to_string()), &zone).ok().flatten(),
                    in_range(want).ok(),
                    "{shown}"
                );
            }
        }
    }
}
