//! JSON by RFC 8259: what it has is taken, anything else is a dead letter, whichever column wants it and at any depth.

use super::*;

/// A table that takes every message, with a column of text, one of numbers and a nested one.
fn any() -> BatchBuffer {
    let columns = "a string, n bigint, deep array<struct<a:string,n:double>>";
    buffer(&tables(&[("t", columns), ("dead_letters", DEAD_LETTERS)]), &settings(vec![("t", TableSettings::default())]))
}

/// The reason of the dead letter that the message becomes, if it becomes one.
fn reason(message: &[u8]) -> Option<String> {
    let mut b = any();
    push(&mut b, 0, Some(message)).unwrap();
    let sealed = b.seal();
    assert_eq!(rows(&sealed, "t").len() as u64, sealed.accounting.events);
    let dead = rows(&sealed, "dead_letters");
    assert_eq!(dead.len() as u64, sealed.accounting.dead_letters);
    dead.first().map(|row| {
        assert_eq!(row["raw_bytes"], json!(message));
        row["reason"].as_str().unwrap().to_owned()
    })
}

/// The value wherever one can stand.
fn places(value: &[u8]) -> Vec<Vec<u8>> {
    let around: [(&str, &str); 7] = [
        ("{\"a\":", "}"),
        ("{\"n\":", "}"),
        ("{\"unwanted\":", ",\"a\":1}"),
        ("{\"a\":[1,", "]}"),
        ("{\"deep\":[{\"n\":", "}]}"),
        ("{\"unwanted\":{\"x\":[", ",2]}}"),
        ("  {\"deep\" : [ {} , ", " ] }\r\n"),
    ];
    around.map(|(before, after)| [before.as_bytes(), value, after.as_bytes()].concat()).to_vec()
}

#[test]
fn every_value_of_the_grammar_is_taken() {
    let long = "9".repeat(20_000);
    let deep = format!("{}{}", "[".repeat(900), "]".repeat(900));
    for value in [
        "0",
        "-0",
        "1",
        "-1",
        "10",
        "0.0",
        "-0.0",
        "0.5",
        "1.50",
        "123.456e78",
        "0e1",
        "0e+1",
        "0E-1",
        "1e1",
        "1E22",
        "1E+2",
        "1e-2",
        "123456789012345678901234567890",
        "-9223372036854775809",
        "1e400",
        "-1e400",
        "1e-400",
        "1e999999999999",
        &long,
        &format!("0.{long}"),
        "true",
        "false",
        "null",
        r#""""#,
        r#""a""#,
        r#"" ""#,
        r#""\"\\\/\b\f\n\r\t""#,
        r#""\u0000""#,
        r#""\u0012\u00Ac\uFFff""#,
        r#""\\u0000""#,
        r#""\\a""#,
        r#""\"""#,
        r#""\ud83d\ude00""#,
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800\ud800""#,
        r#""\ude00\ud83d""#,
        r#""\ud800n""#,
        r#""\uDFAA""#,
        "\"é€😀\"",
        "\"\u{7f}\"",
        "\"\u{80}\"",
        "\"\u{2028}\u{2029}\"",
        "\"\u{feff}\"",
        "\"\u{fffe}\u{ffff}\u{10ffff}\"",
        "\"// /* */ ' # {}[],:\"",
        "[]",
        "[ ]",
        "[[]]",
        "[[],[[]]]",
        "[\"\"]",
        "[null]",
        "[1,null,\"2\",{}]",
        "[ 1 ]",
        "[\t1\n,\r2 ]",
        &deep,
        "{}",
        "{ }",
        r#"{"":0}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"a":"b","a":"b"}"#,
        r#"{"\u0000":1}"#,
        r#"{"\ud800":1}"#,
        r#"{ "a" : { "b" : [ ] } }"#,
        r#"{"a":[],"b":{},"é":"é"}"#,
        &format!("\"{}\"", "x".repeat(100_000)),
    ] {
        for message in places(value.as_bytes()) {
            assert_eq!(reason(&message), None, "{}", String::from_utf8_lossy(&message[..message.len().min(200)]));
        }
    }
}

