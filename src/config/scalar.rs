//! Single values in text form: durations, sizes, addresses, names. Each error is a reason; the reader adds what is allowed.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

/// A longer wait than this is a slip of the pen, and could overflow a clock.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// `500ms`, `10s`, `2m`, `1h`: a whole number above 0 and its unit, a week at most.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = number_and_unit(text).ok_or("not a duration")?;
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "" => return Err("a duration without its unit".to_owned()),
        _ => return Err("not a duration".to_owned()),
    };
    match number.checked_mul(millis).map(Duration::from_millis) {
        Some(Duration::ZERO) => Err("a duration of nothing".to_owned()),
        Some(it) if it <= LONGEST => Ok(it),
        _ => Err("longer than a week (168h)".to_owned()),
    }
}

/// `67108864`, `64MiB`, `16 MB`: bytes, at least one. Units do not care for case; `K` alone is not one, as it is read both ways.
pub(super) fn size(text: &str) -> Result<NonZeroU64, String> {
    let (number, unit) = number_and_unit(text).ok_or("not a size")?;
    let bytes: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1000 * 1000,
        "gb" => 1000 * 1000 * 1000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return Err("not a size".to_owned()),
    };
    let all = number.checked_mul(bytes).filter(|all| i64::try_from(*all).is_ok()).ok_or("far too large")?;
    NonZeroU64::new(all).ok_or("a size of nothing".to_owned())
}

/// A whole number from 1.
pub(super) fn count(text: &str) -> Result<NonZeroU64, String> {
    text.parse::<u64>().ok().and_then(NonZeroU64::new).ok_or("not a whole number from 1".to_owned())
}

/// `5%`, `0.5%`, `100%`: a share above nothing, in millionths, with at most four digits behind the dot.
pub(super) fn share(text: &str) -> Result<NonZeroU32, String> {
    let number = text.trim().strip_suffix('%').ok_or("a share without its %")?.trim_end();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 4 || whole.len() > 3 {
        return Err("not a share".to_owned());
    }
    let millionths = format!("{whole}{fraction:0<4}").parse().ok().and_then(NonZeroU32::new);
    match millionths.ok_or("a share of nothing")? {
        it if it.get() > 1_000_000 => Err("more than all".to_owned()),
        it => Ok(it),
    }
}

/// The text of a share.
pub(super) fn share_text(text: &str) -> Result<String, String> {
    share(text).map(|_| text.to_owned())
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number = text[..digits].parse().ok()?;
    Some((number, text[digits..].trim_start()))
}

/// `host:port`. A literal IPv6 address stands in brackets.
pub(super) fn host_port(text: &str) -> Result<String, String> {
    if text.contains("://") {
        return Err("an address without a scheme is wanted".to_owned());
    }
    if text.contains('@') {
        return Err("an address without a user is wanted".to_owned());
    }
    let (host, port) = text.rsplit_once(':').ok_or("the port is missing")?;
    check_host(host)?;
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok(text.to_owned()),
        _ => Err(format!("{port:?} is not a port from 1 to 65535")),
    }
}

fn check_host(host: &str) -> Result<(), String> {
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_good = match inner {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')),
    };
    match is_good {
        true => Ok(()),
        false if host.is_empty() => Err("the host is missing".to_owned()),
        // Not shown: it may hold a user and a password.
        false => Err("not a host name or address".to_owned()),
    }
}

/// `host:port`s with commas between; comes back without blanks.
pub(super) fn host_ports(text: &str) -> Result<String, String> {
    let each: Result<Vec<String>, String> = text.split(',').map(|one| host_port(one.trim())).collect();
    Ok(each?.join(","))
}

/// `hdfs://host:port`, `hdfs://nameservice`, `file:///folder`; comes back without a slash at the end, but for `file:///`.
pub(super) fn storage_url(text: &str) -> Result<String, String> {
    if let Some(path) = text.strip_prefix("file://") {
        if path.is_empty() || !path.starts_with('/') {
            return Err("a file URL has three slashes and an absolute path".to_owned());
        }
        if path.trim_matches('/').is_empty() {
            return Ok("file:///".to_owned());
        }
        return Ok(format!("file://{}", absolute_path(path)?));
    }
    let authority = text.strip_prefix("hdfs://").ok_or("neither an hdfs nor a file URL")?;
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if authority.contains('/') {
        return Err("an hdfs URL must end after the host: locations and the checkpoint are whole paths".to_owned());
    }
    match authority.contains(':') {
        true => host_port(authority).map(drop)?,
        false => check_host(authority)?,
    }
    Ok(format!("hdfs://{authority}"))
}

