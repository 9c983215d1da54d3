//! Sets of offsets, kept as ranges.

use std::collections::BTreeMap;

use super::offset::{Offset, OffsetRange};

/// Offsets of one partition. As small as its ranges are few: neighbours are one range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OffsetSet {
    /// Start and end of each range; they neither overlap nor touch.
    ranges: BTreeMap<Offset, Offset>,
}

impl OffsetSet {
    /// Adds an offset; says whether it was not there.
    pub fn insert(&mut self, offset: i64) -> bool {
        let fresh = !self.contains(offset);
        self.add(OffsetRange { start: Offset(offset), end: Offset::after(offset) });
        fresh
    }

    /// Adds a range, of which any part may be there already. One that is empty or backwards adds nothing.
    pub fn add(&mut self, range: OffsetRange) {
        let OffsetRange { mut start, mut end } = range;
        if start >= end {
            return;
        }
        // Whatever begins at or before the end, and reaches the start, becomes one with it.
        while let Some((&s, &e)) = self.ranges.range(..=end).next_back() {
            if e < start {
                break;
            }
            (start, end) = (start.min(s), end.max(e));
            self.ranges.remove(&s);
        }
        self.ranges.insert(start, end);
    }

    /// Takes a range out.
    pub fn remove(&mut self, range: OffsetRange) {
        let OffsetRange { start, end } = range;
        while let Some((&s, &e)) = self.ranges.range(..end).next_back() {
            if e <= start || start >= end {
                break;
            }
            self.ranges.remove(&s);
            self.add(OffsetRange { start: s, end: start });
            self.add(OffsetRange { start: end, end: e });
        }
    }

    /// Whether an offset is there.
    pub fn contains(&self, offset: i64) -> bool {
        self.ranges.range(..=Offset(offset)).next_back().is_some_and(|(_, end)| end.0 > offset)
    }

    /// An offset of a range that is there already.
    pub fn common(&self, range: OffsetRange) -> Option<Offset> {
        let (start, end) = self.ranges.range(..range.end).next_back()?;
        let first = *start.max(&range.start);
        (*end > range.start && !range.is_empty()).then_some(first)
    }

    /// How many offsets there are.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|(start, end)| (end.0 - start.0) as u64).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Its ranges, ascending.
    pub fn ranges(&self) -> impl Iterator<Item = OffsetRange> + '_ {
        self.ranges.iter().map(|(&start, &end)| OffsetRange { start, end })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn range(start: i64, end: i64) -> OffsetRange {
        OffsetRange { start: Offset(start), end: Offset(end) }
    }

    fn shown(set: &OffsetSet) -> Vec<(i64, i64)> {
        set.ranges().map(|r| (r.start.0, r.end.0)).collect()
    }

    #[test]
    fn neighbours_become_one_range() {
        let mut set = OffsetSet::default();
        assert!([5, 7, 6, 1, 0].into_iter().all(|o| set.insert(o)) && !set.insert(6));
        assert_eq!((shown(&set), set.len()), (vec![(0, 2), (5, 8)], 5));
        set.add(range(1, 6));
        set.add(range(9, 9));
        set.add(range(12, 10));
        assert_eq!(shown(&set), [(0, 8)]);
        set.remove(range(3, 5));
        assert_eq!(shown(&set), [(0, 3), (5, 8)]);
        assert_eq!(set.common(range(3, 5)), None);
        assert_eq!(set.common(range(2, 4)), Some(Offset(2)));
        assert_eq!(set.common(range(3, 6)), Some(Offset(5)));
        assert_eq!(set.common(range(6, 6)), None);
    }

    #[test]
    fn it_is_a_set_whatever_is_done_to_it() {
        // Every small range, in an order that is none.
        let (mut set, mut truth) = (OffsetSet::default(), BTreeSet::new());
        for i in 0..2000_i64 {
            let (start, len) = ((i * 7919) % 61, (i * 104_729) % 9);
            let r = range(start, start + len);
            let common = (start..start + len).any(|o| truth.contains(&o));
            assert_eq!(set.common(r).is_some(), common, "{r:?} in {set:?}");
            assert!(set.common(r).is_none_or(|o| truth.contains(&o.0)));
            if i % 3 == 0 {
                set.remove(r);
                (start..start + len).for_each(|o| _ = truth.remove(&o));
            } else {
                set.add(r);
                truth.extend(start..start + len);
            }
            assert_eq!(set.len(), truth.len() as u64);
            assert!((0..80).all(|o| set.contains(o) == truth.contains(&o)));
            let ranges = shown(&set);
            assert!(ranges.windows(2).all(|w| w[0].1 < w[1].0), "{ranges:?}");
        }
    }
}
