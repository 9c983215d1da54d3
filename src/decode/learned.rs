//! The quick way through a message whose like came before. One producer writes the same bytes between two values again
//! and again: `, "Host": `. They are read by the grammar once; from then on they are known by comparing sixteen bytes at
//! a time, and the field that the key stands for is known with them. Any other bytes take the grammar's way.

use std::collections::BTreeMap;

use super::names::Names;
use super::row::UnionRow;
use super::strict::{after_key, space, string, value};

/// Most ways between two values that are kept; all are forgotten when there are more, as many keys that never come
/// again would fill any number.
const MOST: usize = 1024;
/// The longest, in words of sixteen bytes.
const WORDS: usize = 4;
/// How many ways onward are tried from one.
const ONWARD: usize = 4;

/// Places in `ways` of the beginning of a message, and of a value to which no kept way leads. They lead onward like any
/// way. Only the beginning leads to ways with a brace, and to no others.
const BEGINNING: usize = 0;
const NOWHERE: usize = 1;

/// The ways between values that came before.
#[derive(Debug, Default)]
pub(super) struct Learned {
    ways: Vec<Way>,
    known: BTreeMap<Box<[u8]>, usize>,
}

/// The bytes from the end of a value, or the beginning of the message, to the next value at the top level.
#[derive(Debug, Default, Clone, Copy)]
struct Way {
    len: usize,
    /// The bytes; the last word reaches back into the one before, so that all are whole words of the message.
    words: [u128; WORDS],
    /// Which bits of the first word count.
    mask: u128,
    /// Of the field whose value comes.
    slot: Option<usize>,
    /// What came after it; [`BEGINNING`], which comes after nothing, is none.
    onward: [usize; ONWARD],
    /// The place in `onward` that is given away next.
    oldest: usize,
}

impl Learned {
    /// Reads the message `text` into `row`, if it is one JSON object, not nested too deep for this. If not, the row
    /// holds nothing of use.
    #[inline]
    pub(super) fn read<'a>(
        &mut self,
        names: &Names,
        slots: &[usize],
        text: &'a str,
        row: &mut UnionRow<'a>,
    ) -> Option<()> {
        let bytes = text.as_bytes();
        let (mut at, mut here) = (0, BEGINNING);
        loop {
            here = match self.onward(here, bytes, at) {
                Some(next) => next,
                None => {
                    let start = space(bytes, at);
                    if let Some(end) = closed(bytes, at, start) {
                        return (space(bytes, end) == bytes.len()).then_some(());
                    }
                    let key = key(bytes, at, start)?;
                    let to = after_key(bytes, key, &mut row.has_escapes)?;
                    let name = text.get(key + 1..string(bytes, key, &mut row.has_escapes)? - 1)?;
                    let slot = names.find(name, 0).map(|found| slots[found]);
                    match self.learn(here, &bytes[at..to], slot) {
                        Some(next) => next,
                        None => {
                            // Too long to be kept.
                            at = value(bytes, to, &mut row.has_escapes)?;
                            if let Some(slot) = slot {
                                row.set(slot, text.get(to..at)?);
                            }
                            here = NOWHERE;
                            continue;
                        }
                    }
                }
            };
            let way = &self.ways[here];
            // The way may be the beginning of a longer one, which has more blanks.
            let start = space(bytes, at + way.len);
            at = value(bytes, start, &mut row.has_escapes)?;
            if let Some(slot) = way.slot {
                row.set(slot, text.get(start..at)?);
            }
            if at + 1 == bytes.len() && bytes[at] == b'}' {
                return Some(());
            }
        }
    }

    /// The known way from `here` whose bytes are those at `at`.
    #[inline]
    fn onward(&self, here: usize, bytes: &[u8], at: usize) -> Option<usize> {
        let first = word(bytes, at)?;
        let from = self.ways.get(here)?;
        from.onward
            .iter()
            .copied()
            .take_while(|next| *next != BEGINNING)
            .find(|next| self.ways[*next].is_at(first, bytes, at))
    }

    /// Keeps a way from `here`; `None` if it is too long.
    #[cold]
    fn learn(&mut self, mut here: usize, way: &[u8], slot: Option<usize>) -> Option<usize> {
        if way.len() > 16 * WORDS {
            return None;
        }
        if self.ways.len() >= MOST {
            self.ways.clear();
            self.known.clear();
            here = here.min(NOWHERE);
        }
        if self.ways.is_empty() {
            self.ways = vec![Way::default(); 2];
        }
        let next = match self.known.get(way) {
            Some(next) => *next,
            None => {
                self.known.insert(way.into(), self.ways.len());
                self.ways.push(Way::new(way, slot));
                self.ways.len() - 1
            }
        };
        let from = &mut self.ways[here];
        let free = from.onward.iter().position(|n| *n == BEGINNING);
        let place = free.unwrap_or(from.oldest);
        from.oldest = (place + 1) % ONWARD;
        from.onward[place] = next;
        Some(next)
    }
}

impl Way {
    fn new(way: &[u8], slot: Option<usize>) -> Way {
        let len = way.len();
        let mut words = [0; WORDS];
        for (i, known) in words.iter_mut().enumerate().take(len.div_ceil(16)) {
            *known = word(way, place(i, len)).unwrap_or_default();
        }
        let mask = if len < 16 { (1 << (8 * len)) - 1 } else { u128::MAX };
        Way { len, words, mask, slot, ..Way::default() }
    }

    /// Whether the bytes at `at`, of which `first` is the first word, are this way's.
    #[inline]
    fn is_at(&self, first: u128, bytes: &[u8], at: usize) -> bool {
        if first & self.mask != self.words[0] {
            return false;
        }
        let mut rest = self.words.iter().enumerate().take(self.len.div_ceil(16)).skip(1);
        // Where the message ends within the way, its last word has zeros, which no way has.
        rest.all(|(i, known)| word(bytes, at + place(i, self.len)) == Some(*known))
    }
}

/// Where the word `i` of a way of `len` bytes begins.
fn place(i: usize, len: usize) -> usize {
    if i == 0 { 0 } else { (16 * i).min(len - 16) }
}

/// The sixteen bytes at `at`, zeros beyond the end.
#[inline]
fn word(bytes: &[u8], at: usize) -> Option<u128> {
    let rest = bytes.get(at..)?;
    Some(match rest.first_chunk::<16>() {
        Some(whole) => u128::from_le_bytes(*whole),
        None => rest.iter().rev().fold(0, |word, b| word << 8 | u128::from(*b)),
    })
}

/// End of the closing brace, if one is at `start`; of the opening one of an empty message too.
fn closed(bytes: &[u8], at: usize, start: usize) -> Option<usize> {
    let brace = match (at, bytes.get(start)?) {
        (0, b'{') => space(bytes, start + 1),
        (0, _) => return None,
        _ => start,
    };
    (bytes.get(brace) == Some(&b'}')).then_some(brace + 1)
}

/// Where the next key begins: after a brace at the beginning, after a comma everywhere else.
fn key(bytes: &[u8], at: usize, start: usize) -> Option<usize> {
    let sign = if at == 0 { b'{' } else { b',' };
    (bytes.get(start) == Some(&sign)).then(|| space(bytes, start + 1))
}
