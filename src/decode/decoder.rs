//! One strict pass over a message: the raw text of every field that a column or a route wants.

use serde::de::{Deserialize, Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::learned::Learned;
use super::names::Names;
use super::paths::Paths;
use super::reject::{Reason, Reject};
use super::row::UnionRow;
use super::strict::DEEPEST;

/// Finds the wanted fields of a message and checks all of it.
#[derive(Debug, Clone)]
pub struct Decoder {
    /// The wanted fields at the top level, and the slot of each.
    names: Names,
    slots: Vec<usize>,
    /// Number of slots.
    all: usize,
    /// Paths that routes look at.
    early: Paths,
    /// Paths that only columns want.
    late: Paths,
    max_depth: usize,
}

impl Decoder {
    /// A decoder of these fields, whose places are their slots: each a path of at least one name; no two the same.
    /// `early` are the slots that [`Decoder::decode`] fills; other paths of more than one name wait for
    /// [`Decoder::descend`]. A message nested deeper than `max_depth` is refused; its own braces are the first level.
    pub fn new(wanted: &[Vec<String>], early: &[usize], max_depth: u64) -> Decoder {
        let (mut names, mut slots): (Vec<String>, Vec<usize>) = (Vec::new(), Vec::new());
        for (slot, path) in wanted.iter().enumerate().filter(|(_, path)| path.len() == 1) {
            names.push(path[0].clone());
            slots.push(slot);
        }
        let mut all = wanted.len();
        let (mut at_once, mut later) = (Paths::default(), Paths::default());
        for (slot, path) in wanted.iter().enumerate() {
            let Some((root, below)) = path.split_first().filter(|(_, below)| !below.is_empty()) else { continue };
            let known = names.iter().position(|n| n == root);
            let root = known.unwrap_or_else(|| {
                names.push(root.clone());
                slots.push(all);
                all += 1;
                names.len() - 1
            });
            let root = slots[root];
            let paths = if early.contains(&slot) { &mut at_once } else { &mut later };
            paths.add(root, below, slot);
        }
        let max_depth = usize::try_from(max_depth).unwrap_or(usize::MAX);
        Decoder { names: Names::new(names), slots, all, early: at_once, late: later, max_depth }
    }

    /// Names of the fields that are looked for at the top level.
    pub fn fields(&self) -> &[String] {
        self.names.all()
    }

    /// Reads the message `text` into `row`, which has served no other decoder. After an error the row holds nothing of
    /// use.
    pub fn decode<'a>(&self, text: &'a str, row: &mut UnionRow<'a>) -> Result<(), Reject> {
        row.reset(self.all);
        let mut learned = row.learned.take().unwrap_or_default();
        let read = self.quick(&mut learned, text, row);
        row.learned = Some(learned);
        match read {
            // The message's own braces, and what is within them.
            Some(()) if DEEPEST < self.max_depth => {}
            Some(()) => self.check_depth(text)?,
            None => self.judge(text, row)?,
        }
        if !self.early.is_empty() {
            self.early.resolve(row);
        }
        Ok(())
    }

    /// Reads a message like others before it; `None`: it has to be judged.
    #[inline]
    pub(super) fn quick<'a>(&self, learned: &mut Learned, text: &'a str, row: &mut UnionRow<'a>) -> Option<()> {
        learned.read(&self.names, &self.slots, text, row)
    }

    /// Reads a message that the quick way does not know for good: here it is decided, and said what is wrong.
    ///
    /// serde_json's skipping is iterative and checks the grammar of what it skips, so neither depth nor an unwanted
    /// field can do harm; lone surrogate escapes pass, as in Spark.
    #[cold]
    pub(super) fn judge<'a>(&self, text: &'a str, row: &mut UnionRow<'a>) -> Result<(), Reject> {
        row.reset(self.all);
        row.has_escapes = true;
        let json = |e: serde_json::Error| Reject::new(Reason::MalformedJson, e.to_string());
        let mut de = serde_json::Deserializer::from_str(text);
        if text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{') {
            de.deserialize_map(Fields { decoder: self, row: &mut *row }).and_then(|()| de.end()).map_err(json)?;
            return self.check_depth(text);
        }
        IgnoredAny::deserialize(&mut de).and_then(|_| de.end()).map_err(json)?;
        Err(Reject::new(Reason::NotAnObject, format!("expected an object, found {}", kind(text))))
    }

    /// Finds the values of the paths that only columns want, for a message that was decoded. Once a message.
    pub fn descend(&self, row: &mut UnionRow<'_>) {
        self.late.resolve(row);
    }

    /// Only called with well-formed text: brackets match.
    fn check_depth(&self, text: &str) -> Result<(), Reject> {
        // Each level takes an opening and a closing sign, so a short message needs no look.
        if text.len() / 2 <= self.max_depth {
            return Ok(());
        }
        let depth = depth(text);
        if depth <= self.max_depth {
            return Ok(());
        }
        Err(Reject::new(Reason::TooDeep, format!("nested {depth} levels deep, allowed are {}", self.max_depth)))
    }
}

/// Levels of nesting of a well-formed document.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        match b {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth -= 1,
            b'"' => loop {
                match bytes.next() {
                    Some(b'\\') => _ = bytes.next(),
                    Some(b'"') | None => break,
                    Some(_) => {}
                }
            },
            _ => {}
        }
    }
    deepest
}

