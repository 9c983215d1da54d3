//! A sample of messages to the table that could hold them: what `landfall infer` prints.

mod ddl;
mod shape;
mod types;

pub use ddl::Proposal;
use shape::Shape;

use crate::decode::{Decoder, UnionRow, text};

/// What was seen of a sample of messages.
#[derive(Debug, Default)]
pub struct Sample {
    /// Its fields by the messages' own spelling.
    shape: Shape,
    /// Messages that count.
    messages: u64,
    /// Messages left out, and the first of them with the reason.
    left_out: u64,
    first_left_out: Option<String>,
}

impl Sample {
    /// Takes one message into account. One that is no JSON object is left out, counted.
    pub fn add(&mut self, message: &[u8]) {
        let text = std::str::from_utf8(message).map_err(|e| e.to_string());
        // As a whole first, so that a broken message leaves no trace.
        let object = text.and_then(|text| {
            serde_json::from_str::<&serde_json::value::RawValue>(text).map_err(|e| e.to_string())?;
            let text = text.trim_ascii();
            text.starts_with('{').then_some(text).ok_or_else(|| "not a JSON object".to_owned())
        });
        match object {
            Ok(text) => {
                self.shape.add(text, 0);
                self.messages += 1;
            }
            Err(reason) => {
                self.left_out += 1;
                self.first_left_out.get_or_insert(reason);
            }
        }
    }

    /// Messages taken into account.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Messages left out, and why the first was.
    pub fn left_out(&self) -> (u64, Option<&str>) {
        (self.left_out, self.first_left_out.as_deref())
    }

    /// The table that could hold the sample; `table` and `location` as the DDL is to have them. Columns whose names are
    /// `taken` do not get the field of their name by themselves.
    pub fn propose(&self, table: &str, location: &str, taken: &[String]) -> Proposal {
        Proposal::new(&self.shape, self.messages, table, location, taken)
    }
}

/// Which messages belong to a sample: those whose field has this text, as a string column would hold it.
#[derive(Debug)]
pub struct Where {
    decoder: Decoder,
    text: String,
}

impl Where {
    /// The top-level field `name` has this text.
    pub fn new(name: &str, text: &str) -> Where {
        Where { decoder: Decoder::new(&[vec![name.to_owned()]], &[], u64::MAX), text: text.to_owned() }
    }

