//! The wanted fields of one message, as raw JSON text.

use std::borrow::Cow;

use super::learned::Learned;
use super::text::text;

/// Stands for the value of a path on which something else than an object stands in the way: no text of any value.
pub(super) const BLOCKED: &str = "";

/// Raw JSON values of one message by slot, borrowed from the message's text. One is reused for all messages, so that
/// none of them allocates, and keeps what its decoder learns from them.
#[derive(Debug, Default)]
pub struct UnionRow<'a> {
    /// The last value of each field.
    last: Vec<Option<&'a str>>,
    /// Values of fields that came more than once, all but the last, in order.
    earlier: Vec<(usize, &'a str)>,
    /// Whether a string of the message may have an escape.
    pub(super) has_escapes: bool,
    /// Boxed, as the row is moved about for every message.
    pub(super) learned: Option<Box<Learned>>,
}

impl<'a> UnionRow<'a> {
    /// Forgets everything and makes room for `slots` fields.
    pub(super) fn reset(&mut self, slots: usize) {
        self.last.clear();
        self.last.resize(slots, None);
        self.earlier.clear();
        self.has_escapes = false;
    }

    #[inline]
    pub(super) fn set(&mut self, slot: usize, raw: &'a str) {
        if let Some(before) = self.last[slot].replace(raw) {
            self.earlier.push((slot, before));
        }
    }

    /// The raw text of the field's last value; `None` if it is absent. Empty where something else than an object stands
    /// in the way of a path: that is no value of any type.
    #[inline]
    pub fn raw(&self, slot: usize) -> Option<&'a str> {
        self.last.get(slot).copied().flatten()
    }

    /// A value of this message as [`text`]. Where it is known that nothing is escaped, no string is searched for it.
    #[inline]
    pub fn text_of(&self, raw: &'a str) -> Option<Cow<'a, str>> {
        match raw.strip_prefix('"') {
            Some(inner) if !self.has_escapes => inner.strip_suffix('"').map(Cow::Borrowed),
            _ => text(raw),
        }
    }

    /// All values of the field but the last, from the last but one to the first.
    pub fn before(&self, slot: usize) -> impl Iterator<Item = &'a str> {
        self.earlier.iter().rev().filter(move |(s, _)| *s == slot).map(|(_, raw)| *raw)
    }

    /// The same memory, empty, for texts of another lifetime.
    pub fn recycle<'b>(mut self) -> UnionRow<'b> {
        // Collecting from an emptied vector into one of the same layout keeps its allocation; were it not to, this
        // would be slower, not wrong.
        self.last.clear();
        self.earlier.clear();
        UnionRow {
            last: self.last.into_iter().map(|_| None).collect(),
            earlier: self.earlier.into_iter().map(|(slot, _)| (slot, "")).collect(),
            has_escapes: false,
            learned: self.learned,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_came_more_than_once_keeps_all_its_values() {
        let mut row = UnionRow::default();
        row.reset(2);
        ["1", "\"x\"", "2"].iter().for_each(|raw| row.set(1, raw));
        assert_eq!((row.raw(0), row.raw(1), row.raw(9)), (None, Some("2"), None));
        assert_eq!((row.before(1).collect::<Vec<_>>(), row.before(0).count()), (vec!["\"x\"", "1"], 0));
    }

    #[test]
    fn recycling_keeps_the_memory() {
        let mut row = UnionRow::default();
        row.reset(100);
        let (capacity, place) = (row.last.capacity(), row.last.as_ptr() as usize);
        let row = row.recycle();
        assert_eq!((row.last.capacity(), row.last.as_ptr() as usize), (capacity, place));
    }
}
