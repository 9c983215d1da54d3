//! The data files that the log names, compared with those that a directory holds. Facts in, findings out.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::finding::{Finding, Kind};
use crate::checkpoint::{FileEntry, Layout, Manifest, TableTotal};
use crate::model::{BatchId, Slot};
use crate::storage::Entry;

/// A data file of a manifest. Small: a log of months has millions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRecord {
    /// Its slot.
    pub slot: Slot,
    /// Its index in the batch.
    pub k: u32,
    /// First 32 bits of the batch's id.
    pub id: u32,
    /// Rows.
    pub rows: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// CRC-32C of the bytes.
    pub crc32c: u32,
    /// Whether it was still in its slot when that was read.
    pub left: bool,
}

impl FileRecord {
    /// File `k` of a manifest.
    pub fn of(slot: Slot, manifest: &Manifest, k: usize, file: &FileEntry, left: bool) -> FileRecord {
        FileRecord {
            slot,
            k: u32::try_from(k).unwrap_or(u32::MAX),
            id: u32::from_str_radix(&manifest.batch.short(), 16).unwrap_or(0),
            rows: file.rows,
            bytes: file.bytes,
            crc32c: u32::from_str_radix(&file.crc32c, 16).unwrap_or(0),
            left,
        }
    }

    /// Its name in the table.
    pub fn name(&self) -> String {
        let id = BatchId(Uuid::from_u128(u128::from(self.id) << 96));
        Layout::table_file_name(self.slot, self.k as usize, id)
    }
}

/// A directory into which a table's files were published: the table's, or that of a partition.
#[derive(Debug, Clone)]
pub struct Place {
    /// The table.
    pub table: String,
    /// The directory.
    pub dir: String,
    /// The table's directory: this one, or one above it.
    pub root: String,
    /// Whether it is the table's directory today.
    pub current: bool,
    /// The files of all slots that were read, in their order.
    pub files: Vec<FileRecord>,
}

impl Place {
    /// The table's directory itself, with no files yet.
    pub fn whole(table: &str, dir: &str, current: bool) -> Place {
        Place { table: table.to_owned(), dir: dir.to_owned(), root: dir.to_owned(), current, files: Vec::new() }
    }

    /// The partition, or the beginning of its name: the directory below the table's; empty for that one.
    pub fn partition(&self) -> &str {
        self.dir.strip_prefix(&self.root).unwrap_or_default().trim_start_matches('/')
    }
}

/// Which slots were read.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// The first slot that still has a manifest.
    pub oldest: Slot,
    /// The first slot that was free when the log had been read.
    pub read_to: Slot,
    /// The first slot that was free after the tables were listed.
    pub grown_to: Slot,
    /// Slots that are gone: from, and up to but not including.
    pub lost: Vec<(Slot, Slot)>,
}

/// What is in a table's directory and not in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// Its name.
    pub name: String,
    /// Its length; `None` for a directory.
    pub len: Option<u64>,
}

/// What a place holds.
#[derive(Debug, Default)]
pub struct Listed {
    /// Whether the directory is there.
    pub is_there: bool,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What is still to be judged, by [`judge`].
    pub suspects: Vec<Suspect>,
    /// Data files of the slots that were read.
    pub known: TableTotal,
    /// Data files of slots whose manifests are gone: number and bytes.
    pub old: TableTotal,
    /// Their names, for a deep audit.
    pub old_names: Vec<String>,
    /// Files of slots that are missing from the log.
    pub of_lost_slots: u64,
}

