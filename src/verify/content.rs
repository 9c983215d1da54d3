//! What a data file holds, compared with what its manifest says of it. A function of its bytes.

use std::collections::HashSet;

use bytes::Bytes;

use super::audit::FileRecord;
use crate::checkpoint::PartitionEntry;
use crate::encode::inspect::{self, PlaceColumns, RowPlace};

/// What is wrong with a file of the length that it must have; `None`: nothing.
pub fn wrong(
    bytes: &Bytes,
    file: &FileRecord,
    partitions: &[PartitionEntry],
    columns: Option<&PlaceColumns>,
) -> Option<String> {
    let crc32c = crc32c::crc32c(bytes);
    if crc32c != file.crc32c {
        return Some(format!("its bytes have CRC-32C {crc32c:08x}, landed were {:08x}", file.crc32c));
    }
    let found = match inspect::whole(bytes.clone(), columns) {
        Ok(found) => found,
        Err(e) => return Some(format!("it cannot be decoded, although its bytes are those that were landed: {e}")),
    };
    if found.rows != file.rows {
        return Some(format!("it has {} rows, its manifest says {}", found.rows, file.rows));
    }
    wrong_place(&found.places, partitions)
}

/// The first row that is not of the batch, or there twice.
fn wrong_place(places: &[RowPlace], partitions: &[PartitionEntry]) -> Option<String> {
    let mut seen = HashSet::with_capacity(places.len());
    for row in places {
        let mut of = partitions.iter().filter(|p| i64::from(p.p) == row.partition && is_topic(p, &row.topic));
        let inside = |p: &PartitionEntry| (p.start.0..p.end.0).contains(&row.offset);
        let label = || format!("{}[{}]@{}", row.topic, row.partition, row.offset);
        let candidates: Vec<_> = of.by_ref().filter(|p| inside(p)).collect();
        match candidates.len() {
            0 => return Some(format!("it has a row of {}, which its batch did not read", label())),
            // Without a topic column, rows of two topics may look the same.
            1 if !seen.insert(row) => return Some(format!("it has two rows of {}", label())),
            _ => {}
        }
    }
    None
}

fn is_topic(p: &PartitionEntry, name: &str) -> bool {
    match p.incarnation {
        _ if name.is_empty() => true,
        0 => name == p.topic,
        n => name == format!("{}#{n}", p.topic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Offset;

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
        let one = [partition("events", 0)];
        assert_eq!(wrong_place(&[row("events", 5), row("events", 7)], &one), None);
        assert_eq!(wrong_place(&[row("", 5), row("", 5)], &one).unwrap(), "it has two rows of [0]@5");
        assert!(wrong_place(&[row("events", 8)], &one).unwrap().contains("events[0]@8"));
        assert!(wrong_place(&[row("events#1", 5)], &one).is_some());
        assert_eq!(wrong_place(&[row("events#1", 5)], &[partition("events", 1)]), None);
        let two = [partition("events", 0), partition("others", 0)];
        assert_eq!(wrong_place(&[row("", 5), row("", 5)], &two), None, "of two topics, for all that can be told");
    }
}
