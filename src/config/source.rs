//! Where a column's values come from, out of its text.

use super::known::nearest;
use super::settings::{ColumnSource, Moment};

/// The sources that are no JSON field.
const SPECIAL: [(&str, ColumnSource); 8] = [
    ("kafka.value", ColumnSource::KafkaValue),
    ("kafka.key", ColumnSource::KafkaKey),
    ("kafka.timestamp", ColumnSource::KafkaTimestamp),
    ("kafka.topic", ColumnSource::KafkaTopic),
    ("kafka.partition", ColumnSource::KafkaPartition),
    ("kafka.offset", ColumnSource::KafkaOffset),
    ("kafka.headers", ColumnSource::KafkaHeaders),
    ("batch.id", ColumnSource::BatchId),
];

/// The source that `text` names, or the reason that it names none. Names beginning with `kafka.` and `batch.` are
/// landfall's own.
pub(super) fn parse(text: &str) -> Result<ColumnSource, String> {
    if let Some((_, source)) = SPECIAL.iter().find(|(name, _)| *name == text) {
        return Ok(source.clone());
    }
    if text.is_empty() {
        return Err("no name".to_owned());
    }
    if let Some(inner) = text.strip_suffix(')') {
        if let Some(inner) = inner.strip_prefix("date(") {
            return moment("date", inner).map(ColumnSource::Date);
        }
        if let Some(inner) = inner.strip_prefix("hour(") {
            return moment("hour", inner).map(ColumnSource::Hour);
        }
    }
    if text.starts_with('$') {
        let mut names = path(text)?;
        return Ok(match names.len() {
            1 => ColumnSource::Field(names.remove(0)),
            _ => ColumnSource::Path(names),
        });
    }
    if text.starts_with("kafka.") || text.starts_with("batch.") {
        return Err(match nearest(text, SPECIAL.iter().map(|(name, _)| *name)) {
            Some(near) => format!("no such source; did you mean {near}?"),
            None => "no such source".to_owned(),
        });
    }
    Ok(ColumnSource::Field(text.to_owned()))
}

/// What stands in `date(…)` and `hour(…)`.
fn moment(of: &str, text: &str) -> Result<Moment, String> {
    match parse(text).map_err(|reason| format!("in {of}(…): {reason}"))? {
        ColumnSource::KafkaTimestamp => Ok(Moment::Kafka),
        ColumnSource::Field(name) => Ok(Moment::Field(vec![name])),
        ColumnSource::Path(names) => Ok(Moment::Field(names)),
        _ => Err(format!("{of}(…) is of kafka.timestamp, or of a JSON field that holds a timestamp")),
    }
}

/// Most names of a path.
const MOST_NAMES: usize = 32;

/// The names of a JSONPath: `$.a.b`, `$['a']["b"]`, mixed at will. In quotes, a backslash stands before a quote or
/// another backslash.
pub(super) fn path(text: &str) -> Result<Vec<String>, String> {
    let mut rest = text.strip_prefix('$').ok_or("a path begins with $")?;
    let mut names = Vec::new();
    while !rest.is_empty() {
        let name;
        (name, rest) = if let Some(plain) = rest.strip_prefix('.') {
            let end = plain.find(['.', '[']).unwrap_or(plain.len());
            (plain[..end].to_owned(), &plain[end..])
        } else if let Some(inner) = rest.strip_prefix('[') {
            bracketed(inner)?
        } else {
            return Err(format!("a path goes on with .name or ['name'], not with {rest}"));
        };
        match name.as_str() {
            "" => return Err("a path with an empty name".to_owned()),
            "*" => {
                return Err("a path of names is wanted: * is none; declare the column as an array or a map".to_owned());
            }
            _ => names.push(name),
        }
    }
    match names.len() {
        0 => Err("a path without a name; the whole message is kafka.value".to_owned()),
        1..=MOST_NAMES => Ok(names),
        _ => Err(format!("a path of more than {MOST_NAMES} names")),
    }
}

