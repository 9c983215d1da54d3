//! The quick way against serde_json: what it takes, serde_json takes, with the same fields; what it leaves, serde_json
//! reads. Every message is read twice by the same row, so that both what is new and what is learned are tried.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::decoder::Decoder;
use super::reject::Reject;
use super::row::UnionRow;

const FIELDS: [&str; 7] = ["event_type", "Accept", "User-Agent", "Host", "cost", "a", "guild_member_cnt"];

/// How often the quick way took a message, and how often serde_json took or refused one.
#[derive(Debug, Default)]
struct Seen {
    quick: usize,
    good: usize,
    bad: usize,
    /// The last good one that only serde_json took.
    missed: String,
}

struct Oracle {
    decoder: Decoder,
    row: UnionRow<'static>,
    seen: Seen,
}

/// All values of all slots, or the error.
type Outcome = Result<Vec<Vec<String>>, Reject>;

impl Oracle {
    fn new(max_depth: u64) -> Oracle {
        let decoder = Decoder::new(&FIELDS.map(|f| vec![f.to_owned()]), &[], max_depth);
        Oracle { decoder, row: UnionRow::default(), seen: Seen::default() }
    }

    fn outcome(done: Result<(), Reject>, row: &UnionRow<'_>) -> Outcome {
        let all = |slot| row.raw(slot).into_iter().chain(row.before(slot)).map(str::to_owned).collect();
        done.map(|()| (0..FIELDS.len()).map(all).collect())
    }

    fn try_all(&mut self, text: &str) {
        let mut judged = UnionRow::default();
        let done = self.decoder.judge(text, &mut judged);
        let want = Self::outcome(done, &judged);
        for _ in 0..2 {
            let mut row = std::mem::take(&mut self.row).recycle();
            let done = self.decoder.decode(text, &mut row);
            assert_eq!(Self::outcome(done, &row), want, "{text:?}");
            let mut learned = row.learned.take().unwrap();
            let mut quick = UnionRow::default();
            quick.reset(FIELDS.len());
            if self.decoder.quick(&mut learned, text, &mut quick).is_some() {
                self.seen.quick += 1;
                let refused_for_depth = want.as_ref().is_err_and(|e| e.reason == super::Reason::TooDeep);
                assert!(refused_for_depth || Self::outcome(Ok(()), &quick) == want, "{text:?}");
            } else if want.is_ok() {
                text.clone_into(&mut self.seen.missed);
            }
            row.learned = Some(learned);
            self.row = row.recycle();
        }
        match want {
            Ok(_) => self.seen.good += 1,
            Err(_) => self.seen.bad += 1,
        }
    }
}

const EVENTS: [&str; 6] = [
    r#"{"event_type": "purchase_sword", "Accept": "*/*", "User-Agent": "ApacheBench/2.3", "Host": "user1.comcast.com", "cost": 6, "type": "sabre"}"#,
    r#"{"event_type": "join_guild", "Accept": "*/*", "User-Agent": "curl/7.68.0", "Host": "user9.att.com", "guild_member_cnt": null, "tot_guild_member_cnt": 50, "guild_name": "house_stark"}"#,
    r#"{"event_type":"default","cost":-1.5e3,"nested":{"a":[1,{"b":"]}"}],"c":true}}"#,
    " {\r\n\t\"Host\" : \"é😀\" ,\n \"cost\":0 , \"a\" : [ ] }\n",
    r#"{"a":"\"\\\/\b\u00e9\ud800","\u0061":1,"a":{"a":2},"this key is much longer than what is kept of a way between two values":1,"cost":7}"#,
    r#"{"a":1,"cost":2}"#,
];

/// Bytes that mean something to a parser.
const SIGNS: &[u8] = b"{}[]:,\"\\ \t\n\r0159-+.eEtfnulu/\0\x1f\x7fa";

#[test]
fn good_messages_take_the_quick_way() {
    let mut oracle = Oracle::new(1000);
    for text in EVENTS.iter().chain(&["{}", " { } "]) {
        oracle.try_all(text);
    }
    let Seen { quick, good, bad, missed } = oracle.seen;
    assert_eq!((quick, good, bad, missed.as_str()), (2 * 8, 8, 0, ""));
}

#[test]
fn whatever_is_cut_doubled_or_joined() {
    let mut oracle = Oracle::new(1000);
    for text in EVENTS {
        let cuts: Vec<usize> = (0..text.len()).filter(|at| text.is_char_boundary(*at)).collect();
        for &cut in &cuts {
            let (head, tail) = text.split_at(cut);
            for made in [head.to_owned(), tail.to_owned(), format!("{head}{text}"), format!("{text}{tail}")] {
                oracle.try_all(&made);
            }
            // A piece left out, and one put in twice.
            let end = cuts.iter().copied().find(|at| *at >= cut + 7).unwrap_or(text.len());
            oracle.try_all(&format!("{head}{}", &text[end..]));
            oracle.try_all(&format!("{}{}", &text[..end], tail));
        }
        EVENTS.iter().for_each(|other| oracle.try_all(&format!("{text}{other}")));
    }
    assert!(oracle.seen.bad > 1000 && oracle.seen.good > 20, "{:?}", oracle.seen);
}

