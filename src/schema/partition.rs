//! Names of partitions: `dt=2026-11-22/hour=7`, a partition's directory below its table's and its name in the metastore.

use jiff::civil::Date;

/// The value of a partition whose rows have null there.
pub const NULL_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";

/// Most bytes of a name in a directory of HDFS, and of most local file systems.
const MAX_NAME: usize = 255;
/// Room for a partition's name in the metastore's database, in characters.
const MAX_PARTITION: usize = 767;
/// Hive's own list, besides the control characters; `}` is not in it.
const ESCAPED: &str = "\"#%'*/:=?\\\u{7f}{[]^";

/// Bytes that there are for one `name=value`, escaped, in a table of so many partition columns.
pub fn room(columns: usize) -> usize {
    let columns = columns.max(1);
    MAX_NAME.min((MAX_PARTITION - columns.min(MAX_PARTITION) + 1) / columns)
}

/// Bytes that `name=` and the value of null take.
pub fn least(name: &str) -> usize {
    let mut directory = String::new();
    push(&mut directory, name, None, usize::MAX);
    directory.len()
}

/// Appends `name=value` to a directory. A value that cannot be one, as it is empty, longer than `room` allows, null's
/// own word, or holds a zero byte, becomes null; `false` says so.
pub fn push(directory: &mut String, name: &str, value: Option<&str>, room: usize) -> bool {
    if !directory.is_empty() {
        directory.push('/');
    }
    let start = directory.len();
    escape(directory, name);
    directory.push('=');
    let begin = directory.len();
    let Some(value) = value else {
        directory.push_str(NULL_VALUE);
        return true;
    };
    let is_value = !value.is_empty() && value != NULL_VALUE && !value.contains('\0') && value.len() <= room;
    if is_value {
        escape(directory, value);
        if directory.len() - start <= room {
            return true;
        }
        directory.truncate(begin);
    }
    directory.push_str(NULL_VALUE);
    false
}

/// As Hive's `FileUtils.escapePathName`: `%` and two upper-case hex digits for each of its characters.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        if c < ' ' || ESCAPED.contains(c) {
            let digit = |n: u32| char::from_digit(n, 16).unwrap_or('0').to_ascii_uppercase();
            out.extend(['%', digit(c as u32 / 16), digit(c as u32 % 16)]);
        } else {
            out.push(c);
        }
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let code = part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok())?;
        out.push(char::from(code));
        out.push_str(&part[2..]);
    }
    Some(out)
}

/// The name of the partition of these values, by the columns of its table.
pub fn name_of(columns: &[(String, String)], values: &[String]) -> String {
    let mut name = String::new();
    for ((column, _), value) in columns.iter().zip(values) {
        push(&mut name, column, Some(value.as_str()).filter(|v| *v != NULL_VALUE), usize::MAX);
    }
    name
}

/// The value that a directory's own name stands for, in a table where a partition column of this name and type (as Hive
/// names it) is on its level. `None`: landfall makes no such directory, and readers would fail on it, or find it under
/// another name.
pub fn value_of(name: &str, column: &str, hive_type: &str) -> Option<String> {
    let (own, escaped) = name.split_once('=')?;
    let value = unescape(escaped)?;
    let mut again = String::new();
    let known = push(&mut again, column, Some(value.as_str()).filter(|v| *v != NULL_VALUE), MAX_NAME);
    let own_column = unescape(own)? == column;
    (known && own_column && again == name && (value == NULL_VALUE || fits(&value, hive_type))).then_some(value)
}

/// The values of a whole partition, by the columns of its table and their types.
pub fn values_of(partition: &str, columns: &[(String, String)]) -> Option<Vec<String>> {
    let names: Vec<_> = partition.split('/').collect();
    if names.len() != columns.len() {
        return None;
    }
    names.iter().zip(columns).map(|(name, (column, hive_type))| value_of(name, column, hive_type)).collect()
}

