//! Raw JSON values as typed values, as Spark's `from_json` converts them. `Ok(None)` is null; a value of another type
//! is a [`Mismatch`], which becomes null and is counted. The text must have passed the decoder.

use std::borrow::Cow;

use super::text::text;

/// The value is not of the column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mismatch;

/// What a column gets.
pub type Coerced<T> = Result<Option<T>, Mismatch>;

/// `boolean`: only `true` and `false`.
pub fn boolean(raw: &str) -> Coerced<bool> {
    match raw {
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        "null" => Ok(None),
        _ => Err(Mismatch),
    }
}

/// `tinyint` to `bigint`: only a JSON integer in the type's range; `-0` is 0; `1.0` and `1e3` are none.
/// Spark also takes 128 to 255 for a `tinyint` and wraps them round; landfall does not.
pub fn integer<T: std::str::FromStr>(raw: &str) -> Coerced<T> {
    // Rust's grammar is JSON's but for a leading `+` and leading zeros, which the decoder refuses.
    match raw.parse() {
        Ok(value) => Ok(Some(value)),
        Err(_) if raw == "null" => Ok(None),
        Err(_) => Err(Mismatch),
    }
}

/// `float` and `double`: any JSON number, correctly rounded, too large a one infinite as `from_json` has it; also the
/// strings that Spark takes for numbers that JSON has not: `"NaN"`, `"Infinity"`, `"+Infinity"`, `"-Infinity"`,
/// `"+INF"`, `"-INF"`.
pub fn floating<T: std::str::FromStr>(raw: &str) -> Coerced<T> {
    // Rust's parser knows more words (`inf`, `nan`), so words and strings never reach it as they stand.
    let number = match raw {
        "null" => return Ok(None),
        "\"NaN\"" => "NaN",
        "\"Infinity\"" | "\"+Infinity\"" | "\"+INF\"" => "inf",
        "\"-Infinity\"" | "\"-INF\"" => "-inf",
        _ if raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => raw,
        _ => return Err(Mismatch),
    };
    number.parse().map(Some).map_err(|_| Mismatch)
}

/// The text of a JSON string; `None` for any other value.
pub fn string(raw: &str) -> Option<Cow<'_, str>> {
    if raw.starts_with('"') { text(raw) } else { None }
}