#[test]
fn every_byte_replaced_by_every_sign() {
    let mut oracle = Oracle::new(1000);
    for text in EVENTS {
        for at in 0..text.len() {
            for &sign in SIGNS {
                let mut bytes = text.as_bytes().to_vec();
                bytes[at] = sign;
                if let Ok(made) = String::from_utf8(bytes) {
                    oracle.try_all(&made);
                }
            }
        }
    }
    let Seen { quick, good, bad, missed } = oracle.seen;
    assert!(good > 5000 && bad > 5000, "{good} {bad}");
    assert_eq!((quick, missed.as_str()), (2 * good, ""), "no good message of these needs serde_json");
}

/// A document of random pieces: right mostly, and every kind of wrong.
fn document(rng: &mut StdRng, depth: u32) -> String {
    let blank = |rng: &mut StdRng| ["", "", "", " ", "\n", "\t\r "][rng.random_range(0..6)];
    let scalar = [
        "0",
        "-0",
        "12",
        "-7.25",
        "1e5",
        "1E-400",
        "123456789012345678901234567890",
        "null",
        "true",
        "false",
        "\"\"",
        "\"a\"",
        "\"0123456789abcdef\"",
        "\"\\n\"",
        "\"\\ud83d\\ude00\"",
        "\"é\"",
        "01",
        "1.",
        "nul",
        "\"\t\"",
        "'a'",
    ];
    // The last five are wrong.
    let some = if rng.random_bool(0.02) { scalar.len() } else { scalar.len() - 5 };
    match rng.random_range(0..if depth == 0 { 1 } else { 3 }) {
        0 => scalar[rng.random_range(0..some)].to_owned(),
        1 => {
            let items: Vec<_> = (0..rng.random_range(0..3))
                .map(|_| format!("{}{}{}", blank(rng), document(rng, depth - 1), blank(rng)))
                .collect();
            format!("[{}{}]", blank(rng), items.join(","))
        }
        _ => object(rng, depth - 1),
    }
}

fn object(rng: &mut StdRng, depth: u32) -> String {
    let keys = ["a", "cost", "c\\u006fst", "Host", "x", "", "ключ", "\\ud800"];
    let blank = |rng: &mut StdRng| ["", "", "", " ", "\n"][rng.random_range(0..5)];
    let fields: Vec<_> = (0..rng.random_range(0..5))
        .map(|_| {
            let key = keys[rng.random_range(0..keys.len())];
            let (b, c, d) = (blank(rng), blank(rng), blank(rng));
            format!("{b}\"{key}\"{c}:{d}{}{b}", document(rng, depth))
        })
        .collect();
    format!("{{{}{}}}", blank(rng), fields.join(","))
}

#[test]
fn random_documents() {
    let mut rng = StdRng::seed_from_u64(3);
    let mut oracle = Oracle::new(1000);
    for _ in 0..20_000 {
        let mut text = object(&mut rng, 4);
        if rng.random_bool(0.5) {
            let at = rng.random_range(0..text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(at + 1) {
                let sign = char::from(SIGNS[rng.random_range(0..SIGNS.len())]);
                text.replace_range(at..at + 1, sign.encode_utf8(&mut [0; 4]));
            }
        }
        oracle.try_all(&text);
    }
    let Seen { quick, good, bad, missed } = oracle.seen;
    assert!(good > 5000 && bad > 2000, "{good} {bad}");
    assert_eq!((quick, missed.as_str()), (2 * good, ""), "no good message of these needs serde_json");
}

#[test]
fn more_keys_than_are_kept() {
    let mut oracle = Oracle::new(1000);
    for i in 0..3000 {
        oracle.try_all(&format!("{{\"k{i}\":1,\"cost\":{i}, \"q{}\": \"x\"}}", i % 1500));
        oracle.try_all(&format!(",\"k{i}\":1}}"));
        oracle.try_all(&format!("{{\"a\":1{{\"k{i}\":1}}"));
    }
    assert_eq!((oracle.seen.quick, oracle.seen.good, oracle.seen.bad), (6000, 3000, 6000));
}

#[test]
fn depth_is_judged_alike() {
    let nested = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
    for max_depth in [1, 2, 10, 63, 64, 65, 66, 1000] {
        let mut oracle = Oracle::new(max_depth);
        (0..70).for_each(|n| oracle.try_all(&nested(n)));
        oracle.try_all(&nested(2000));
        oracle.try_all(r#"{"a":1,"cost":[{"b":[]},{"c":{"d":1}}]}"#);
        assert!(oracle.seen.quick > 0);
    }
}