/// `thrift://host:port`s with commas between, or nothing at all; comes back without blanks.
pub(super) fn thrift_uris_or_empty(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let one = |uri: &str| host_port(uri.strip_prefix("thrift://").ok_or("not a thrift URI")?).map(|_| uri.to_owned());
    let each: Result<Vec<String>, String> = text.split(',').map(|uri| one(uri.trim())).collect();
    Ok(each?.join(","))
}

/// Levels, of all or of a target, as `RUST_LOG` has them.
pub(super) fn log_level(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let wrong = |part: &&str| {
        let (target, level) = part.split_once('=').unwrap_or(("all", part));
        let named = !target.is_empty() && target.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
        !named || !LEVELS.contains(&level.to_ascii_lowercase().as_str())
    };
    match text.split(',').map(str::trim).find(wrong) {
        Some(part) => Err(format!("{part:?} is not a level")),
        None => Ok(text.to_owned()),
    }
}

/// `/a/b`; comes back without a slash at the end.
pub(super) fn absolute_path(text: &str) -> Result<String, String> {
    let path = text.trim_end_matches('/');
    match path.strip_prefix('/') {
        _ if text.contains("://") => Err("a URL; a path below storage.url is wanted".to_owned()),
        None if text.starts_with('/') => Err("the root itself cannot be used".to_owned()),
        None => Err("not an absolute path".to_owned()),
        Some(rest) if rest.split('/').any(|part| matches!(part, "" | "." | "..")) => {
            Err("a path with an empty part, `.` or `..`".to_owned())
        }
        Some(_) => Ok(path.to_owned()),
    }
}

/// An IANA zone; comes back as the time zone database spells it.
pub(super) fn zone(text: &str) -> Result<String, String> {
    let zone = jiff::tz::TimeZone::get(text).ok().filter(|zone| !zone.is_unknown());
    if let Some(zone) = zone {
        return Ok(zone.iana_name().unwrap_or(text).to_owned());
    }
    let nearest = jiff::tz::db()
        .available()
        .map(|name| {
            (strsim::damerau_levenshtein(&name.as_str().to_lowercase(), &text.to_lowercase()), name.to_string())
        })
        .min()
        .filter(|(distance, _)| *distance <= 3);
    Err(match nearest {
        Some((_, name)) => format!("no such time zone; did you mean {name}?"),
        None => "no such time zone".to_owned(),
    })
}

/// A topic's name by Kafka's rules.
pub(super) fn topic(text: &str) -> Result<String, String> {
    if text.starts_with('^') {
        return Err("a pattern of topics is not supported yet".to_owned());
    }
    let is_good = (1..=249).contains(&text.len()) && has_only(text, "._-") && text != "." && text != "..";
    if is_good { Ok(text.to_owned()) } else { Err("not a topic's name".to_owned()) }
}

/// A job's name: also part of file and group names.
pub(super) fn job(text: &str) -> Result<String, String> {
    let is_good = (1..=100).contains(&text.len()) && has_only(text, "._-") && !text.starts_with(['.', '_', '-']);
    if is_good { Ok(text.to_owned()) } else { Err("not a job's name".to_owned()) }
}

/// A Hive table's or database's name; comes back in lower case, as the metastore keeps it.
pub(super) fn hive_name(text: &str) -> Result<String, String> {
    let is_good = (1..=128).contains(&text.len()) && has_only(text, "_");
    if is_good { Ok(text.to_ascii_lowercase()) } else { Err("not a name that Hive takes".to_owned()) }
}