/// Compares a place with its listing; `None`: the directory is not there.
pub fn compare(place: &Place, listing: Option<&[Entry]>, bounds: &Bounds) -> Listed {
    let mut out = Listed::default();
    let Some(listing) = listing else {
        // A table that got no rows yet has its directory made by the next start.
        if !place.files.is_empty() {
            let what = format!("the directory is gone, and with it {} data files", place.files.len());
            out.findings.push(Finding::new(Kind::MissingDirectory, &place.dir, what).of_table(&place.table));
        }
        return out;
    };
    out.is_there = true;
    let mut seen = vec![false; place.files.len()];
    let mut last_old = None;
    for entry in listing.iter().filter(|e| !e.name.starts_with(['_', '.'])) {
        let parsed = if entry.is_dir { None } else { Layout::parse_table_file_name(&entry.name) };
        let suspect = Suspect { name: entry.name.clone(), len: (!entry.is_dir).then_some(entry.len) };
        let Some((slot, k, id)) = parsed else {
            out.suspects.push(suspect);
            continue;
        };
        if slot < bounds.oldest {
            if last_old.replace((slot, k)) == Some((slot, k)) {
                let what = format!("file {k} of slot {} stands here twice: a batch has it once", slot.0);
                out.findings.push(at(place, &entry.name, Kind::DoubledFile, what).of_slot(slot));
                continue;
            }
            out.old.files += 1;
            out.old.bytes += entry.len;
            out.old_names.push(entry.name.clone());
        } else if slot >= bounds.read_to && slot < bounds.grown_to {
            // Landed since: the next audit looks at it.
        } else if bounds.lost.iter().any(|(from, to)| (*from..*to).contains(&slot)) {
            out.of_lost_slots += 1;
        } else {
            let key = (slot, u32::try_from(k).unwrap_or(u32::MAX));
            match place.files.binary_search_by_key(&key, |f| (f.slot, f.k)) {
                Ok(at) if place.files[at].id == id => {
                    seen[at] = true;
                    out.known.files += 1;
                    out.known.bytes += entry.len;
                    out.findings.extend(compare_length(place, &place.files[at], entry.len));
                }
                _ => out.suspects.push(suspect),
            }
        }
    }
    for (file, _) in place.files.iter().zip(seen).filter(|(file, seen)| !seen && !file.left) {
        let what =
            format!("the file is gone: {} rows, {} bytes that slot {} landed", file.rows, file.bytes, file.slot.0);
        out.findings.push(at(place, &file.name(), Kind::MissingFile, what).of_slot(file.slot));
    }
    out
}

fn at(place: &Place, name: &str, kind: Kind, what: String) -> Finding {
    Finding::new(kind, format!("{}/{name}", place.dir), what).of_table(&place.table)
}

fn compare_length(place: &Place, file: &FileRecord, len: u64) -> Option<Finding> {
    let kind = match len.cmp(&file.bytes) {
        std::cmp::Ordering::Less => Kind::TruncatedFile,
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Greater => Kind::LongerFile,
    };
    let what = format!("the file has {len} bytes, {} were landed ({} rows)", file.bytes, file.rows);
    Some(at(place, &file.name(), kind, what).of_slot(file.slot))
}

/// Whether some file of the log is as long as this: then it is worth to compare the bytes.
pub fn may_be_a_copy(places: &[Place], suspect: &Suspect) -> bool {
    suspect.len.is_some_and(|len| places.iter().any(|p| p.files.iter().any(|f| f.bytes == len)))
}

/// What a suspect is; `crc32c` of its bytes, if they were read; `missing`: paths of files that are not where they belong.
pub fn judge(
    places: &[Place],
    place: &Place,
    suspect: &Suspect,
    crc32c: Option<u32>,
    missing: &BTreeSet<String>,
) -> Finding {
    let Some(len) = suspect.len else {
        let what = "landfall makes no such directory in the table's, and some readers look into it";
        return at(place, &suspect.name, Kind::ForeignFile, what.to_owned());
    };
    let same = |f: &&FileRecord| f.bytes == len && Some(f.crc32c) == crc32c;
    let originals = places.iter().flat_map(|p| p.files.iter().filter(same).map(move |f| (p, f)));
    let home = |(of, file): (&Place, &FileRecord)| format!("{}/{}", of.dir, file.name());
    if let Some(original) = originals.clone().find(|original| missing.contains(&home(*original))) {
        let (home, rows) = (home(original), original.1.rows);
        let what = format!("it is the file {home}, which is missing there: its {rows} rows are seen here");
        let strayed = at(place, &suspect.name, Kind::ForeignFile, what).of_slot(original.1.slot);
        return strayed.advise(&format!("move it back to {home}; do not delete it, there is no other copy"));
    }
    if let Some(original) = originals.clone().next() {
        let what = format!("it has the bytes of {}: its {} rows are seen twice", home(original), original.1.rows);
        return at(place, &suspect.name, Kind::DoubledFile, what).of_slot(original.1.slot);
    }
    // Cut, or of an epoch whose manifests are gone: its name tells whose copy it is.
    let named = place.files.iter().find(|f| suspect.name.starts_with(file_stem(&f.name())));
    if let Some(file) = named {
        let what = format!("by its name it is a copy of {}, which has {} bytes; it has {len}", file.name(), file.bytes);
        return at(place, &suspect.name, Kind::DoubledFile, what).of_slot(file.slot);
    }
    let what = format!("the log knows no such file ({len} bytes), and readers take every file for rows of the table");
    at(place, &suspect.name, Kind::ForeignFile, what)
}

