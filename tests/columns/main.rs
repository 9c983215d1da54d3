//! Properties of decoding and of columns: any schema, any JSON, any bytes. `DECODE_FUZZ_SECONDS` looks longer for a
//! message that breaks one.
#![allow(clippy::unwrap_used)]

#[path = "../common/cells.rs"]
mod cells;
mod schema;
mod typed;

use std::time::{Duration, Instant};

use landfall::batch::SealedBatch;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use schema::{Schema, push, rows};

/// Messages for one schema.
const MESSAGES: usize = 40;

fn errors(batch: &SealedBatch) -> u64 {
    batch.field_errors.iter().map(|e| e.count).sum()
}

/// Text of values as they are compared: JSON has no two zeros, and none of what is not finite.
fn comparable(values: &[Value]) -> String {
    Value::Array(values.to_vec()).to_string().replace("-0.0", "0.0")
}

/// Values of the columns' types land as they are, whatever the settings.
fn well_typed_values_land(rng: &mut StdRng) {
    let schema = Schema::random(rng);
    let mut buffers = [schema.buffer("null"), schema.buffer("dead_letter")];
    let mut want = Vec::new();
    for offset in 0..MESSAGES {
        let (raw, values): (Vec<_>, Vec<_>) = schema
            .columns
            .iter()
            .map(|(t, _)| {
                let (raw, value) = typed::value(rng, t);
                if rng.random_bool(0.9) { (Some(raw), value) } else { (None, Value::Null) }
            })
            .unzip();
        let message = schema.message(rng, &raw);
        want.push((message.clone(), values));
        buffers.iter_mut().for_each(|b| push(b, offset as i64, message.as_bytes()));
    }
    for buffer in &mut buffers {
        let sealed = buffer.seal();
        assert_eq!((sealed.accounting.events, errors(&sealed)), (MESSAGES as u64, 0), "{schema:?}\n{want:?}");
        for (got, (message, want)) in rows(&sealed, "t").iter().zip(&want) {
            assert_eq!(comparable(got), comparable(want), "{message}\n{schema:?}");
        }
    }
}

/// Each message lands, or is a dead letter; with the setting `null`, a type error is counted exactly where, with
/// `dead_letter`, it makes one. Gives the number of dead letters of either.
fn every_message_is_accounted_for(schema: &Schema, messages: &[Vec<u8>]) -> (u64, u64) {
    let (mut loose, mut strict) = (schema.buffer("null"), schema.buffer("dead_letter"));
    let mut dead = (0, 0);
    for (offset, message) in messages.iter().enumerate() {
        let shown = String::from_utf8_lossy(message);
        push(&mut loose, offset as i64, message);
        push(&mut strict, offset as i64, message);
        let (a, b) = (loose.seal(), strict.seal());
        for sealed in [&a, &b] {
            let count = sealed.accounting;
            assert!(
                count.balances() && count.read == 1 && count.events + count.dead_letters == 1,
                "{count:?}: {shown}"
            );
            assert_eq!(rows(sealed, "t").len() as u64, count.events, "{shown}");
            assert_eq!(rows(sealed, "dead_letters").len() as u64, count.dead_letters, "{shown}");
        }
        let is_json = serde_json::from_slice::<&serde_json::value::RawValue>(message).is_ok();
        let is_object = is_json && shown.trim_start().starts_with('{');
        assert_eq!(a.accounting.events == 1, is_object, "{shown}");
        assert_eq!(b.accounting.events == 1, is_object && errors(&a) == 0, "{shown}\n{schema:?}\n{:?}", a.field_errors);
        if b.accounting.events == 1 {
            assert_eq!(rows(&a, "t"), rows(&b, "t"), "{shown}");
        }
        dead = (dead.0 + a.accounting.dead_letters, dead.1 + b.accounting.dead_letters);
    }
    dead
}