#[test]
fn what_the_grammar_has_not_is_a_dead_letter() {
    for value in [
        // Numbers.
        "-",
        "+1",
        "++1",
        "-+1",
        "--1",
        "01",
        "-01",
        "00",
        "-012",
        "1.",
        "-2.",
        "0.e1",
        ".1",
        "-.1",
        ".",
        ".e1",
        "1e",
        "1E",
        "1e+",
        "1eE2",
        "1e1.5",
        "0e",
        "0e+-1",
        "1+2",
        "0x1",
        "0x",
        "1a",
        "1,000",
        "1 000",
        "1_000",
        "1f",
        "Infinity",
        "-Infinity",
        "NaN",
        "-NaN",
        "inf",
        "nan",
        "-foo",
        "１",
        // Words.
        "tru",
        "nul",
        "fals",
        "True",
        "TRUE",
        "None",
        "undefined",
        "nulll",
        "truefalse",
        "a",
        "é",
        "",
        // Strings.
        "\"",
        "\"a",
        "a\"",
        "'a'",
        "`a`",
        "“a”",
        "\"a\"b\"",
        r#""\""#,
        r#""\x41""#,
        r#""\a""#,
        r#""\'""#,
        r#""\0""#,
        r#""\é""#,
        r#""\u""#,
        r#""\u0""#,
        r#""\u00""#,
        r#""\u004""#,
        r#""\u00G0""#,
        r#""\U0041""#,
        r#""\u{41}""#,
        r#""\ud800\u""#,
        r#""\ud800\x""#,
        "\"\n\"",
        "\"\t\"",
        "\"\r\"",
        "\"\u{1}\"",
        "\"\u{0}\"",
        "\"\u{1f}\"",
        "\"a\" \"b\"",
        // Arrays.
        "[",
        "]",
        "[1",
        "[1,",
        "[,]",
        "[,1]",
        "[1,]",
        "[1,,2]",
        "[1 2]",
        "[1;2]",
        "[1:2]",
        "[1}",
        "[\"a\"",
        "[1]]",
        "[[1]",
        "(1)",
        "<1>",
        "[*]",
        "[1 true]",
        // Objects.
        "{",
        "}",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\"}",
        "{\"a\" 1}",
        "{\"a\",1}",
        "{\"a\"::1}",
        "{\"a\":1,}",
        "{\"a\":1,,\"b\":2}",
        "{,\"a\":1}",
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        "{null:1}",
        "{[]:1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1;\"b\":2}",
        "{\"a\":1]",
        "{\"a\"=1}",
        "{\"a\"=>1}",
        "{\"a\\q\":1}",
        "{\"a\u{1}\":1}",
        "{\"a\":1}}",
        "{...}",
        // Comments and the like.
        "1 // c",
        "/* c */ 1",
        "1 # c",
        "1 /",
        "<!-- -->1",
        "1;",
        "1\u{b}",
        "\u{a0}1",
        "1\u{2028}",
        "\u{feff}1",
        "\u{c}1",
        "1\u{0}",
    ] {
        for message in places(value.as_bytes()) {
            assert_eq!(reason(&message).as_deref(), Some("malformed_json"), "{}", String::from_utf8_lossy(&message));
        }
    }
}

#[test]
fn a_message_is_one_object_and_nothing_else() {
    for (message, want) in [
        ("", "malformed_json"),
        (" ", "malformed_json"),
        ("\n", "malformed_json"),
        ("\u{feff}{}", "malformed_json"),
        ("\u{a0}{}", "malformed_json"),
        ("{}{}", "malformed_json"),
        ("{} {}", "malformed_json"),
        ("{}\n{}", "malformed_json"),
        ("{},", "malformed_json"),
        ("{};", "malformed_json"),
        ("{}\u{0}", "malformed_json"),
        ("{}#", "malformed_json"),
        ("{}]", "malformed_json"),
        ("{}null", "malformed_json"),
        ("x{}", "malformed_json"),
        ("({})", "malformed_json"),
        ("[", "malformed_json"),
        ("[}", "malformed_json"),
        ("null", "not_an_object"),
        (" true ", "not_an_object"),
        ("-1.5e3", "not_an_object"),
        ("\"{}\"", "not_an_object"),
        ("[]", "not_an_object"),
        ("[{\"a\":1}]", "not_an_object"),
        ("\t[1]\r\n", "not_an_object"),
    ] {
        assert_eq!(reason(message.as_bytes()).as_deref(), Some(want), "{message:?}");
    }
    for message in ["{}", " {}", "{}\n", "\t\r\n {\n} \t"] {
        assert_eq!(reason(message.as_bytes()), None, "{message:?}");
    }
    // Deep nesting that does not end, opened again and again.
    for open in ["[", "{\"a\":", "[{\"a\":", "{\"deep\":[{\"a\":"] {
        assert_eq!(reason(open.repeat(50_000).as_bytes()).as_deref(), Some("malformed_json"), "{open}");
    }
    let deep = |n: usize| format!("{{\"deep\":{}{}}}", "[".repeat(n), "]".repeat(n)).into_bytes();
    assert_eq!((reason(&deep(999)), reason(&deep(100_000)).as_deref()), (None, Some("too_deep")));
}

#[test]
fn other_encodings_are_dead_letters_with_their_bytes() {
    let utf16 = |mark: &[u16], bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        mark.iter().copied().chain("{\"a\":\"é\"}".encode_utf16()).flat_map(bytes).collect()
    };
    let utf32: Vec<u8> = "{}".chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
    for (message, want) in [
        (utf16(&[0xfeff], u16::to_le_bytes), "invalid_utf8"),
        (utf16(&[0xfeff], u16::to_be_bytes), "invalid_utf8"),
        // Zeros are characters of UTF-8; an `é` in UTF-16 is none.
        (utf16(&[], u16::to_le_bytes), "invalid_utf8"),
        (utf16(&[], u16::to_be_bytes), "invalid_utf8"),
        ("{}".encode_utf16().flat_map(u16::to_le_bytes).collect(), "malformed_json"),
        (utf32, "malformed_json"),
        // Latin 1; Avro's magic byte and schema number; gzip.
        (b"{\"a\":\"\xe9\"}".to_vec(), "invalid_utf8"),
        (b"\x00\x00\x00\x00\x01{}".to_vec(), "malformed_json"),
        (b"\x1f\x8b\x08\x00{}".to_vec(), "invalid_utf8"),
    ] {
        assert_eq!(reason(&message).as_deref(), Some(want), "{message:x?}");
    }
    for bad in [
        &b"\x80"[..],
        b"\xbf",
        b"\xc3",
        b"\xc3\x28",
        b"\xc0\xaf",
        b"\xc1\xbf",
        b"\xe2\x82",
        b"\xe2\x28\xa1",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf0\x9f\x98",
        b"\xf0\x80\x80\xaf",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xfe",
        b"\xff",
    ] {
        for message in places(&[b"\"x", bad, b"\""].concat()).into_iter().chain([[b"{\"", bad, b"\":1}"].concat()]) {
            assert_eq!(reason(&message).as_deref(), Some("invalid_utf8"), "{message:x?}");
        }
    }
}
