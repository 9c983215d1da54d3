//! An event as the game logs it: ordered fields, written as Python's `json.dumps` does.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::Value;

/// One event: its fields in the order in which they are written. No name is there twice.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    fields: Vec<(String, Value)>,
}

impl Event {
    /// An event of this `event_type`, its first field.
    pub(super) fn new(event_type: &str) -> Event {
        Event { fields: vec![("event_type".to_owned(), event_type.into())] }
    }

    /// The event with this field, in place of one of the same name if there is one.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Event {
        let value = value.into();
        match self.fields.iter_mut().find(|(there, _)| there == name) {
            Some((_, old)) => *old = value,
            None => self.fields.push((name.to_owned(), value)),
        }
        self
    }

    /// The fields in order.
    pub fn fields(&self) -> &[(String, Value)] {
        &self.fields
    }

    /// The field of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(there, _)| there == name).map(|(_, value)| value)
    }

    /// Puts the fields into another order.
    pub fn shuffle(&mut self, rng: &mut StdRng) {
        self.fields.shuffle(rng);
    }

    /// The event as Python's `json.dumps` writes it: `", "` and `": "` between, nothing but ASCII.
    pub fn to_json(&self) -> String {
        let mut json = String::with_capacity(32 * self.fields.len());
        for (name, value) in &self.fields {
            json.push_str(if json.is_empty() { "{" } else { ", " });
            write_ascii(&mut json, &Value::from(name.as_str()).to_string());
            json.push_str(": ");
            write_ascii(&mut json, &value.to_string());
        }
        json.push('}');
        json
    }
}

/// Appends JSON text with `\uXXXX` for what is not printable ASCII, which is only ever found inside its strings.
fn write_ascii(into: &mut String, json: &str) {
    for c in json.chars() {
        if matches!(c, ' '..='~') {
            into.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            into.push_str(&format!("\\u{unit:04x}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn json_is_written_as_python_does() {
        let event = Event::new("default")
            .with("Host", "a\"b\\c\n\u{1}\u{7f}/é😀")
            .with("cost", Value::Null)
            .with("n", 5)
            .with("event_type", "x");
        // json.dumps({"event_type": "x", "Host": "a\"b\\c\n\x01\x7f/é😀", "cost": None, "n": 5}) of Python 3.
        let python = r#"{"event_type": "x", "Host": "a\"b\\c\n\u0001\u007f/\u00e9\ud83d\ude00", "cost": null, "n": 5}"#;
        assert_eq!(event.to_json(), python);
        let read: Value = serde_json::from_str(python).unwrap();
        assert_eq!(read["Host"], *event.get("Host").unwrap());
    }

    #[test]
    fn shuffling_keeps_every_field() {
        let event = (0..9).fold(Event::new("x"), |event, n| event.with(&format!("f{n}"), n));
        let mut shuffled = event.clone();
        shuffled.shuffle(&mut StdRng::seed_from_u64(1));
        assert_ne!(shuffled, event);
        assert!(event.fields().iter().all(|field| shuffled.fields().contains(field)));
        assert_eq!(shuffled.fields().len(), event.fields().len());
    }
}
