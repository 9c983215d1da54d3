//! What a data file holds, compared with what its manifest says of it. A function of its bytes.

use std::collections::HashSet;

use bytes::Bytes;

use super::audit::FileRecord;
use crate::checkpoint::{PartitionEntry, ReplayEntry, Replayed, topic_of_row};
use crate::encode::inspect::{self, Inspected, PlaceColumns, RowPlace};
use crate::model::Offset;

/// Where the rows of a file may come from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// What its batch read.
    pub partitions: Vec<PartitionEntry>,
    /// The dead letters that its batch lands.
    pub replay: Vec<ReplayEntry>,
    /// The dead letters that the job has landed after all.
    pub replayed: Replayed,
    /// Whether it is a file of the dead-letter table, where the rows of these stay.
    pub dead_letters: bool,
}

/// What a file of the length that it must have holds; or what is wrong with it.
pub fn inspect(
    bytes: &Bytes,
    file: &FileRecord,
    origin: &Origin,
    columns: Option<&PlaceColumns>,
) -> Result<Inspected, String> {
    let crc32c = crc32c::crc32c(bytes);
    if crc32c != file.crc32c {
        return Err(format!("its bytes have CRC-32C {crc32c:08x}, landed were {:08x}", file.crc32c));
    }
    let found = inspect::whole(bytes.clone(), columns)
        .map_err(|e| format!("it cannot be decoded, although its bytes are those that were landed: {e}"))?;
    if found.rows != file.rows {
        return Err(format!("it has {} rows, its manifest says {}", found.rows, file.rows));
    }
    match wrong_place(&found.places, origin) {
        None => Ok(found),
        Some(what) => Err(what),
    }
}

/// The first row that is not of the batch, or there twice.
fn wrong_place(places: &[RowPlace], origin: &Origin) -> Option<String> {
    let letters = Replayed::of(&origin.replay);
    let mut seen = HashSet::with_capacity(places.len());
    for row in places {
        let label = || format!("{}[{}]@{}", row.topic, row.partition, row.offset);
        let read = origin.partitions.iter().filter(|p| {
            let inside = (p.start.0..p.end.0).contains(&row.offset);
            inside && i64::from(p.p) == row.partition && is_topic(&p.topic, p.incarnation, &row.topic)
        });
        let replayed = origin.replay.iter().filter(|e| {
            let inside = letters.contains(&e.topic, e.incarnation, e.p, row.offset);
            inside && i64::from(e.p) == row.partition && is_topic(&e.topic, e.incarnation, &row.topic)
        });
        let (read, replayed) = (read.count(), replayed.count());
        match read + replayed {
            0 => return Some(format!("it has a row of {}, which its batch did not read", label())),
            // Without a topic column, rows of two topics may look the same.
            1 if !seen.insert(row) => return Some(format!("it has two rows of {}", label())),
            _ => {}
        }
        if read > 0 && !origin.dead_letters && !row.topic.is_empty() && is_letter(row, &origin.replayed) {
            return Some(format!("it has a row of {}, which was landed as a dead letter, and replayed", label()));
        }
    }
    None
}

/// Takes the dead letters of some rows out of those that were replayed.
pub fn found_letters(places: &[RowPlace], replayed: &mut Replayed) {
    for row in places {
        if !is_letter(row, replayed) {
            continue;
        }
        let (topic, incarnation) = topic_of_row(&row.topic);
        let (from, to) = (Offset(row.offset), Offset::after(row.offset));
        let p = i32::try_from(row.partition).unwrap_or(-1);
        replayed.remove(&ReplayEntry { topic: topic.to_owned(), p, incarnation, offsets: vec![(from, to)] });
    }
}

fn is_letter(row: &RowPlace, replayed: &Replayed) -> bool {
    let (topic, incarnation) = topic_of_row(&row.topic);
    i32::try_from(row.partition).is_ok_and(|p| replayed.contains(topic, incarnation, p, row.offset))
}

fn is_topic(topic: &str, incarnation: u32, name: &str) -> bool {
    name.is_empty() || topic_of_row(name) == (topic, incarnation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_lie_within_the_ranges_of_their_batch_and_occur_once() {
        let partition = |topic: &str, incarnation| PartitionEntry {
            topic: topic.to_owned(),
            p: 0,
            incarnation,
            start: Offset(5),
            end: Offset(8),
            records: 3,
            tail: None,
        };
        let row = |topic: &str, offset| RowPlace { topic: topic.to_owned(), partition: 0, offset };
        let of = |partitions: &[PartitionEntry]| Origin {
            partitions: partitions.to_vec(),
            replay: Vec::new(),
            replayed: Replayed::default(),
            dead_letters: false,
        };
        let one = of(&[partition("events", 0)]);
        assert_eq!(wrong_place(&[row("events", 5), row("events", 7)], &one), None);
        assert_eq!(wrong_place(&[row("", 5), row("", 5)], &one).unwrap(), "it has two rows of [0]@5");
        assert!(wrong_place(&[row("events", 8)], &one).unwrap().contains("events[0]@8"));
        assert!(wrong_place(&[row("events#1", 5)], &one).is_some());
        assert_eq!(wrong_place(&[row("events#1", 5)], &of(&[partition("events", 1)])), None);
        let two = of(&[partition("events", 0), partition("others", 0)]);
        assert_eq!(wrong_place(&[row("", 5), row("", 5)], &two), None, "of two topics, for all that can be told");
    }

    #[test]
    fn a_replayed_row_occurs_once_beside_its_dead_letter() {
        let row = |topic: &str, offset| RowPlace { topic: topic.to_owned(), partition: 0, offset };
        let entry = |incarnation, from, to| ReplayEntry {
            topic: "events".to_owned(),
            p: 0,
            incarnation,
            offsets: vec![(Offset(from), Offset(to))],
        };
        let replay = vec![entry(0, 5, 7), entry(1, 2, 3)];
        let replayed = Replayed::of(&replay);
        let replaying = Origin { partitions: Vec::new(), replay, replayed: replayed.clone(), dead_letters: false };
        assert_eq!(wrong_place(&[row("events", 5), row("events#1", 2), row("", 6)], &replaying), None);
        assert!(wrong_place(&[row("events", 2)], &replaying).unwrap().contains("which its batch did not read"));
        assert!(wrong_place(&[row("events", 5), row("events", 5)], &replaying).unwrap().contains("two rows"));
        let read = PartitionEntry {
            topic: "events".to_owned(),
            p: 0,
            incarnation: 0,
            start: Offset(0),
            end: Offset(9),
            records: 9,
            tail: None,
        };
        let origin = |dead_letters| Origin {
            partitions: vec![read.clone()],
            replay: Vec::new(),
            replayed: replayed.clone(),
            dead_letters,
        };
        assert_eq!(wrong_place(&[row("events", 4), row("events", 5)], &origin(true)), None, "its dead letter stays");
        let twice = wrong_place(&[row("events", 4), row("events", 5)], &origin(false)).unwrap();
        assert!(twice.contains("events[0]@5, which was landed as a dead letter"), "{twice}");
        let mut left = replayed;
        found_letters(&[row("events", 5), row("events", 6), row("events", 7)], &mut left);
        assert_eq!(left.entries(), [entry(1, 2, 3)]);
    }
}
