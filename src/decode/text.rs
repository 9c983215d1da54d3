//! JSON values as text, as Spark gives them to a string column. Everything here takes text that the decoder has
//! found well-formed, and scans it without recursion.

use std::borrow::Cow;
use std::fmt::Write;

use super::scan::string_end;

/// A raw JSON value as a string column holds it: strings unescaped, numbers as Java writes them, objects and arrays
/// re-written without spaces; `None` for `null`.
pub fn text(raw: &str) -> Option<Cow<'_, str>> {
    match raw.as_bytes().first()? {
        b'"' => {
            let inner = &raw[1..raw.len() - 1];
            Some(unescape(inner))
        }
        b'n' => None,
        b't' | b'f' => Some(Cow::Borrowed(raw)),
        b'{' | b'[' => Some(Cow::Owned(compact(raw))),
        _ => Some(number(raw)),
    }
}

/// The text between a string's quotes with its escapes resolved.
#[inline]
pub fn unescape(inner: &str) -> Cow<'_, str> {
    if inner.as_bytes().contains(&b'\\') { Cow::Owned(unescaped(inner)) } else { Cow::Borrowed(inner) }
}

fn unescaped(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    unescape_with(inner, &mut out, |out, c| out.push(c));
    out
}

/// Copies `inner` to `out`, giving each escaped character to `push`. A lone surrogate is `?`, as Java encodes it.
fn unescape_with(mut inner: &str, out: &mut String, push: impl Fn(&mut String, char)) {
    while let Some((plain, escape)) = inner.split_once('\\') {
        out.push_str(plain);
        // The grammar promises one ASCII character after the backslash, and four hex digits after `u`.
        let (kind, rest) = escape.split_at(escape.len().min(1));
        inner = rest;
        let c = match kind {
            "b" => '\u{8}',
            "f" => '\u{c}',
            "n" => '\n',
            "r" => '\r',
            "t" => '\t',
            "u" => {
                let (unit, rest) = hex(inner);
                inner = rest;
                let low = inner.strip_prefix("\\u").map(hex).filter(|(low, _)| (0xdc00..0xe000).contains(low));
                match (unit, low) {
                    (0xd800..0xdc00, Some((low, rest))) => {
                        inner = rest;
                        char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)).unwrap_or('?')
                    }
                    _ => char::from_u32(unit).unwrap_or('?'),
                }
            }
            other => other.chars().next().unwrap_or('\\'),
        };
        push(out, c);
    }
    out.push_str(inner);
}

fn hex(text: &str) -> (u32, &str) {
    let (digits, rest) = text.split_at_checked(4).unwrap_or((text, ""));
    (u32::from_str_radix(digits, 16).unwrap_or(u32::from(b'?')), rest)
}

/// An object or array as Jackson writes it again: no spaces, numbers as [`number`], only the needed escapes.
fn compact(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(first) = rest.bytes().next() {
        let len = match first {
            b' ' | b'\t' | b'\n' | b'\r' => 1,
            b'"' => {
                let len = string_end(rest.as_bytes(), 0);
                out.push('"');
                unescape_with(&rest[1..len - 1], &mut out, push_escaped);
                out.push('"');
                len
            }
            b'-' | b'0'..=b'9' => {
                let end = rest.find([',', ']', '}', ' ', '\t', '\n', '\r']).unwrap_or(rest.len());
                out.push_str(&number(&rest[..end]));
                end
            }
            // Brackets, colons, commas and the letters of true, false and null, all ASCII.
            other => {
                out.push(char::from(other));
                1
            }
        };
        rest = &rest[len..];
    }
    out
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if c < ' ' => _ = write!(out, "\\u{:04X}", u32::from(c)),
        c => out.push(c),
    }
}

/// A JSON number as Jackson writes it again: an integer of any length as it stands (`-0` is 0), anything else as
/// Java's `Double.toString`, infinity in quotes.
fn number(raw: &str) -> Cow<'_, str> {
    if raw == "-0" {
        return Cow::Borrowed("0");
    }
    if !raw.contains(['.', 'e', 'E']) {
        return Cow::Borrowed(raw);
    }
    // The grammar of JSON's numbers is within that of Rust's; too large a number is infinite in both.
    Cow::Owned(java_double(raw.parse().unwrap_or(f64::NAN)))
}