    /// Whether it holds for the message; for one that is no JSON object it does not.
    pub fn holds(&self, message: &[u8]) -> bool {
        let mut row = UnionRow::default();
        let is_read = std::str::from_utf8(message).is_ok_and(|text| self.decoder.decode(text, &mut row).is_ok());
        is_read && row.raw(0).and_then(text).is_some_and(|found| found == self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::migrations;

    fn proposal(messages: &[&str]) -> String {
        let mut sample = Sample::default();
        messages.iter().for_each(|m| sample.add(m.as_bytes()));
        sample.propose("t", "/tmp/t", &["timestamp".to_owned()]).to_string()
    }

    /// The columns as the migration's parser reads them back.
    fn columns(messages: &[&str]) -> Vec<(String, String)> {
        let text = proposal(messages);
        let tables =
            migrations::load(&[("0001_t.sql".into(), text.clone())]).unwrap_or_else(|e| panic!("{e:?}\n{text}"));
        tables[0].columns.iter().map(|c| (c.name.clone(), c.hive_type.to_string())).collect()
    }

    fn one(messages: &[&str]) -> String {
        let columns = columns(messages);
        assert_eq!(columns.len(), 1, "{columns:?}");
        columns[0].1.clone()
    }

    #[test]
    fn each_kind_of_value_has_its_type() {
        for (values, want) in [
            (&["true", "null", "false"][..], "boolean"),
            (&["1", "-5"], "bigint"),
            (&["1", "2.5"], "double"),
            (&["1e3"], "double"),
            (&["9223372036854775808"], "string"),
            (&["\"x\"", "1"], "string"),
            (&["null"], "string"),
            (&["[1,2]", "[]", "[null]"], "array<bigint>"),
            (&["[]"], "array<string>"),
            (&["[[1.5]]"], "array<array<double>>"),
            (&["{\"a\":1}", "{\"b\":\"x\"}"], "struct<a:bigint,b:string>"),
            (&["[{\"a\":1},{\"a\":2.5}]"], "array<struct<a:double>>"),
            (&["{}"], "map<string,string>"),
            (&["{\"a-b\":1}"], "map<string,bigint>"),
            (&["{\"a\":1,\"A\":\"x\"}"], "map<string,string>"),
            (&["{\"a\":1}", "[1]"], "string"),
        ] {
            let messages: Vec<_> = values.iter().map(|v| format!("{{\"f\":{v}}}")).collect();
            let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
            assert_eq!(one(&messages), want, "{values:?}");
        }
    }

    #[test]
    fn keys_that_are_values_become_a_map() {
        let messages: Vec<_> = (0..50).map(|i| format!("{{\"f\":{{\"user{i}\":{i}}}}}")).collect();
        let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
        assert_eq!(one(&messages), "map<string,bigint>");
    }

    #[test]
    fn columns_come_in_the_order_of_the_messages_with_their_own_spelling() {
        let got = columns(&[
            r#"{"event_type":"a","User-Agent":"x"}"#,
            r#"{"Host":"h","event_type":"b","cost":null,"User-Agent":"y","sequences":{"counts":{"allCorrect":true}}}"#,
        ]);
        let want = [
            ("event_type", "string"),
            ("User-Agent", "string"),
            ("Host", "string"),
            ("cost", "string"),
            ("sequences", "struct<counts:struct<allcorrect:boolean>>"),
        ];
        assert_eq!(got, want.map(|(n, t)| (n.to_owned(), t.to_owned())));
        // The spelling of a struct's fields matters: JSON is looked up by it.
        assert!(proposal(&[r#"{"s":{"allCorrect":true}}"#]).contains("struct<allCorrect:boolean>"));
    }

    #[test]
    fn names_that_hive_cannot_keep_get_others_and_a_source() {
        let message = r#"{"Host":1,"host":"x","a b":1,"a,b":2,"":3,"a'\\":4,"timestamp":5}"#;
        let (text, columns) = (proposal(&[message]), columns(&[message]));
        let names: Vec<_> = columns.iter().map(|c| c.0.as_str()).collect();
        assert_eq!(names, ["Host", "host_2", "a_b", "a_b_2", "a_\\", "timestamp"], "{text}");
        for line in [
            "[tables.t.columns]",
            r#""host_2" = "$['host']""#,
            r#""a_b" = "$['a b']""#,
            r#""a_b_2" = "$['a,b']""#,
            r#""a_\\" = "$['a\\'\\\\']""#,
            r#""timestamp" = "$['timestamp']""#,
            "-- A field whose name is empty",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn what_is_no_object_is_left_out_and_counted() {
        let mut sample = Sample::default();
        for m in [&b"{\"a\":1}"[..], b"[1]", b"{\"a\":", b"\xff", b"", b"{\"a\":2} x", b" {\"a\":3}\n"] {
            sample.add(m);
        }
        assert_eq!((sample.messages(), sample.left_out()), (2, (5, Some("not a JSON object"))));
        assert!(sample.propose("t", "/t", &[]).to_string().contains("`a` bigint"));
        assert!(Sample::default().propose("t", "/t", &[]).to_string().contains("`raw_event` string"));
    }

    #[test]
    fn nothing_that_is_deep_or_wide_does_harm() {
        let deep = format!("{{\"f\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(one(&[&deep]).matches("array<").count(), 16);
        let wide: Vec<_> = (0..5000).map(|i| format!("\"k{i}\":{i}")).collect();
        let text = proposal(&[&format!("{{{}}}", wide.join(","))]);
        assert!(text.contains("`k999` bigint") && !text.contains("`k1000`"), "bounded");
        assert!(text.contains("4000 more fields"), "and said");
    }

    #[test]
    fn a_condition_is_on_the_text_of_a_string_column() {
        for (message, holds) in [
            (&br#"{"x":[1],"e":"a","e":5}"#[..], true),
            (br#"{"\u0065":"5"}"#, true),
            (br#"{"e":"a"}"#, false),
            (br#"{"x":"5"}"#, false),
            (b"[5]", false),
            (br#"{"e":5"#, false),
        ] {
            assert_eq!(Where::new("e", "5").holds(message), holds, "{}", String::from_utf8_lossy(message));
        }
    }
}
