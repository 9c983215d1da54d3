//! The wanted fields of one message, as raw JSON text.

use super::coerce::Mismatch;

/// Raw JSON values of one message by slot, borrowed from the message's text. One is reused for all messages, so that
/// none of them allocates.
#[derive(Debug, Default)]
pub struct UnionRow<'a> {
    /// The last value of each field.
    last: Vec<Option<&'a str>>,
    /// Values of fields that came more than once, all but the last, in order.
    earlier: Vec<(usize, &'a str)>,
}

impl<'a> UnionRow<'a> {
    /// Forgets everything and makes room for `slots` fields.
    pub(super) fn reset(&mut self, slots: usize) {
        self.last.clear();
        self.last.resize(slots, None);
        self.earlier.clear();
    }

    pub(super) fn set(&mut self, slot: usize, raw: &'a str) {
        if let Some(before) = self.last[slot].replace(raw) {
            self.earlier.push((slot, before));
        }
    }

    /// The raw text of the field's last value; `None` if it is absent.
    pub fn raw(&self, slot: usize) -> Option<&'a str> {
        self.last.get(slot).copied().flatten()
    }

    /// The last value of the field that `convert` takes, as Spark has it: `1,"x"` is 1 for a number. With it, whether
    /// the last value of all was refused.
    pub fn convert<T>(
        &self,
        slot: usize,
        convert: impl Fn(&'a str) -> Result<Option<T>, Mismatch>,
    ) -> (Option<T>, bool) {
        let Some(raw) = self.raw(slot) else { return (None, false) };
        match convert(raw) {
            Ok(value) => (value, false),
            Err(Mismatch) => {
                let mut before = self.earlier.iter().rev().filter(|(s, _)| *s == slot);
                (before.find_map(|(_, raw)| convert(raw).ok()).flatten(), true)
            }
        }
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::coerce::integer;

    #[test]
    fn the_last_value_that_converts() {
        let mut row = UnionRow::default();
        row.reset(2);
        ["1", "\"x\"", "2", "[]", "{}"].iter().for_each(|raw| row.set(1, raw));
        assert_eq!((row.convert(1, integer::<i64>), row.convert(0, integer::<i64>)), ((Some(2), true), (None, false)));
        assert_eq!((row.raw(0), row.raw(1), row.raw(9)), (None, Some("{}"), None));
        row.set(1, "null");
        assert_eq!(row.convert(1, integer::<i64>), (None, false));
        row.set(1, "true");
        assert_eq!(row.convert(1, integer::<i64>), (None, true));
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
