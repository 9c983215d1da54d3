//! Messages that no decoder may take for an event, in many ways.

use rand::RngExt;
use rand::rngs::StdRng;

/// How many ways of being broken [`malformed`] knows.
pub const MALFORMED_FORMS: usize = FORMS.len();

/// A broken message: its form by `n` (all of them in turn as `n` counts up), its details by `rng`. None is an object in
/// JSON and UTF-8.
pub fn malformed(n: usize, rng: &mut StdRng) -> Vec<u8> {
    let cost: u32 = rng.random_range(0..1000);
    let good =
        format!(r#"{{"event_type": "purchase_sword", "Host": "user1.comcast.com", "cost": {cost}, "type": "sabre"}}"#);
    FORMS[n % FORMS.len()](&good, rng)
}

type Form = fn(&str, &mut StdRng) -> Vec<u8>;

const FORMS: [Form; 28] = [
    truncated,
    |good, _| format!("{good} and more").into_bytes(),
    |good, _| format!("{good}}}").into_bytes(),
    |good, _| format!("{good}{good}").into_bytes(),
    |good, _| format!("{good}\n{good}").into_bytes(),
    // No object.
    |good, _| format!("[{good}]").into_bytes(),
    |_, rng| rng.random_range(0..1_000_000).to_string().into_bytes(),
    |_, _| b"null".to_vec(),
    |_, _| b"\"purchase_sword\"".to_vec(),
    // Nothing at all.
    |_, _| Vec::new(),
    |_, rng| " \t\r\n".repeat(rng.random_range(1..5)).into_bytes(),
    // No JSON.
    |_, _| b"purchase_sword".to_vec(),
    |_, _| b"GET /purchase_a_sword/sabre HTTP/1.1\r\nHost: user1.comcast.com\r\n\r\n".to_vec(),
    |_, _| b"<event type=\"purchase_sword\"/>".to_vec(),
    |good, _| good.replace('"', "'").into_bytes(),
    |good, _| good.replace('}', ", }").into_bytes(),
    |good, _| good.replace("\"cost\"", "cost").into_bytes(),
    |good, _| good.replacen(": ", " ", 1).into_bytes(),
    |good, _| good.replacen(", ", " ", 1).into_bytes(),
    |good, _| good.replace('}', "]").into_bytes(),
    |good, _| good.replace("\"cost\": ", "\"cost\": 00").into_bytes(),
    |good, rng| {
        good.replace("\"sabre\"", ["NaN", "None", "True", ".5", "+1", "0x10", "1."][rng.random_range(0..7)])
            .into_bytes()
    },
    |good, _| good.replace('}', " /* end */}").into_bytes(),
    bad_escape,
    |good, rng| good.replace("sabre", &format!("sa{}bre", char::from(rng.random_range(0..32u8)))).into_bytes(),
    // No UTF-8.
    not_utf8,
    |good, _| good.encode_utf16().flat_map(u16::to_be_bytes).collect(),
    binary,
];

fn truncated(good: &str, rng: &mut StdRng) -> Vec<u8> {
    good.as_bytes()[..rng.random_range(1..good.len())].to_vec()
}

fn bad_escape(good: &str, rng: &mut StdRng) -> Vec<u8> {
    const ESCAPES: [&str; 5] = [r"\x41", r"\u12", r"\u12g4", r"\q", r"\'"];
    good.replace("sabre", ESCAPES[rng.random_range(0..ESCAPES.len())]).into_bytes()
}

/// A stray byte, a sequence cut short, an overlong one, half a surrogate pair.
fn not_utf8(good: &str, rng: &mut StdRng) -> Vec<u8> {
    const BYTES: [&[u8]; 5] = [b"\xff", b"\xc3", b"\xe2\x82", b"\xc0\xaf", b"\xed\xa0\x80"];
    let (before, after) = good.split_at(good.find("abre").unwrap_or(0));
    [before.as_bytes(), BYTES[rng.random_range(0..BYTES.len())], after.as_bytes()].concat()
}

/// As a schema registry's client frames it: a zero byte, then a number, then bytes.
fn binary(_: &str, rng: &mut StdRng) -> Vec<u8> {
    let length = rng.random_range(4..64);
    [0].into_iter().chain((0..length).map(|_| rng.random())).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;
    use serde_json::{Map, Value};

    use super::*;

    #[test]
    fn none_is_an_object_in_json_and_utf8() {
        let mut rng = StdRng::seed_from_u64(7);
        for n in 0..100 * MALFORMED_FORMS {
            let bytes = malformed(n, &mut rng);
            let read = serde_json::from_slice::<Map<String, Value>>(&bytes);
            assert!(read.is_err(), "form {}: {}", n % MALFORMED_FORMS, String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn forms_differ_and_a_seed_gives_the_same_again() {
        let all = |seed| -> Vec<Vec<u8>> {
            let mut rng = StdRng::seed_from_u64(seed);
            (0..MALFORMED_FORMS).map(|n| malformed(n, &mut rng)).collect()
        };
        assert_eq!(all(1), all(1));
        assert_ne!(all(1), all(2));
        assert_eq!(all(1).into_iter().collect::<BTreeSet<_>>().len(), MALFORMED_FORMS);
        assert!(all(1).iter().any(Vec::is_empty), "the empty message is a form");
        assert!(all(1).iter().any(|bytes| std::str::from_utf8(bytes).is_err()));
    }
}
