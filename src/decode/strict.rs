//! The grammar of JSON, byte by byte: where a value ends. Every function gives up (`None`) at whatever is no JSON, and
//! at nesting too deep for it: serde_json then reads the message and says what is wrong, so nothing here needs to.
//! What passes is exactly what serde_json passes; `oracle_tests.rs` compares them.

/// Levels of nesting within a value that [`value`] follows.
pub(super) const DEEPEST: usize = 64;

/// End of the value that begins at `at`. `escapes` becomes true, here and below, if a backslash was passed.
#[inline]
pub(super) fn value(bytes: &[u8], at: usize, escapes: &mut bool) -> Option<usize> {
    match bytes.get(at)? {
        b'"' => string(bytes, at, escapes),
        b'{' | b'[' => nested(bytes, at, escapes),
        _ => plain(bytes, at),
    }
}

/// Where the value of a field begins whose key begins at `at`.
#[inline]
pub(super) fn after_key(bytes: &[u8], at: usize, escapes: &mut bool) -> Option<usize> {
    let colon = match bytes.get(at)? {
        b'"' => space(bytes, string(bytes, at, escapes)?),
        _ => return None,
    };
    (bytes.get(colon) == Some(&b':')).then(|| space(bytes, colon + 1))
}

/// End of the blanks at `at`.
#[inline]
pub(super) fn space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// End of the string whose opening quote is at `at`.
#[inline]
pub(super) fn string(bytes: &[u8], at: usize, escapes: &mut bool) -> Option<usize> {
    let mut at = at + 1;
    loop {
        at = text_end(bytes, at);
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => {
                *escapes = true;
                at = escape(bytes, at)?;
            }
            // A control character.
            _ => return None,
        }
    }
}

/// The next byte that is not simply text: a quote, a backslash, a control character, or the end.
#[inline]
fn text_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let found = special(u64::from_le_bytes(*chunk));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_text = |b: &&u8| **b >= b' ' && **b != b'"' && **b != b'\\';
    at + bytes.get(at..).unwrap_or_default().iter().take_while(is_text).count()
}

/// Eight bytes at once: the lowest bit that is set belongs to the first byte that is not simply text. Bits above it may be
/// wrong, as subtractions borrow from the bytes above.
#[inline]
fn special(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let below = |word: u64, least: u8| word.wrapping_sub(ONES * u64::from(least)) & !word;
    let is = |sign: u8| below(word ^ (ONES * u64::from(sign)), 1);
    (below(word, b' ') | is(b'"') | is(b'\\')) & (ONES << 7)
}

/// End of the escape whose backslash is at `at`. Lone surrogates pass, as they do in serde_json's skipping.
#[cold]
fn escape(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 2),
        b'u' => bytes.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit).then_some(at + 6),
        _ => None,
    }
}

/// End of the number or the word that begins at `at`.
#[inline]
fn plain(bytes: &[u8], at: usize) -> Option<usize> {
    let word = match bytes.get(at)? {
        b'-' | b'0'..=b'9' => return number(bytes, at),
        b'n' => &b"null"[..],
        b't' => b"true",
        b'f' => b"false",
        _ => return None,
    };
    bytes.get(at..)?.starts_with(word).then_some(at + word.len())
}

#[inline]
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let at = at + usize::from(bytes.get(at) == Some(&b'-'));
    let end = match bytes.get(at)? {
        // A digit after it is none of this number's, and no comma either.
        b'0' => at + 1,
        _ => digits(bytes, at)?,
    };
    if matches!(bytes.get(end), Some(b'.' | b'e' | b'E')) { fraction(bytes, end) } else { Some(end) }
}

#[cold]
fn fraction(bytes: &[u8], mut at: usize) -> Option<usize> {
    if bytes.get(at) == Some(&b'.') {
        at = digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let sign = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = digits(bytes, at + 1 + usize::from(sign))?;
    }
    Some(at)
}

/// End of the digits at `at`, of which there must be one.
#[inline]
fn digits(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while let Some(b'0'..=b'9') = bytes.get(at) {
        at += 1;
    }
    (at > start).then_some(at)
}

/// End of the object or array that begins at `at`. Without recursion: a bit for each level says which of them it is.
fn nested(bytes: &[u8], mut at: usize, escapes: &mut bool) -> Option<usize> {
    let (mut depth, mut objects) = (0, 0u64);
    loop {
        // A value is due.
        let open = *bytes.get(at)?;
        if let b'{' | b'[' = open {
            if depth == DEEPEST {
                return None;
            }
            depth += 1;
            objects = objects << 1 | u64::from(open == b'{');
            at = space(bytes, at + 1);
            // In ASCII both closing brackets are two after their opening ones.
            if *bytes.get(at)? != open + 2 {
                at = if open == b'{' { after_key(bytes, at, escapes)? } else { at };
                continue;
            }
        } else {
            at = if open == b'"' { string(bytes, at, escapes)? } else { plain(bytes, at)? };
            at = space(bytes, at);
        }
        // A comma is due, or the end of a level, or of several.
        loop {
            let in_object = objects & 1 == 1;
            match bytes.get(at)? {
                b',' => break,
                b'}' if in_object => {}
                b']' if !in_object => {}
                _ => return None,
            }
            (depth, objects) = (depth - 1, objects >> 1);
            if depth == 0 {
                return Some(at + 1);
            }
            at = space(bytes, at + 1);
        }
        at = space(bytes, at + 1);
        at = if objects & 1 == 1 { after_key(bytes, at, escapes)? } else { at };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(text: &str) -> Option<usize> {
        let mut escapes = false;
        let end = value(text.as_bytes(), 0, &mut escapes);
        assert!(end.is_none() || escapes == text.contains('\\'), "{text}");
        end
    }

    #[test]
    fn a_value_ends_where_it_ends() {
        for (text, want) in [
            ("null,", 4),
            ("-0.5e+7}", 7),
            ("06", 1),
            ("12345678901234567890 ", 20),
            (r#""" "#, 2),
            (r#""0123456789abcdef0123456789\"x\u12aFé" "y""#, 39),
            ("[ ] ,", 3),
            (r#"{ "a" : [ {} , [1 ,"]"] ], "b":{"c":null}} }"#, 42),
        ] {
            assert_eq!(end(text), Some(want), "{text}");
            assert_eq!(value(format!("  {text}").as_bytes(), 2, &mut false), Some(want + 2), "{text}");
        }
    }

    #[test]
    fn what_is_no_value_has_no_end() {
        for text in [
            "",
            "nul",
            "True",
            "-",
            "-x",
            "1.",
            "1.e5",
            "1e",
            "1e+",
            "+1",
            ".5",
            "\"",
            "\"\\",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\u123",
            "\"\t\"",
            "\"0123456789abcdef\n\"",
            "[",
            "[1",
            "[,]",
            "[1,]",
            "[1 2]",
            "[1}",
            "{\"a\":1]",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1,",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\" 1}",
            "{,}",
            "[[]",
            "[{]}",
            "}",
            "]",
        ] {
            assert_eq!(end(text), None, "{text}");
        }
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert_eq!(end(&nested(DEEPEST)), Some(2 * DEEPEST));
        assert_eq!(end(&nested(DEEPEST + 1)), None);
    }
}