/// What a well-formed document that is no object is.
fn kind(text: &str) -> &'static str {
    match text.trim_start().as_bytes().first() {
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

struct Fields<'d, 'r, 'a> {
    decoder: &'d Decoder,
    row: &'r mut UnionRow<'a>,
}

impl<'a> Visitor<'a> for Fields<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        // Keys of one producer mostly come in the order of the columns.
        let mut hint = 0;
        // A key is read raw as well: a lone surrogate in an unwanted key must not fail the message.
        while let Some(key) = map.next_key::<&RawValue>()? {
            let raw = key.get();
            match self.decoder.names.find(&raw[1..raw.len() - 1], hint) {
                Some(at) => {
                    self.row.set(self.decoder.slots[at], map.next_value::<&RawValue>()?.get());
                    hint = at + 1;
                }
                None => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str) -> Result<Vec<Option<String>>, Reject> {
        let decoder = Decoder::new(&["a", "b", "User-Agent"].map(|n| vec![n.to_owned()]), &[], 1000);
        let mut row = UnionRow::default();
        decoder.decode(text, &mut row)?;
        Ok((0..3).map(|i| row.raw(i).map(str::to_owned)).collect())
    }

    fn reason(text: &str) -> Reason {
        decode(text).expect_err(text).reason
    }

    #[test]
    fn finds_fields_in_any_order_with_any_spelling_of_the_key() {
        let want = vec![Some("1".to_owned()), None, Some("[ {\"a\":2} ]".to_owned())];
        for text in [
            r#"{"a":1,"User-Agent":[ {"a":2} ]}"#,
            " {\"User-Agent\" : [ {\"a\":2} ] ,\"x\": {\"b\": 1}\n, \"\\u0061\" :\t1 }\r\n",
            r#"{"A":0,"":0,"a":1,"\ud800":0,"User\u002dAgent":[ {"a":2} ]}"#,
        ] {
            assert_eq!(decode(text).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn accepts_what_the_grammar_has() {
        for text in [
            "{}",
            " \t\r\n{ } ",
            r#"{"x":-0.0e-0,"y":1E+3,"z":12345678901234567890123456789}"#,
            r#"{"x":"\"\\\/\b\f\n\r\t\u00Ff\ud800"}"#,
            "{\"x\":\"\u{7f}\u{2028}é\"}",
            r#"{"x":[[],{},[{}],null,true,false]}"#,
        ] {
            assert!(decode(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn refuses_what_the_grammar_has_not() {
        let values = [
            "06",
            "6.",
            "1e",
            "1e+",
            ".5",
            "+6",
            "--6",
            "-",
            "0x1",
            "nul",
            "True",
            "NaN",
            "Infinity",
            "'a'",
            "\"a",
            "[1,]",
            "[,]",
            "[1 2]",
            "[1",
            "{\"q\":1,}",
            "{\"q\"}",
            "{q:1}",
            "{\"q\":1 \"r\":2}",
            "{\"q\" 1}",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12G4\"",
            "\"a\tb\"",
            "\"a\nb\"",
            "\"\0\"",
            "]",
            "}",
            "",
            "1 // c",
            "/* c */ 1",
            "1,",
            ",1",
            "undefined",
        ];
        for field in ["a", "unwanted"] {
            for value in values {
                let text = format!("{{\"{field}\":{value}}}");
                assert_eq!(reason(&text), Reason::MalformedJson, "{text}");
            }
        }
        for text in [
            "",
            " ",
            "\n",
            "hello",
            "{",
            "{\"a\":1",
            "{\"a\":1}}",
            "{\"a\":1} x",
            "{\"a\":1}\n{\"a\":2}",
            "{\"a\":1},",
            "\u{feff}{}",
            "x{}",
            "{'a':1}",
            "{\"a\":1};",
            "\u{a0}{}",
            "[1",
            "nul",
            "{\"a\u{1}\":1}",
            "{\"\\q\":1}",
            "\u{b}{}",
        ] {
            assert_eq!(reason(text), Reason::MalformedJson, "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let detail = |text| decode(text).unwrap_err().detail;
        assert_eq!(detail("{\"a\":1,}"), "trailing comma at line 1 column 8");
        assert_eq!(detail(""), "EOF while parsing a value at line 1 column 0");
        for (text, what) in [("null", "null"), (" 5", "a number"), ("[{}]", "an array"), ("\"\"", "a string")] {
            assert_eq!(reason(text), Reason::NotAnObject);
            assert_eq!(detail(text), format!("expected an object, found {what}"));
        }
    }

    #[test]
    fn depth_is_bounded_without_recursion() {
        let nested = |n: usize| format!("{{\"x\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert!(decode(&nested(900)).is_ok());
        assert!(decode(&nested(999)).is_ok());
        assert_eq!(reason(&nested(1000)), Reason::TooDeep);
        assert_eq!(decode(&nested(100_000)).unwrap_err().detail, "nested 100001 levels deep, allowed are 1000");
        let deep_but_wanted = nested(100_000).replace('x', "a");
        assert_eq!(reason(&deep_but_wanted), Reason::TooDeep);
        assert_eq!(reason(&format!("{{\"a\":{}", "{\"a\":".repeat(100_000))), Reason::MalformedJson);
        assert_eq!(reason(&"[".repeat(100_000)), Reason::MalformedJson);
        let brackets_in_text = format!("{{\"x\":\"{}\\\"\"}}", "[".repeat(5000));
        assert!(decode(&brackets_in_text).is_ok());
    }
}