fn file_stem(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Compares the files of deleted epochs, in all places of a table, with what the log has kept of them: its totals.
pub fn compare_old(table: &str, dir: &str, oldest: Slot, found: TableTotal, expected: TableTotal) -> Option<Finding> {
    if (found.files, found.bytes) == (expected.files, expected.bytes) {
        return None;
    }
    let what = format!(
        "of the slots before {}, whose manifests are deleted, it holds {} files with {} bytes; the log landed {} with {}",
        oldest.0, found.files, found.bytes, expected.files, expected.bytes
    );
    Some(Finding::new(Kind::WrongTotals, dir, what).of_table(table))
}

/// The same for their rows, which only a deep audit counts.
pub fn wrong_old_rows(table: &str, dir: &str, oldest: Slot, found: u64, expected: u64) -> Finding {
    let what = format!(
        "of the slots before {}, whose manifests are deleted, its files hold {found} rows; the log landed {expected}",
        oldest.0
    );
    Finding::new(Kind::WrongTotals, dir, what).of_table(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(slot: u64, left: bool) -> FileRecord {
        FileRecord { slot: Slot(slot), k: 0, id: 0x1b9d6bcd, rows: 5, bytes: 100 + slot, crc32c: 7, left }
    }

    fn place(files: Vec<FileRecord>) -> Place {
        Place { files, ..Place::whole("a", "/tables/a", true) }
    }

    fn entry(name: &str, len: u64) -> Entry {
        Entry { name: name.to_owned(), is_dir: false, len, modified_ms: 0 }
    }

    fn bounds(oldest: u64, read_to: u64, grown_to: u64) -> Bounds {
        Bounds { oldest: Slot(oldest), read_to: Slot(read_to), grown_to: Slot(grown_to), lost: Vec::new() }
    }

    fn kinds(listed: &Listed) -> Vec<(Kind, Option<u64>)> {
        listed.findings.iter().map(|f| (f.kind, f.slot)).collect()
    }

    #[test]
    fn files_are_compared_by_slot_index_id_and_length() {
        let place = place(vec![file(3, false), file(4, false), file(5, false), file(6, true)]);
        let other = "000000000005-0-00000000.snappy.parquet";
        let listing = [
            entry("_owner.json", 1),
            entry("000000000003-0-1b9d6bcd.snappy.parquet", 103),
            entry("000000000004-0-1b9d6bcd.snappy.parquet", 50),
            entry(other, 105),
            entry("000000000007-0-1b9d6bcd.snappy.parquet", 9),
            entry("000000000008-0-1b9d6bcd.snappy.parquet", 9),
        ];
        let listed = compare(&place, Some(&listing), &bounds(3, 7, 8));
        assert_eq!(kinds(&listed), [(Kind::TruncatedFile, Some(4)), (Kind::MissingFile, Some(5))]);
        let suspects: Vec<_> = listed.suspects.iter().map(|s| &*s.name).collect();
        assert_eq!(suspects, [other, "000000000008-0-1b9d6bcd.snappy.parquet"], "slot 7 is newer, slot 8 is nobody's");
    }

    #[test]
    fn files_of_deleted_epochs_are_counted_and_a_double_is_seen() {
        let listing = [
            entry("000000000001-0-1b9d6bcd.snappy.parquet", 10),
            entry("000000000001-0-2b9d6bcd.snappy.parquet", 10),
            entry("000000000002-0-1b9d6bcd.snappy.parquet", 10),
        ];
        let listed = compare(&place(Vec::new()), Some(&listing), &bounds(3, 3, 3));
        assert_eq!(kinds(&listed), [(Kind::DoubledFile, Some(1))]);
        let expected = TableTotal { files: 2, rows: 9, bytes: 20 };
        assert_eq!(compare_old("a", "/tables/a", Slot(3), listed.old, expected), None);
        let more = TableTotal { files: 3, ..expected };
        assert_eq!(compare_old("a", "/tables/a", Slot(3), listed.old, more).unwrap().kind, Kind::WrongTotals);
    }

    #[test]
    fn a_copy_is_known_by_its_bytes_or_its_name() {
        let places = [place(vec![file(3, false)])];
        let suspect = |name: &str, len| Suspect { name: name.to_owned(), len };
        let none = BTreeSet::new();
        let kind = |s: &Suspect, crc| judge(&places, &places[0], s, crc, &none).kind;
        let copy = suspect("copy.parquet", Some(103));
        assert!(may_be_a_copy(&places, &copy));
        assert_eq!((kind(&copy, Some(7)), kind(&copy, Some(8))), (Kind::DoubledFile, Kind::ForeignFile));
        let home = format!("/tables/a/{}", places[0].files[0].name());
        let strayed = judge(&places, &places[0], &copy, Some(7), &[home.clone()].into());
        assert!(strayed.kind == Kind::ForeignFile && strayed.todo.contains(&home), "{strayed}");
        assert_eq!(kind(&suspect("000000000003-0-1b9d6bcd.copy.parquet", Some(1)), None), Kind::DoubledFile);
        assert_eq!(kind(&suspect("part=1", None), None), Kind::ForeignFile);
    }
}
