//! Where a column's values come from, out of its text.

use super::known::nearest;
use super::settings::ColumnSource;

/// The sources that are no JSON field.
const SPECIAL: [(&str, ColumnSource); 7] = [
    ("kafka.value", ColumnSource::KafkaValue),
    ("kafka.key", ColumnSource::KafkaKey),
    ("kafka.timestamp", ColumnSource::KafkaTimestamp),
    ("kafka.topic", ColumnSource::KafkaTopic),
    ("kafka.partition", ColumnSource::KafkaPartition),
    ("kafka.offset", ColumnSource::KafkaOffset),
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
    if text.starts_with('$') {
        return Err("a JSONPath is not supported yet".to_owned());
    }
    if text.starts_with("kafka.") || text.starts_with("batch.") {
        return Err(match nearest(text, SPECIAL.iter().map(|(name, _)| *name)) {
            Some(near) => format!("no such source; did you mean {near}?"),
            None => "no such source".to_owned(),
        });
    }
    Ok(ColumnSource::Field(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources() {
        let field = |name: &str| Ok(ColumnSource::Field(name.to_owned()));
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
            ("$.a.b", wrong("a JSONPath is not supported yet")),
            ("kafka.ofset", wrong("no such source; did you mean kafka.offset?")),
            ("kafka.headers", wrong("no such source")),
            ("batch.number", wrong("no such source")),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
