//! Which dead letters are meant.

use crate::checkpoint::topic_of_row;
use crate::encode::letters::Letter;
use crate::model::Slot;

/// Which dead letters; all of them, unless something is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of this reason.
    pub reason: Option<String>,
    /// Of this topic, in any incarnation; or in one, as rows name it: `events#1`.
    pub topic: Option<String>,
    /// Of this partition.
    pub partition: Option<i32>,
    /// With an offset from the first to the last of these.
    pub offsets: Option<(i64, i64)>,
    /// Landed since.
    pub since: Option<Since>,
}

/// Since when a dead letter is in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// Since this batch.
    Batch(u64),
    /// Since this time, in milliseconds since 1970 UTC: when the file was written.
    Millis(i64),
}

impl Selection {
    /// Whether a file may have some of them.
    pub(super) fn takes_file(&self, slot: Slot, modified_ms: i64) -> bool {
        match self.since {
            None => true,
            Some(Since::Batch(first)) => slot.0 >= first,
            Some(Since::Millis(first)) => modified_ms >= first,
        }
    }

    /// Whether a row is one of them.
    pub(super) fn takes(&self, letter: &Letter<'_>) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| wanted.as_deref().is_none_or(|w| Some(w) == found);
        let topic = || is(&self.topic, letter.topic) || is(&self.topic, letter.topic.map(|t| topic_of_row(t).0));
        is(&self.reason, letter.reason)
            && topic()
            && self.partition.is_none_or(|p| letter.partition == Some(i64::from(p)))
            && self.offsets.is_none_or(|(first, last)| letter.offset.is_some_and(|o| (first..=last).contains(&o)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_takes_what_fits_all_of_it() {
        let letter = Letter {
            reason: Some("too_deep"),
            detail: None,
            bytes: None,
            key: None,
            topic: Some("events#2"),
            partition: Some(3),
            offset: Some(40),
            timestamp: None,
        };
        let text = |t: &str| Some(t.to_owned());
        let all = Selection::default();
        for (selection, takes) in [
            (all.clone(), true),
            (Selection { reason: text("too_deep"), topic: text("events"), ..all.clone() }, true),
            (Selection { topic: text("events#2"), partition: Some(3), ..all.clone() }, true),
            (Selection { topic: text("events#1"), ..all.clone() }, false),
            (Selection { reason: text("too_large"), topic: text("events"), ..all.clone() }, false),
            (Selection { partition: Some(2), ..all.clone() }, false),
            (Selection { offsets: Some((40, 40)), ..all.clone() }, true),
            (Selection { offsets: Some((10, 39)), ..all.clone() }, false),
        ] {
            assert_eq!(selection.takes(&letter), takes, "{selection:?}");
        }
        let nowhere = Letter { topic: None, partition: None, offset: None, ..letter };
        assert!(all.takes(&nowhere));
        assert!(!Selection { offsets: Some((0, 99)), ..all.clone() }.takes(&nowhere));
        let since = |since| Selection { since: Some(since), ..all.clone() };
        assert!(since(Since::Batch(7)).takes_file(Slot(7), 0) && !since(Since::Batch(8)).takes_file(Slot(7), 0));
        assert!(since(Since::Millis(5)).takes_file(Slot(0), 5) && !since(Since::Millis(6)).takes_file(Slot(9), 5));
    }
}
