//! Headers of a message as a column holds them.

use serde_json::{Map, Value};

use crate::model::Headers;

/// Keys and values, each key once: of a key that comes twice, the last value.
pub(super) fn distinct<'a>(headers: Headers<'a>) -> Vec<(&'a str, Option<&'a [u8]>)> {
    let mut last: Vec<(&str, Option<&[u8]>)> = Vec::new();
    for (key, value) in headers.iter() {
        // Messages have few headers.
        match last.iter_mut().find(|(k, _)| *k == key) {
            Some(known) => known.1 = value,
            None => last.push((key, value)),
        }
    }
    last
}

/// The text of a JSON object; bytes that are no UTF-8 are U+FFFD.
pub(super) fn as_json(headers: &[(&str, Option<&[u8]>)]) -> String {
    let field = |(key, value): &(&str, Option<&[u8]>)| {
        ((*key).to_owned(), value.map_or(Value::Null, |v| String::from_utf8_lossy(v).into()))
    };
    Value::Object(headers.iter().map(field).collect::<Map<_, _>>()).to_string()
}
