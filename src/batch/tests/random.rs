//! Random messages: nothing panics, and every message is accounted for.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

/// Bits of messages, good and bad.
const PIECES: [&str; 38] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    "\\u",
    "\\ud83d",
    "\\ude00",
    "00e9",
    " ",
    "\n",
    "\t",
    "null",
    "true",
    "false",
    "6",
    "-",
    "0",
    ".",
    "e",
    "1e400",
    "9223372036854775808",
    "\"event_type\"",
    "\"purchase_sword\"",
    "\"guild\"",
    "\"cost\"",
    "\"User-Agent\"",
    "\"event_type\":\"purchase_sword\"",
    "\"cost\":6",
    "\"type\":[1,{\"a\":2.50}]",
    "é",
    "😀",
    "\u{0}",
    "\u{feff}",
    "x",
];

fn noise(rng: &mut StdRng) -> Vec<u8> {
    let n = rng.random_range(0..40);
    let mut bytes: Vec<u8> = (0..n).flat_map(|_| PIECES[rng.random_range(0..PIECES.len())].bytes()).collect();
    for _ in 0..rng.random_range(0..3) {
        if !bytes.is_empty() {
            let at = rng.random_range(0..bytes.len());
            bytes[at] = rng.random();
        }
    }
    bytes
}

/// A JSON value, nested a little, spelled with needless escapes and spaces.
fn value(rng: &mut StdRng, depth: u32) -> String {
    let space = [" ", "", "\n"][rng.random_range(0..3)];
    match rng.random_range(0..if depth == 0 { 6 } else { 8 }) {
        0 => rng.random::<i64>().to_string(),
        1 => format!("{:e}", f64::from_bits(rng.random::<u64>() & !(1 << 62))),
        2 => ["null", "true", "false", "-0", "1E+3"][rng.random_range(0..5)].to_owned(),
        3 => serde_json::to_string(&String::from_utf8_lossy(&noise(rng))).unwrap(),
        4 => format!("\"\\u{:04x}\\u{:04x}\\/\"", rng.random::<u16>(), rng.random::<u16>()),
        5 => "\"purchase_sword\"".to_owned(),
        6 => {
            let items: Vec<_> = (0..rng.random_range(0..4)).map(|_| value(rng, depth - 1)).collect();
            format!("[{space}{}{space}]", items.join(&format!("{space},")))
        }
        _ => object(rng, depth - 1, &["a", "b", "\\u0063", "é"]),
    }
}

fn object(rng: &mut StdRng, depth: u32, names: &[&str]) -> String {
    let mut field = || format!("\"{}\" : {}", names[rng.random_range(0..names.len())], value(rng, depth));
    let fields: Vec<_> = (0..4).map(|_| field()).collect();
    format!("{{{}}}", fields.join(","))
}

#[test]
fn no_bytes_panic_and_the_accounts_balance() {
    let mut rng = StdRng::seed_from_u64(7);
    let names = ["event_type", "event_typ\\u0065", "cost", "type", "guild_name", "Host", "other"];
    let mut b = buffer(&seeds(), &seed_settings());
    let mut sum = [0; 4];
    for offset in 0..20_000 {
        let good = rng.random_bool(0.5);
        let bytes = if good { object(&mut rng, 3, &names).into_bytes() } else { noise(&mut rng) };
        let valid =
            std::str::from_utf8(&bytes).is_ok_and(|t| serde_json::from_str::<&serde_json::value::RawValue>(t).is_ok());
        assert!(valid || !good, "{}", String::from_utf8_lossy(&bytes));
        let tombstone = rng.random_bool(0.01);
        push(&mut b, offset, (!tombstone).then_some(&bytes)).unwrap();
        if rng.random_bool(0.001) || offset == 19_999 {
            let sealed = b.seal();
            let a = sealed.accounting;
            assert!(a.balances() && a.dropped == 0, "{a:?}");
            let rows =
                |name| sealed.tables.iter().find(|t| t.name == name).map_or(0, |t| t.record_batch(1).num_rows() as u64);
            assert_eq!(rows("dead_letters"), a.dead_letters);
            assert!(rows("sword_purchases") <= rows("purchases"));
            assert!(
                rows("purchases").max(rows("guilds")) <= a.events && a.events <= rows("purchases") + rows("guilds")
            );
            assert_eq!(sealed.partitions.iter().map(|p| p.records).sum::<u64>(), a.read);
            for (total, n) in sum.iter_mut().zip([a.events, a.dead_letters, a.unrouted, a.tombstones]) {
                *total += n;
            }
        }
    }
    assert_eq!(sum.iter().sum::<u64>(), 20_000);
    assert!(sum.iter().all(|&n| n > 50), "each outcome occurs: {sum:?}");
}

/// The document with one kind of zero: `-0` is an integer to Java, a double to serde_json.
fn zeros(value: Value) -> Value {
    match value {
        Value::Array(list) => list.into_iter().map(zeros).collect(),
        Value::Object(map) => map.into_iter().map(|(k, v)| (k, zeros(v))).collect(),
        Value::Number(n) if n.as_f64() == Some(0.0) => json!(0),
        other => other,
    }
}

#[test]
fn a_good_object_is_never_a_dead_letter_and_its_text_reads_back() {
    let mut rng = StdRng::seed_from_u64(11);
    for _ in 0..5_000 {
        let raw = object(&mut rng, 3, &["a", "b"]);
        let compact = crate::decode::text(&raw).unwrap();
        // Numbers that overflow become strings, and lone surrogates `?`; but for them both are the same document.
        let reread: Result<Value, _> = serde_json::from_str(&compact);
        assert!(reread.is_ok(), "{raw}\n{compact}");
        if let Ok(original) = serde_json::from_str::<Value>(&raw) {
            assert_eq!(zeros(reread.unwrap()), zeros(original), "{raw}\n{compact}");
        }
        assert_eq!(crate::decode::text(&compact).as_deref(), Some(&*compact), "writing it again changes nothing");
    }
}
