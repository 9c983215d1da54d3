//! Figures as people read them, the same wherever they are read: no locale, times in UTC.

use super::time::Time;

/// A whole number with commas between thousands.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `n` of something: `1 message`, `2,000 messages`.
pub fn of(n: u64, one: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {one}{s}", count(n))
}

/// Bytes, in units of 1,024.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let (mut size, mut unit) = (n as f64 / 1024.0, UNITS[0]);
    for next in &UNITS[1..] {
        // Not "1024.0 KiB".
        if size < 1023.95 {
            break;
        }
        (size, unit) = (size / 1024.0, next);
    }
    format!("{size:.1} {unit}")
}

/// A length of time in milliseconds, in its two largest units.
pub fn millis(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..10_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => seconds(ms / 1_000),
    }
}

/// A length of time in whole seconds, in its two largest units.
pub fn seconds(s: u64) -> String {
    let (minutes, hours, days) = (s / 60, s / 3_600, s / 86_400);
    let two = |large: u64, unit: &str, small: u64, of: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {of}"),
    };
    match s {
        0..60 => format!("{s} s"),
        60..3_600 => two(minutes, "min", s % 60, "s"),
        3_600..86_400 => two(hours, "h", minutes % 60, "min"),
        _ => two(days, "d", hours % 24, "h"),
    }
}

/// How long ago `then` was, in its largest unit; a time that lies ahead says `0 s ago`.
pub fn ago(then: Time, now: Time) -> String {
    let age = match then.age(now).as_secs() {
        s @ 0..60 => s,
        s @ 60..3_600 => s / 60 * 60,
        s @ 3_600..86_400 => s / 3_600 * 3_600,
        s => s / 86_400 * 86_400,
    };
    format!("{} ago", seconds(age))
}

/// `2026-11-22 17:53:02 UTC`
pub fn utc(at: Time) -> String {
    let whole = jiff::Timestamp::from_millisecond(at.ms());
    whole.map_or_else(|_| at.to_string(), |t| t.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas_between_thousands() {
        for (n, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")] {
            assert_eq!(count(n), text);
        }
        assert_eq!(
            (of(1, "row"), of(0, "row"), of(1_000, "row")),
            ("1 row".into(), "0 rows".into(), "1,000 rows".into())
        );
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn bytes_are_in_units_of_1024_and_never_1024_of_one() {
        let mib = 1 << 20;
        for (n, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (1_536, "1.5 KiB"),
            (mib - 1, "1.0 MiB"),
            (64 * mib, "64.0 MiB"),
            (5 << 30, "5.0 GiB"),
            (3 << 50, "3072.0 TiB"),
        ] {
            assert_eq!(bytes(n), text);
        }
    }

    #[test]
    fn times_have_at_most_two_units() {
        for (ms, text) in [(0, "0 ms"), (999, "999 ms"), (1_000, "1.0 s"), (9_999, "9.9 s"), (10_400, "10 s")] {
            assert_eq!(millis(ms), text);
        }
        for (s, text) in [
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3_600, "1 h"),
            (7_500, "2 h 5 min"),
            (90_000, "1 d 1 h"),
            (864_000, "10 d"),
        ] {
            assert_eq!(seconds(s), text);
        }
        let at = |s: i64| Time::of_ms(s * 1000).unwrap();
        assert_eq!((ago(at(10), at(22)), ago(at(22), at(10))), ("12 s ago".into(), "0 s ago".into()));
        let long = [119, 7_199, 200_000].map(|s| ago(at(0), at(s)));
        assert_eq!(long, ["1 min ago", "1 h ago", "2 d ago"]);
        assert_eq!(utc(at(0)), "1970-01-01 00:00:00 UTC");
    }
}