/// Any text but none.
pub(super) fn some_text(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// Any text.
pub(super) fn any_text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

fn has_only(text: &str, others: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            (" 10 s ", 10_000),
            ("168h", 604_800_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "10",
            "10 seconds?",
            "10S",
            "1.5s",
            "-1s",
            "s",
            "",
            "0s",
            "1d",
            "169h",
            "99999999999999999999s",
            "18446744073709551615h",
            "1s2",
            "１s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_and_counts() {
        for (text, bytes) in [
            ("67108864", 64 << 20),
            ("64MiB", 64 << 20),
            ("64 mib", 64 << 20),
            ("16 MB", 16_000_000),
            ("2kB", 2000),
            ("1KiB", 1024),
            ("1gb", 1_000_000_000),
            ("1GiB", 1 << 30),
            ("7B", 7),
        ] {
            assert_eq!(size(text).map(NonZeroU64::get), Ok(bytes), "{text}");
        }
        for text in ["", "0", "0MiB", "1.5MiB", "-1", "64M", "64 megabytes", "99999999999999GiB", "1TiB"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert_eq!(count("500000").map(NonZeroU64::get), Ok(500_000));
        for text in ["", "0", "-1", "5 rows", "1.0", "64MiB"] {
            assert!(count(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares() {
        for (text, millionths) in
            [("5%", 50_000), (" 0.5 %", 5000), ("100%", 1_000_000), ("0.0001%", 1), ("12.25%", 122_500)]
        {
            assert_eq!(share(text).map(NonZeroU32::get), Ok(millionths), "{text}");
        }
        for text in ["", "5", "%", "0%", "0.00001%", "100.1%", "101%", "-5%", "5 per cent", ".5%", "5.%", "1e1%", "+5%"]
        {
            assert!(share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses() {
        for good in ["localhost:9092", "10.0.0.1:1", "[::1]:9092", "kafka_0.kafka-headless.svc:65535"] {
            assert_eq!(host_port(good), Ok(good.to_owned()));
        }
        for bad in
            ["", "localhost", ":9092", "h:", "h:0", "h:65536", "h:x", "PLAINTEXT://h:1", "a b:1", "u:p@h:1", "::1:9"]
        {
            assert!(host_port(bad).is_err(), "{bad}");
        }
        assert_eq!(host_ports("a:1, b:2"), Ok("a:1,b:2".to_owned()));
        assert!(host_ports("a:1,").is_err());
        assert_eq!(thrift_uris_or_empty(""), Ok(String::new()));
        assert_eq!(thrift_uris_or_empty("thrift://h:1, thrift://i:2"), Ok("thrift://h:1,thrift://i:2".to_owned()));
        for bad in ["h:9083", "http://h:9083", "thrift://h", "thrift://h:9083/x", "thrift://a:1,b:1", "thrift://a:1,"] {
            assert!(thrift_uris_or_empty(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn urls_and_paths() {
        for (given, kept) in [
            ("hdfs://localhost:8020", "hdfs://localhost:8020"),
            ("hdfs://localhost:8020/", "hdfs://localhost:8020"),
            ("hdfs://nameservice1", "hdfs://nameservice1"),
            ("file:///", "file:///"),
            ("file:///tmp/x/", "file:///tmp/x"),
        ] {
            assert_eq!(storage_url(given), Ok(kept.to_owned()), "{given}");
        }
        for bad in [
            "",
            "/tmp",
            "s3://b",
            "hdfs://",
            "hdfs:///",
            "hdfs://h:x",
            "hdfs://h:8020/base",
            "hdfs://u@h",
            "file://tmp/x",
            "file:/tmp",
            "file://",
            "file:///a/../b",
            "HDFS//x",
            "hdfs://a,b",
        ] {
            assert!(storage_url(bad).is_err(), "{bad}");
        }
        assert_eq!(absolute_path("/a/b//"), Ok("/a/b".to_owned()));
        for bad in ["", "/", "//", "a/b", "/a//b", "/a/../b", "hdfs://h/a", "/./a"] {
            assert!(absolute_path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_and_zones() {
        assert_eq!(zone("UTC"), Ok("UTC".to_owned()));
        assert_eq!(zone("america/new_york"), Ok("America/New_York".to_owned()));
        assert_eq!(zone("Europe/Berln"), Err("no such time zone; did you mean Europe/Berlin?".to_owned()));
        for bad in ["", "Etc/Unknown", "+02:00", "../../etc/passwd", "Middle Earth/Bag End"] {
            assert!(zone(bad).is_err(), "{bad}");
        }
        assert_eq!(hive_name("Purchases_2"), Ok("purchases_2".to_owned()));
        assert!(["", "a.b", "a-b", "ä"].into_iter().all(|bad| hive_name(bad).is_err()));
        assert!(topic("a.B_c-1").is_ok() && topic(&"x".repeat(249)).is_ok());
        assert!(["", ".", "..", "^a.*", "a b", "a/b", &"x".repeat(250)].into_iter().all(|bad| topic(bad).is_err()));
        assert!(job("events-prod.1").is_ok());
        assert!(["", ".a", "-a", "a/b", "a b"].into_iter().all(|bad| job(bad).is_err()));
        assert!(some_text(" ").is_err() && some_text("x").is_ok() && any_text("").is_ok());
    }
}
