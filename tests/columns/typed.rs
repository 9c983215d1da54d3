//! Random types, and random values of them: as JSON text, and as the column must hold them.

use landfall::schema::{HiveType, StructField};
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

/// A random type, nested at most `depth` levels. A timestamp only at the top.
pub fn hive_type(rng: &mut StdRng, depth: u32, top: bool) -> HiveType {
    match rng.random_range(0..if depth == 0 { 14 } else { 19 }) {
        0 => HiveType::Boolean,
        1 => HiveType::TinyInt,
        2 => HiveType::SmallInt,
        3 => HiveType::Int,
        4 => HiveType::BigInt,
        5 => HiveType::Float,
        6 => HiveType::Double,
        7 => {
            let precision = rng.random_range(1..=38);
            HiveType::Decimal { precision, scale: rng.random_range(0..=precision) }
        }
        8 => HiveType::Varchar(rng.random_range(1..12)),
        9 => HiveType::Char(rng.random_range(1..12)),
        10 => HiveType::Binary,
        11 => HiveType::Date,
        12 if top => HiveType::Timestamp,
        12 | 13 => HiveType::String,
        14 | 15 => HiveType::Array(Box::new(hive_type(rng, depth - 1, false))),
        16 => HiveType::Map(Box::new(hive_type(rng, depth - 1, false))),
        _ => {
            let field = |i| StructField { name: format!("F{i}"), hive_type: hive_type(rng, depth - 1, false) };
            HiveType::Struct((0..4).map(field).take(1 + depth as usize).collect())
        }
    }
}

/// The type as a migration writes it, names as they are.
pub fn ddl(hive_type: &HiveType) -> String {
    match hive_type {
        HiveType::Array(element) => format!("array<{}>", ddl(element)),
        HiveType::Map(value) => format!("map<string,{}>", ddl(value)),
        HiveType::Struct(fields) => {
            let fields: Vec<_> = fields.iter().map(|f| format!("{}:{}", f.name, ddl(&f.hive_type))).collect();
            format!("struct<{}>", fields.join(","))
        }
        other => other.to_string(),
    }
}

const CHARS: [char; 12] = ['a', 'Z', '0', ' ', '"', '\\', '\n', '\u{0}', 'é', '€', '😀', '/'];

fn text(rng: &mut StdRng) -> String {
    (0..rng.random_range(0..16)).map(|_| CHARS[rng.random_range(0..CHARS.len())]).collect()
}

/// The text in quotes, some of its characters needlessly escaped.
pub fn quoted(rng: &mut StdRng, text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        let mut units = [0; 2];
        match c {
            '"' | '\\' | '\0'..='\x1f' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ if rng.random_bool(0.1) => {
                c.encode_utf16(&mut units).iter().for_each(|u| out.push_str(&format!("\\u{u:04X}")))
            }
            _ => out.push(c),
        }
    }
    out + "\""
}

fn space(rng: &mut StdRng) -> &'static str {
    ["", "", " ", "\n\t"][rng.random_range(0..4)]
}

fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |chunk: &[u8]| {
        let all = chunk.iter().chain(&[0, 0]).take(3).fold(0u32, |sum, b| sum << 8 | u32::from(*b));
        let sign = |i: usize| char::from(SIGNS[(all >> (18 - 6 * i)) as usize & 63]);
        (0..4).map(move |i| if i <= chunk.len() { sign(i) } else { '=' }).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

/// A decimal as text: its digits, and a point before the last `scale` of them.
fn pointed(digits: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    let text = format!("{:0>width$}", digits.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = text.split_at(text.len() - scale);
    let sign = if digits < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// JSON text of a random value of the type, and what its column must hold.
pub fn value(rng: &mut StdRng, t: &HiveType) -> (String, Value) {
    if rng.random_bool(0.1) {
        return ("null".to_owned(), Value::Null);
    }
    let plain = |value: Value| (value.to_string(), value);
    match t {
        HiveType::Boolean => plain(json!(rng.random::<bool>())),
        HiveType::TinyInt => plain(json!(rng.random::<i8>())),
        HiveType::SmallInt => plain(json!(rng.random::<i16>())),
        HiveType::Int => plain(json!(rng.random::<i32>())),
        HiveType::BigInt => plain(json!(rng.random::<i64>())),
        HiveType::Float => {
            let f = f32::from_bits(rng.random::<u32>() & !(1 << 30));
            (format!("{f:e}"), json!(f))
        }
        HiveType::Double => {
            let f = f64::from_bits(rng.random::<u64>() & !(1 << 62));
            (format!("{f:e}"), json!(f))
        }
        HiveType::Decimal { precision, scale } => {
            let bound = 10i128.pow(rng.random_range(0..=u32::from(*precision)));
            let digits = rng.random_range(1 - bound..bound);
            let text = pointed(digits, *scale);
            let more = if *scale > 0 && rng.random_bool(0.3) { "4" } else { "" };
            let raw = format!("{text}{more}");
            (if rng.random_bool(0.2) { format!("\"{raw}\"") } else { raw }, json!(text))
        }
        HiveType::String | HiveType::Varchar(_) | HiveType::Char(_) => {
            let whole = text(rng);
            let cut = |n: u32| whole.chars().take(n as usize).collect::<String>();
            let kept = match t {
                HiveType::Varchar(n) => cut(*n),
                HiveType::Char(n) => cut(*n).trim_end_matches(' ').to_owned(),
                _ => whole.clone(),
            };
            (quoted(rng, &whole), json!(kept))
        }
        HiveType::Binary => {
            let bytes: Vec<u8> = (0..rng.random_range(0..9)).map(|_| rng.random()).collect();
            (quoted(rng, &base64(&bytes)), json!(bytes))
        }
        HiveType::Date => {
            let days = rng.random_range(-141_427..=2_932_896);
            let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap();
            (quoted(rng, &date.to_string()), json!(days))
        }
        HiveType::Timestamp => {
            let micros = rng.random_range(-2_208_988_800_000_000i64..253_402_000_000_000_000);
            let at = jiff::Timestamp::from_microsecond(micros).unwrap();
            (quoted(rng, &at.to_string()), json!(micros))
        }
        HiveType::Array(element) => {
            let (raw, values): (Vec<_>, Vec<_>) = (0..rng.random_range(0..4)).map(|_| value(rng, element)).unzip();
            let comma = format!("{},{}", space(rng), space(rng));
            (format!("[{}{}{}]", space(rng), raw.join(&comma), space(rng)), json!(values))
        }
        HiveType::Map(of) => {
            let keys: Vec<String> = (0..rng.random_range(0..4)).map(|i| format!("{i}{}", text(rng))).collect();
            let fields: Vec<_> = keys.into_iter().map(|key| (key, value(rng, of))).collect();
            let want = fields.iter().map(|(key, (_, value))| (key.clone(), value.clone())).collect();
            let raw: Vec<_> = fields.into_iter().map(|(key, (raw, _))| (key, raw)).collect();
            (object(rng, &raw), Value::Object(want))
        }
        HiveType::Struct(fields) => {
            let (mut raw, mut want) = (Vec::new(), serde_json::Map::new());
            for field in fields {
                let (text, held) = value(rng, &field.hive_type);
                let is_there = rng.random_bool(0.8);
                want.insert(field.physical_name(), if is_there { held } else { Value::Null });
                if is_there {
                    raw.push((field.name.clone(), text));
                }
                if rng.random_bool(0.1) {
                    raw.push((format!("x{}", field.name), anything(rng, 2)));
                }
            }
            if raw.len() > 1 && rng.random_bool(0.3) {
                raw.rotate_left(1);
            }
            (object(rng, &raw), Value::Object(want))
        }
    }
}

/// An object of these fields.
pub fn object(rng: &mut StdRng, fields: &[(String, String)]) -> String {
    let fields: Vec<_> = fields
        .iter()
        .map(|(key, raw)| format!("{}{}{}:{}{raw}", space(rng), quoted(rng, key), space(rng), space(rng)))
        .collect();
    format!("{{{}{}}}", fields.join(","), space(rng))
}

/// Any JSON at all, with names that types have, too.
pub fn anything(rng: &mut StdRng, depth: u32) -> String {
    match rng.random_range(0..if depth == 0 { 9 } else { 12 }) {
        0 => "null".to_owned(),
        1 => rng.random::<bool>().to_string(),
        2 => rng.random_range(-200..200i64).to_string(),
        3 => rng.random::<i64>().to_string(),
        4 => format!("{:e}", f64::from_bits(rng.random::<u64>() & !(1 << 62))),
        5 => ["-0", "1e400", "0.5", "1E+3", "123456789012345678901234567890123456789012"][rng.random_range(0..5)]
            .to_owned(),
        6 => ["\"2021-02-29\"", "\"2021-02-28 10:00:00\"", "\"Zm9v\"", "\"Zm9\"", "\"1,5\"", "\"NaN\"", "\"\\ud800\""]
            [rng.random_range(0..7)]
        .to_owned(),
        7 | 8 => {
            let text = text(rng);
            quoted(rng, &text)
        }
        9 => {
            let items: Vec<_> = (0..rng.random_range(0..4)).map(|_| anything(rng, depth - 1)).collect();
            format!("[{}]", items.join(","))
        }
        _ => {
            let names = ["F0", "F1", "F2", "a", "c0", "p"];
            let fields: Vec<_> = (0..rng.random_range(0..5))
                .map(|_| (names[rng.random_range(0..names.len())].to_owned(), anything(rng, depth - 1)))
                .collect();
            object(rng, &fields)
        }
    }
}
