//! Walks through well-formed JSON text without recursion: the fields of an object, the elements of an array. What the
//! decoder has passed needs no second look at its grammar; on other text the walk ends early, but never panics.

use std::borrow::Cow;
use std::collections::HashMap;

use super::text::unescape;

/// The fields of the object `raw`: each key as it stands between its quotes, and its value's raw text.
pub fn fields(raw: &str) -> Fields<'_> {
    Fields { raw, at: 1 }
}

/// The elements of the array `raw`, each as raw text.
pub fn elements(raw: &str) -> Elements<'_> {
    Elements { raw, at: 1 }
}

/// Keys and values of an object. Of a key that comes twice, the last value: readers know no map with a key twice.
pub fn entries(raw: &str) -> Vec<(Cow<'_, str>, &str)> {
    let mut kept: Vec<(Cow<'_, str>, &str)> = Vec::new();
    let mut places: HashMap<Cow<'_, str>, usize> = HashMap::new();
    for (key, value) in fields(raw) {
        let key = unescape(key);
        // A small map is searched sooner than hashed.
        let known = match kept.len() {
            0..16 => kept.iter().position(|(k, _)| *k == key),
            n => {
                if places.is_empty() {
                    places.extend(kept.iter().map(|(k, _)| k.clone()).zip(0..));
                }
                let place = *places.entry(key.clone()).or_insert(n);
                Some(place).filter(|p| *p < n)
            }
        };
        match known {
            Some(at) => kept[at].1 = value,
            None => kept.push((key, value)),
        }
    }
    kept
}

/// See [`fields`].
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    raw: &'a str,
    at: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.raw.as_bytes();
        let start = skip(bytes, self.at, |b| is_space(b) || b == b',');
        if bytes.get(start) != Some(&b'"') {
            return None;
        }
        let end = string_end(bytes, start);
        let value = skip(bytes, end, |b| is_space(b) || b == b':');
        self.at = value_end(bytes, value);
        Some((self.raw.get(start + 1..end - 1)?, self.raw.get(value..self.at).filter(|v| !v.is_empty())?))
    }
}

/// See [`elements`].
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    raw: &'a str,
    at: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let bytes = self.raw.as_bytes();
        let start = skip(bytes, self.at, |b| is_space(b) || b == b',');
        self.at = value_end(bytes, start);
        self.raw.get(start..self.at).filter(|v| !v.is_empty())
    }
}

/// End of the string whose opening quote is at `start`.
pub(super) fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&b) = bytes.get(at) {
        match b {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len().max(start + 2)
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r')
}

fn skip(bytes: &[u8], from: usize, over: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|b| over(**b)).count()
}

fn value_end(bytes: &[u8], start: usize) -> usize {
    match bytes.get(start) {
        Some(b'"') => string_end(bytes, start),
        Some(b'{' | b'[') => {
            let (mut at, mut depth) = (start, 0usize);
            while let Some(&b) = bytes.get(at) {
                match b {
                    b'"' => {
                        at = string_end(bytes, at);
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' if depth == 1 => return at + 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
            }
            bytes.len()
        }
        Some(_) => skip(bytes, start, |b| !is_space(b) && !matches!(b, b',' | b']' | b'}')),
        None => start,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_elements_are_found_whatever_they_hold() {
        let raw =
            " { \"a\" : 1,\"b\\\"\":\"x,}\\\\\" ,\n\"\":{\"c\":[1,{}],\"d\":\"]\"}, \"é\":[ ] ,\"t\":true}".trim();
        let got: Vec<_> = fields(raw).collect();
        let want =
            [("a", "1"), ("b\\\"", "\"x,}\\\\\""), ("", "{\"c\":[1,{}],\"d\":\"]\"}"), ("é", "[ ]"), ("t", "true")];
        assert_eq!(got, want);
        let got: Vec<_> = elements("[ 1 ,-2.5e+3\t,\"a]\", [ [ ],{}],null , {\"x\":[\"}\"]} ]").collect();
        assert_eq!(got, ["1", "-2.5e+3", "\"a]\"", "[ [ ],{}]", "null", "{\"x\":[\"}\"]}"]);
        assert_eq!((fields("{ }").count(), elements("[\n]").count()), (0, 0));
    }

    #[test]
    fn text_that_is_not_well_formed_ends_the_walk() {
        for raw in
            ["", "{", "[", "{\"", "{\"a", "{\"a\"", "{\"a\":", "{\"\\", "[\"", "[\"é\\", "[[", "é", "[1é", "{\"a\":{"]
        {
            assert!(fields(raw).count() < 3 && elements(raw).count() < 3, "{raw}");
        }
    }

    #[test]
    fn depth_needs_no_stack() {
        let raw = format!("[{}{},7]", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(elements(&raw).map(str::len).collect::<Vec<_>>(), [200_000, 1]);
    }
}