/// Java's `Double.toString`, with the shortest digits that read back the same (Java before 19 sometimes has one
/// more). Infinities and NaN in quotes, as Jackson writes them.
fn java_double(value: f64) -> String {
    if !value.is_finite() {
        let name = if value.is_nan() { "NaN" } else { "Infinity" };
        return format!("\"{}{name}\"", if value < 0.0 { "-" } else { "" });
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return format!("{value:?}");
    }
    let short = format!("{value:e}");
    match short.split_once('e') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
        Some((mantissa, exponent)) => format!("{mantissa}E{exponent}"),
        None => short,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_a_string_column_holds_it() {
        for (raw, want) in [
            (r#""""#, ""),
            (r#""é ""#, "é "),
            (r#""sa\u0062re \u00e9 \u20ac \ud83d\ude00""#, "sabre é € 😀"),
            (r#""a\"b\\c\/d\b\f\n\r\t""#, "a\"b\\c/d\u{8}\u{c}\n\r\t"),
            (r#""a\ud800b""#, "a?b"),
            (r#""\udc00\ud800""#, "??"),
            (r#""\ud800\ud83d\ude00\ud800\u0041\ud800\n""#, "?😀?A?\n"),
            (r#""\u0000""#, "\0"),
            (r#""\\u0041""#, "\\u0041"),
            ("true", "true"),
            ("false", "false"),
            ("6", "6"),
            ("-0", "0"),
            ("1234567890123456789012345", "1234567890123456789012345"),
            ("1.50", "1.5"),
            ("1.0", "1.0"),
            ("1e3", "1000.0"),
            ("0.1234567890123456789012345", "0.12345678901234568"),
            ("-0.0", "-0.0"),
            ("0e0", "0.0"),
            ("1E400", "\"Infinity\""),
            ("-1E400", "\"-Infinity\""),
            ("1e-400", "0.0"),
            ("0.001", "0.001"),
            ("0.00099", "9.9E-4"),
            ("1e-3", "0.001"),
            ("1e-4", "1.0E-4"),
            ("9999999.0", "9999999.0"),
            ("9999999.5", "9999999.5"),
            ("1e7", "1.0E7"),
            ("12345678.9", "1.23456789E7"),
            ("-1.5e300", "-1.5E300"),
            ("1e10", "1.0E10"),
            ("1.7976931348623157e308", "1.7976931348623157E308"),
            ("5e-324", "5.0E-324"),
            ("[]", "[]"),
            ("{ }", "{}"),
            (r#"[ 1 , "a" , true ]"#, r#"[1,"a",true]"#),
            (r#"{ "a" : [ 1, 2.50 ] }"#, r#"{"a":[1,2.5]}"#),
            ("[1e400,\n-0,-0.0,null ,1e3]", "[\"Infinity\",0,-0.0,null,1000.0]"),
            (r#"{"\u0061\u00e9\/":"\u0022\u005c\u001f\u0000\n\u0041 \ud800"}"#, r#"{"aé/":"\"\\\u001F\u0000\nA ?"}"#),
            (r#"["a , ] } \" ", "\\", {"b":{"b":1,"b":2}}]"#, r#"["a , ] } \" ","\\",{"b":{"b":1,"b":2}}]"#),
        ] {
            assert_eq!(text(raw).as_deref(), Some(want), "{raw}");
        }
        assert_eq!(text("null"), None);
    }

    #[test]
    fn depth_needs_no_stack() {
        let raw = format!("{}{}", "[ ".repeat(100_000), "]".repeat(100_000));
        assert_eq!(text(&raw).as_deref(), Some(raw.replace(' ', "").as_str()));
    }

    #[test]
    fn a_plain_string_is_not_copied() {
        assert!(matches!(text("\"sabre\""), Some(Cow::Borrowed("sabre"))));
    }
}