/// The first `n` characters of a text.
pub fn cut(text: Cow<'_, str>, n: u32) -> Cow<'_, str> {
    // No text has more characters than bytes.
    if text.len() <= n as usize {
        return text;
    }
    match (text.char_indices().nth(n as usize), text) {
        (None, text) => text,
        (Some((end, _)), Cow::Borrowed(text)) => Cow::Borrowed(&text[..end]),
        (Some((end, _)), Cow::Owned(mut text)) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    }
}

/// `binary`: a string of base64, with its padding; blanks may stand between groups of four.
pub fn binary(raw: &str) -> Coerced<Vec<u8>> {
    if raw == "null" {
        return Ok(None);
    }
    let text = string(raw).ok_or(Mismatch)?;
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut signs = text.bytes();
    while let Some(first) = signs.by_ref().find(|b| *b > b' ') {
        let mut group = [first, 0, 0, 0];
        for place in &mut group[1..] {
            *place = signs.next().ok_or(Mismatch)?;
        }
        let padding = group.iter().rev().take_while(|b| **b == b'=').count();
        let mut bits = 0u32;
        for sign in &group[..4 - padding] {
            bits = bits << 6 | six_bits(*sign).ok_or(Mismatch)?;
        }
        let whole = (bits << (6 * padding)).to_be_bytes();
        bytes.extend_from_slice(whole.get(1..4 - padding).filter(|b| !b.is_empty()).ok_or(Mismatch)?);
    }
    Ok(Some(bytes))
}

fn six_bits(sign: u8) -> Option<u32> {
    Some(u32::from(match sign {
        b'A'..=b'Z' => sign - b'A',
        b'a'..=b'z' => sign - b'a' + 26,
        b'0'..=b'9' => sign - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        for (raw, want) in [
            ("6", Ok(Some(6))),
            ("-0", Ok(Some(0))),
            ("null", Ok(None)),
            ("9223372036854775807", Ok(Some(i64::MAX))),
            ("-9223372036854775808", Ok(Some(i64::MIN))),
        ] {
            assert_eq!(integer::<i64>(raw), want, "{raw}");
        }
        for raw in
            ["\"6\"", "\"\"", "1.0", "1e3", "9223372036854775808", "true", "[6]", "[]", "{}", "99999999999999999999"]
        {
            assert_eq!(integer::<i64>(raw), Err(Mismatch), "{raw}");
        }
        assert_eq!((integer::<i8>("-128"), integer::<i8>("128")), (Ok(Some(-128)), Err(Mismatch)));
        assert_eq!((integer::<i16>("32767"), integer::<i16>("32768")), (Ok(Some(32767)), Err(Mismatch)));
        assert_eq!((integer::<i32>("-2147483648"), integer::<i32>("2147483648")), (Ok(Some(i32::MIN)), Err(Mismatch)));
    }

    #[test]
    fn booleans() {
        assert_eq!((boolean("true"), boolean("false"), boolean("null")), (Ok(Some(true)), Ok(Some(false)), Ok(None)));
        for raw in ["1", "0", "\"true\"", "[]", "{}"] {
            assert_eq!(boolean(raw), Err(Mismatch), "{raw}");
        }
    }

    #[test]
    fn floats() {
        for (raw, want) in [
            ("1.5", 1.5),
            ("-0", -0.0),
            ("1e400", f64::INFINITY),
            ("-1e400", f64::NEG_INFINITY),
            ("0.1", 0.1),
            ("7", 7.0),
            ("\"Infinity\"", f64::INFINITY),
            ("\"-INF\"", f64::NEG_INFINITY),
        ] {
            assert_eq!(floating::<f64>(raw), Ok(Some(want)), "{raw}");
        }
        assert_eq!(floating::<f32>("0.1"), Ok(Some(0.1f32)));
        assert!(floating::<f64>("\"NaN\"").unwrap().unwrap().is_nan());
        assert_eq!(floating::<f64>("null"), Ok(None));
        for raw in ["\"1.5\"", "\"\"", "\"inf\"", "\"nan\"", "true", "[]", "{}"] {
            assert_eq!(floating::<f64>(raw), Err(Mismatch), "{raw}");
        }
    }

    #[test]
    fn binaries() {
        for (raw, want) in [
            ("\"\"", &b""[..]),
            ("\"Zg==\"", b"f"),
            ("\"Zm8=\"", b"fo"),
            ("\"Zm9v\"", b"foo"),
            ("\"Zm9v\\nYmFy Zg==\"", b"foobarf"),
            ("\"/+8A\"", b"\xff\xef\x00"),
            ("\"\\u005am9v\"", b"foo"),
        ] {
            assert_eq!(binary(raw), Ok(Some(want.to_vec())), "{raw}");
        }
        assert_eq!(binary("null"), Ok(None));
        for raw in
            ["\"Zg\"", "\"Zg=\"", "\"Z\"", "\"Z===\"", "\"====\"", "\"Z=g=\"", "\"Zm_v\"", "\"Zm 9v\"", "5", "{}", ""]
        {
            assert_eq!(binary(raw), Err(Mismatch), "{raw}");
        }
    }

    #[test]
    fn texts_are_cut_by_characters() {
        for (text, n, want) in
            [("abc", 3, "abc"), ("abcd", 3, "abc"), ("éé😀x", 3, "éé😀"), ("éé", 3, "éé"), ("", 1, "")]
        {
            assert_eq!(cut(text.into(), n), want);
            assert_eq!(cut(text.to_owned().into(), n), want);
        }
        assert_eq!((string("5"), string("null"), string("\"\"").as_deref()), (None, None, Some("")));
    }
}