/// Messages aimed at the schema with anything in its columns' places.
fn any_values(rng: &mut StdRng, schema: &Schema) -> Vec<Vec<u8>> {
    let mut message = |_| {
        let mut raw = |(t, _): &(landfall::schema::HiveType, Vec<String>)| {
            Some(if rng.random_bool(0.6) { typed::value(rng, t).0 } else { typed::anything(rng, 4) })
        };
        let values: Vec<_> = schema.columns.iter().map(&mut raw).collect();
        let mut text = schema.message(rng, &values);
        if rng.random_bool(0.2) {
            // A name twice, or something else where a path goes.
            let name = ["p", "r s", "C0", "C1"][rng.random_range(0..4)];
            let extra = format!("\"{name}\":{},", typed::anything(rng, 3));
            text.insert_str(1, &extra);
        }
        text.into_bytes()
    };
    (0..MESSAGES).map(&mut message).collect()
}

/// The messages with bytes changed, cut, doubled and mixed.
fn mutated(rng: &mut StdRng, mut messages: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    const SIGNS: &[u8] = b"{}[]\":,\\u0e-.+ntf \n\x00\xff\xc3";
    for i in 0..messages.len() {
        for _ in 0..rng.random_range(0..4) {
            let other = messages[rng.random_range(0..messages.len())].clone();
            let message = &mut messages[i];
            let at = rng.random_range(0..=message.len());
            let end = (at + rng.random_range(0..20)).min(message.len());
            match rng.random_range(0..6) {
                0 if at < message.len() => message[at] = rng.random(),
                1 if at < message.len() => message[at] = SIGNS[rng.random_range(0..SIGNS.len())],
                2 => _ = message.drain(at..end),
                3 => message.extend_from_within(at..end),
                4 => message.truncate(at),
                _ => {
                    let from = rng.random_range(0..=other.len());
                    let piece = other[from..(from + rng.random_range(0..40)).min(other.len())].to_vec();
                    message.splice(at..at, piece);
                }
            }
        }
    }
    messages
}

/// One round with a schema of its own: messages, and dead letters with either setting.
fn round(rng: &mut StdRng) -> (usize, u64, u64) {
    well_typed_values_land(rng);
    let schema = Schema::random(rng);
    let good = any_values(rng, &schema);
    let first = every_message_is_accounted_for(&schema, &good);
    assert_eq!(first.0, 0, "well-formed objects are no dead letters");
    let bad = mutated(rng, good);
    let second = every_message_is_accounted_for(&schema, &bad);
    (3 * MESSAGES, first.0 + second.0, first.1 + second.1)
}

#[test]
fn any_schema_takes_any_message_and_loses_none() {
    let mut sum = (0, 0, 0);
    for seed in 0..60 {
        let (messages, malformed, refused) = round(&mut StdRng::seed_from_u64(seed));
        sum = (sum.0 + messages, sum.1 + malformed, sum.2 + refused);
    }
    assert!(sum.1 > 100 && sum.2 > sum.1 && sum.2 < sum.0 as u64, "each outcome occurs: {sum:?}");
}

#[test]
fn fuzz_for_as_long_as_asked() {
    let Ok(seconds) = std::env::var("DECODE_FUZZ_SECONDS") else {
        eprintln!("skipped: DECODE_FUZZ_SECONDS=600 looks for ten minutes");
        return;
    };
    let limit = Duration::from_secs(seconds.parse().expect("DECODE_FUZZ_SECONDS is a number of seconds"));
    let (start, mut sum) = (Instant::now(), (0, 0, 0));
    let mut seed = std::env::var("DECODE_FUZZ_SEED").map_or(1 << 32, |seed| seed.parse().unwrap());
    while start.elapsed() < limit {
        // Printed with a failure, to begin there again.
        let rng = std::panic::catch_unwind(|| round(&mut StdRng::seed_from_u64(seed)));
        let (messages, malformed, refused) = rng.unwrap_or_else(|_| panic!("again with DECODE_FUZZ_SEED={seed}"));
        sum = (sum.0 + messages, sum.1 + malformed, sum.2 + refused);
        seed += 1;
    }
    eprintln!("{} messages, {} malformed, {} dead letters when strict, in {:?}", sum.0, sum.1, sum.2, start.elapsed());
}