/// Whether every reader takes the value for one of this type, and every writer writes it so.
fn fits(value: &str, hive_type: &str) -> bool {
    let number = |least: i64, most: i64| {
        value.parse::<i64>().is_ok_and(|n| (least..=most).contains(&n) && n.to_string() == value)
    };
    match hive_type {
        "string" => true,
        "tinyint" => number(i8::MIN.into(), i8::MAX.into()),
        "smallint" => number(i16::MIN.into(), i16::MAX.into()),
        "int" => number(i32::MIN.into(), i32::MAX.into()),
        "bigint" => number(i64::MIN, i64::MAX),
        "date" => value.parse::<Date>().is_ok_and(|d| d.to_string() == value && d >= Date::constant(1582, 10, 15)),
        other => {
            let length = other.strip_prefix("varchar(").and_then(|t| t.strip_suffix(')')?.parse::<usize>().ok());
            length.is_some_and(|most| value.chars().count() <= most)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(values: &[(&str, Option<&str>)]) -> (String, bool) {
        let (mut out, mut all) = (String::new(), true);
        for (name, value) in values {
            all &= push(&mut out, name, *value, room(values.len()));
        }
        (out, all)
    }

    #[test]
    fn names_are_escaped_as_hive_does() {
        for (value, want) in [
            ("2026-11-22", "p=2026-11-22"),
            ("a/b=c:%", "p=a%2Fb%3Dc%3A%25"),
            ("a b", "p=a b"),
            ("größe", "p=größe"),
            ("\"#'*?\\{}[]^\u{7f}\t\u{1}", "p=%22%23%27%2A%3F%5C%7B}%5B%5D%5E%7F%09%01"),
            ("<>|,.;-_~!@&$()`", "p=<>|,.;-_~!@&$()`"),
        ] {
            assert_eq!(directory(&[("p", Some(value))]), (want.to_owned(), true));
            assert_eq!(value_of(want, "p", "string").as_deref(), Some(value));
        }
        assert_eq!(directory(&[("a=b", Some("1")), ("c", None)]).0, "a%3Db=1/c=__HIVE_DEFAULT_PARTITION__");
    }

    #[test]
    fn what_cannot_be_a_value_becomes_null() {
        let null = format!("p={NULL_VALUE}");
        assert_eq!(directory(&[("p", None)]), (null.clone(), true));
        for value in ["", NULL_VALUE, "a\0b", &"x".repeat(254), &"é".repeat(127), &"/".repeat(85)] {
            assert_eq!(directory(&[("p", Some(value))]), (null.clone(), false), "{value}");
        }
        for value in ["x".repeat(253), "é".repeat(126), "/".repeat(84)] {
            assert!(directory(&[("p", Some(&value))]).1, "{value}");
        }
        assert_eq!([1, 3, 4, 10].map(room), [255, 255, 191, 75]);
        assert!((1..300).all(|n| n * room(n) + n - 1 <= MAX_PARTITION), "a whole partition has room");
    }

    #[test]
    fn a_directory_that_no_reader_takes_for_the_type_is_none() {
        let keys = [("dt".to_owned(), "date".to_owned()), ("h".to_owned(), "int".to_owned())];
        let values = |text: &str| values_of(text, &keys);
        assert_eq!(values("dt=2026-11-22/h=-7").unwrap(), ["2026-11-22", "-7"]);
        assert_eq!(values(&format!("dt={NULL_VALUE}/h={NULL_VALUE}")).unwrap(), [NULL_VALUE; 2]);
        for bad in [
            "dt=2026-11-22",
            "dt=2026-11-22/h=7/x=1",
            "dt=2026-11-22/h=x",
            "dt=2026-11-22/h=07",
            "dt=2026-11-22/h=2147483648",
            "dt=2026-11-31/h=7",
            "dt=1582-10-14/h=7",
            "dt=2026-1-2/h=7",
            "h=7/dt=2026-11-22",
            "Dt=2026-11-22/h=7",
            "dt=2026-11-22/h=",
            "dt=2026-11-22/7",
            "",
        ] {
            assert_eq!(values(bad), None, "{bad}");
        }
        for (bad, hive_type) in [("p=a:b", "string"), ("p=%2f", "string"), ("p=%61", "string"), ("p=%zz", "string")] {
            assert_eq!(value_of(bad, "p", hive_type), None, "{bad} is not as Hive writes it");
        }
        assert_eq!(value_of("p=éé", "p", "varchar(2)").as_deref(), Some("éé"));
        assert_eq!(value_of("p=ééé", "p", "varchar(2)"), None);
        assert_eq!((value_of("p=128", "p", "tinyint"), value_of("p=a", "p", "double")), (None, None));
    }
}
