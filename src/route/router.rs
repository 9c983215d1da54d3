//! All tables' conditions at once, with the answers for texts seen before kept.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::matcher::{Matcher, TextOf};
use crate::config::settings::When;

/// Most answers that are kept.
const CACHED: usize = 1024;
/// Longest text whose answer is kept.
const CACHED_LEN: usize = 128;

/// The tables that take a message, any number of them, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableMask(Vec<usize>);

impl TableMask {
    /// The tables' indexes.
    pub fn tables(&self) -> &[usize] {
        &self.0
    }

    /// Whether no table takes it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Finds the tables that take a message.
#[derive(Debug, Clone)]
pub struct Router {
    /// The fields that conditions look at: each a name, or the names of a path.
    fields: Vec<Vec<String>>,
    /// Index and condition of each table that takes messages; without one it takes all.
    tables: Vec<(usize, Option<Matcher>)>,
    /// Places in `answers` by the text of the one field that all conditions look at. Emptied when full.
    known: HashMap<Box<str>, usize, BuildHasherDefault<ShortHash>>,
    answers: Vec<TableMask>,
    /// The answer worked out last.
    last: TableMask,
}

impl Router {
    /// A router over the tables that take messages: index, and condition if it has one.
    pub fn new<'w>(tables: impl IntoIterator<Item = (usize, Option<&'w When>)>) -> Router {
        let mut fields = Vec::new();
        let compile = |(i, when): (usize, Option<&When>)| (i, when.map(|w| Matcher::new(w, &mut fields)));
        let tables = tables.into_iter().map(compile).collect();
        Router { fields, tables, known: HashMap::default(), answers: Vec::new(), last: TableMask::default() }
    }

    /// The fields that [`Router::route`] asks for by their index: each a name, or the names of a path.
    pub fn fields(&self) -> &[Vec<String>] {
        &self.fields
    }

    /// The tables of a message; `text` gives the text of field `i` as a string column would hold it, `None` if it is
    /// absent or null.
    pub fn route<'t>(&mut self, mut text: impl FnMut(usize) -> Option<Cow<'t, str>>) -> &TableMask {
        if self.fields.len() != 1 {
            return self.find(&mut text);
        }
        match text(0) {
            Some(key) if key.len() <= CACHED_LEN => {
                let at = self.known.get(&*key).copied();
                let at = at.unwrap_or_else(|| self.learn(key));
                &self.answers[at]
            }
            other => self.find(&mut |_| other.clone()),
        }
    }

    fn find(&mut self, text: &mut TextOf<'_, '_>) -> &TableMask {
        self.last.0.clear();
        let taking = self.tables.iter().filter(|(_, m)| m.as_ref().is_none_or(|m| m.holds(text)));
        self.last.0.extend(taking.map(|(i, _)| *i));
        &self.last
    }

    fn learn(&mut self, key: Cow<'_, str>) -> usize {
        if self.answers.len() >= CACHED {
            self.known.clear();
            self.answers.clear();
        }
        let answer = self.find(&mut |_| Some(key.clone())).clone();
        self.answers.push(answer);
        let at = self.answers.len() - 1;
        self.known.insert(key.into(), at);
        at
    }
}

/// Like FNV-1a, eight bytes at a time: quick for short texts. The table is small and bounded, so collisions cannot be made
/// to hurt.
struct ShortHash(u64);

impl Default for ShortHash {
    fn default() -> ShortHash {
        ShortHash(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for ShortHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        let rest = rest.iter().rev().fold(0, |word, b| word << 8 | u64::from(*b));
        for word in words.iter().map(|w| u64::from_le_bytes(*w)).chain([rest]) {
            let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            // The table looks at the lowest and the highest bits.
            self.0 = mixed ^ (mixed >> 32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::FieldTest;

    fn when(field: &str, test: FieldTest) -> When {
        When::Field { field: vec![field.to_owned()], test }
    }

    fn seeds() -> Vec<When> {
        let on = |test| when("event_type", test);
        vec![
            on(FieldTest::Equals("purchase_sword".into())),
            on(FieldTest::Contains("purchase".into())),
            on(FieldTest::Contains("guild".into())),
        ]
    }

    #[test]
    fn the_seeds_routes() {
        let conditions = seeds();
        let mut router = Router::new(conditions.iter().enumerate().map(|(i, w)| (i, Some(w))));
        assert_eq!(router.fields(), [["event_type"]]);
        // Twice, so that the second answer comes from the cache.
        for _ in 0..2 {
            for (text, want) in [
                (Some("purchase_sword"), &[0, 1][..]),
                (Some("purchase_shield"), &[1]),
                (Some("join_guild"), &[2]),
                (Some("purchase a guild"), &[1, 2]),
                (Some("default"), &[]),
                (Some(""), &[]),
                (None, &[]),
            ] {
                assert_eq!(router.route(|_| text.map(Cow::Borrowed)).tables(), want, "{text:?}");
            }
        }
        assert_eq!(router.known.len(), 6);
    }

    #[test]
    fn the_cache_is_bounded_and_never_wrong() {
        let conditions = seeds();
        let mut router = Router::new(conditions.iter().enumerate().map(|(i, w)| (i, Some(w))));
        for i in 0..5000 {
            let text = format!("{}{i}", ["guild", "purchase", "other"][i % 3]);
            let want = [&[2][..], &[1], &[]][i % 3];
            assert_eq!(router.route(|_| Some(Cow::Borrowed(&text))).tables(), want);
            assert!(router.known.len() <= CACHED);
        }
        let long = format!("guild{}", "x".repeat(1000));
        assert_eq!(router.route(|_| Some(Cow::Borrowed(&long))).tables(), [2]);
        assert!(router.known.keys().all(|k| k.len() <= CACHED_LEN));
    }

    #[test]
    fn more_tables_than_a_word_has_bits() {
        let even = when("n", FieldTest::EndsWith("0".into()));
        let other = when("m", FieldTest::Exists(true));
        let tables =
            (0..200).map(|i| (i, if i % 3 == 0 { None } else { Some(if i % 3 == 1 { &even } else { &other }) }));
        let mut router = Router::new(tables);
        let got = router.route(|i| (i == 0).then_some(Cow::Borrowed("10"))).tables().len();
        assert_eq!((got, router.fields().len()), (134, 2));
    }

    #[test]
    fn without_conditions_every_table_takes_all() {
        assert_eq!(Router::new([(3, None), (5, None)]).route(|_| None).tables(), [3, 5]);
    }
}