/// The name up to the closing bracket, and what follows that.
fn bracketed(inner: &str) -> Result<(String, &str), String> {
    let quote = inner.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let quote = quote.ok_or("a path of names is wanted, without indexes and filters: ['name']")?;
    let (mut name, mut chars) = (String::new(), inner.char_indices().skip(1));
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.extend(chars.next().map(|(_, c)| c)),
            c if c == quote => {
                let rest = inner[at + 1..].strip_prefix(']').ok_or("after the name in quotes, ] is missing")?;
                return Ok((name, rest));
            }
            c => name.push(c),
        }
    }
    Err("a quote that is not closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources() {
        let field = |name: &str| Ok(ColumnSource::Field(name.to_owned()));
        let steps = |names: &[&str]| Ok(ColumnSource::Path(names.iter().map(|n| (*n).to_owned()).collect()));
        let wrong = |reason: &str| Err(reason.to_owned());
        for (text, expected) in [
            ("kafka.value", Ok(ColumnSource::KafkaValue)),
            ("kafka.key", Ok(ColumnSource::KafkaKey)),
            ("kafka.timestamp", Ok(ColumnSource::KafkaTimestamp)),
            ("kafka.topic", Ok(ColumnSource::KafkaTopic)),
            ("kafka.partition", Ok(ColumnSource::KafkaPartition)),
            ("kafka.offset", Ok(ColumnSource::KafkaOffset)),
            ("batch.id", Ok(ColumnSource::BatchId)),
            ("User-Agent", field("User-Agent")),
            ("a.b", field("a.b")),
            ("kafka", field("kafka")),
            ("", wrong("no name")),
            ("$.a", field("a")),
            ("$['$.a']", field("$.a")),
            ("$.a.b", steps(&["a", "b"])),
            ("$.User-Agent['a.b'][\"it's\"].c", steps(&["User-Agent", "a.b", "it's", "c"])),
            (r"$['it\'s'].é", steps(&["it's", "é"])),
            ("kafka.headers", Ok(ColumnSource::KafkaHeaders)),
            ("$", wrong("a path without a name; the whole message is kafka.value")),
            ("$a", wrong("a path goes on with .name or ['name'], not with a")),
            ("$..a", wrong("a path with an empty name")),
            ("$.a.", wrong("a path with an empty name")),
            ("$['']", wrong("a path with an empty name")),
            ("$.a.*", wrong("a path of names is wanted: * is none; declare the column as an array or a map")),
            ("$.a[0]", wrong("a path of names is wanted, without indexes and filters: ['name']")),
            ("$.a[?(@.b)]", wrong("a path of names is wanted, without indexes and filters: ['name']")),
            ("$['a'", wrong("after the name in quotes, ] is missing")),
            ("$['a", wrong("a quote that is not closed")),
            ("date(kafka.timestamp)", Ok(ColumnSource::Date(Moment::Kafka))),
            ("hour(at)", Ok(ColumnSource::Hour(Moment::Field(vec!["at".to_owned()])))),
            ("date($.a['(b)'])", Ok(ColumnSource::Date(Moment::Field(vec!["a".to_owned(), "(b)".to_owned()])))),
            ("$['date(at)']", field("date(at)")),
            ("day(at)", field("day(at)")),
            ("date()", wrong("in date(…): no name")),
            ("hour($)", wrong("in hour(…): a path without a name; the whole message is kafka.value")),
            ("hour(kafka.offset)", wrong("hour(…) is of kafka.timestamp, or of a JSON field that holds a timestamp")),
            ("hour(date(a))", wrong("hour(…) is of kafka.timestamp, or of a JSON field that holds a timestamp")),
            ("kafka.ofset", wrong("no such source; did you mean kafka.offset?")),
            ("kafka.header", wrong("no such source; did you mean kafka.headers?")),
            ("batch.number", wrong("no such source")),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn a_path_is_bounded() {
        assert_eq!(path(&format!("${}", ".a".repeat(32))).map(|names| names.len()), Ok(32));
        assert_eq!(path(&format!("${}", ".a".repeat(33))), Err("a path of more than 32 names".to_owned()));
    }
}
