//! Which migrations made a table: the record that stands in its properties, and how ours stand to it. Pure.

use crate::schema::Applied;

/// The property of a table that names the migrations that made it: `0001:1f2e3d4c 0005:00c0ffee`.
pub const RECORD: &str = "landfall.migrations";

/// The record of these migrations.
pub(super) fn record(applied: &[Applied]) -> String {
    applied.iter().map(entry).collect::<Vec<_>>().join(" ")
}

fn entry(a: &Applied) -> String {
    format!("{}:{:08x}", a.number, a.checksum)
}

/// How our migrations of a table stand to those that its record names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// They are the same, or ours are these and more.
    Applied,
    /// The record has newer ones, of these numbers.
    Behind(Vec<String>),
    /// One of them was edited, renumbered, removed or put before others. One sentence each.
    Broken(Vec<String>),
}

/// Compares our migrations, of which there is at least one, with a record.
pub(super) fn compare(ours: &[Applied], recorded: &str) -> Standing {
    let Some(theirs) = parse(recorded) else {
        return Standing::Broken(vec![format!(
            "its property {RECORD} = '{recorded}' is not as landfall writes it ('0001:1f2e3d4c 0002:…'): set it back, or \
             unset it, and the table is compared by its columns alone"
        )]);
    };
    let entries: Vec<_> = ours.iter().map(entry).collect();
    let same = entries.iter().zip(&theirs).take_while(|(a, (number, checksum))| **a == format!("{number}:{checksum}"));
    let same = same.count();
    if same == theirs.len() {
        return Standing::Applied;
    }
    if same == ours.len() {
        return Standing::Behind(theirs[same..].iter().map(|(number, _)| (*number).to_owned()).collect());
    }
    let mut wrong = Vec::new();
    for (number, checksum) in &theirs[same..] {
        let moved = || {
            let same_text = |a: &&Applied| format!("{:08x}", a.checksum) == *checksum;
            ours[same..].iter().filter(same_text).find(|a| !theirs.iter().any(|(n, _)| *n == a.number))
        };
        match ours.iter().find(|a| a.number == *number) {
            Some(a) if format!("{:08x}", a.checksum) == *checksum => {}
            Some(a) => wrong.push(format!(
                "{} was edited after it was applied (recorded is {number}:{checksum}, it is now {}): put it back as it \
                 was, and write the change as a new migration",
                a.file,
                entry(a)
            )),
            None => wrong.push(match moved() {
                Some(a) => format!("{} was applied as number {number}: give it that number again", a.file),
                None => format!(
                    "migration {number} (recorded as {number}:{checksum}) was applied and is gone: put its file back"
                ),
            }),
        }
    }
    // What is not recorded must come after all that is.
    let last = theirs.last().map_or("", |(number, _)| number);
    let renumbered = |a: &Applied| theirs.iter().any(|(_, checksum)| format!("{:08x}", a.checksum) == *checksum);
    for a in ours.iter().filter(|a| a.number.as_str() < last && !theirs.iter().any(|(n, _)| *n == a.number)) {
        if !renumbered(a) {
            wrong
                .push(format!("{} comes before {last}, which is applied already: give it a number after that", a.file));
        }
    }
    Standing::Broken(wrong)
}

fn parse(recorded: &str) -> Option<Vec<(&str, &str)>> {
    let entries: Option<Vec<_>> = recorded.split_whitespace().map(|e| e.split_once(':')).collect();
    let sound = |(number, checksum): &(&str, &str)| {
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        number.len() == 4
            && number.chars().all(|c| c.is_ascii_digit())
            && checksum.len() == 8
            && checksum.chars().all(hex)
    };
    entries.filter(|e| !e.is_empty() && e.iter().all(sound) && e.is_sorted_by(|a, b| a.0 < b.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(migrations: &[(&str, u32)]) -> Vec<Applied> {
        let one = |(number, checksum): &(&str, u32)| Applied {
            file: format!("{number}_x.sql"),
            number: (*number).to_owned(),
            checksum: *checksum,
            columns: 1,
        };
        migrations.iter().map(one).collect()
    }

    fn broken(migrations: &[(&str, u32)], recorded: &str) -> Vec<String> {
        match compare(&ours(migrations), recorded) {
            Standing::Broken(wrong) => wrong,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_record_names_numbers_and_checksums() {
        let all = ours(&[("0001", 0x1f2e_3d4c), ("0005", 0xc0_ffee)]);
        assert_eq!(record(&all), "0001:1f2e3d4c 0005:00c0ffee");
        assert_eq!(compare(&all, &record(&all)), Standing::Applied);
        assert_eq!(compare(&all, "0001:1f2e3d4c"), Standing::Applied);
        assert_eq!(compare(&all[..1], &record(&all)), Standing::Behind(vec!["0005".into()]));
    }

    #[test]
    fn an_edited_a_renumbered_a_missing_and_an_early_one_are_told() {
        let edited = broken(&[("0001", 2), ("0002", 3)], "0001:00000001");
        assert_eq!(
            edited,
            [
                "0001_x.sql was edited after it was applied (recorded is 0001:00000001, it is now 0001:00000002): put it back \
              as it was, and write the change as a new migration"
            ]
        );
        let renumbered = broken(&[("0001", 1), ("0004", 2)], "0001:00000001 0003:00000002");
        assert_eq!(renumbered, ["0004_x.sql was applied as number 0003: give it that number again"]);
        let renumbered = broken(&[("0001", 1), ("0002", 2)], "0001:00000001 0003:00000002");
        assert_eq!(renumbered, ["0002_x.sql was applied as number 0003: give it that number again"]);
        let missing = broken(&[("0001", 1), ("0005", 3)], "0001:00000001 0003:00000002 0005:00000003");
        assert_eq!(missing, ["migration 0003 (recorded as 0003:00000002) was applied and is gone: put its file back"]);
        let early = broken(&[("0001", 1), ("0002", 9), ("0003", 2)], "0001:00000001 0003:00000002");
        assert_eq!(early, ["0002_x.sql comes before 0003, which is applied already: give it a number after that"]);
        // two teams, each with a migration of its own
        let fork = broken(&[("0001", 1), ("0003", 7)], "0001:00000001 0002:00000002");
        assert!(fork.len() == 1 && fork[0].contains("0002 (recorded"), "{fork:?}");
    }

    #[test]
    fn a_record_that_somebody_has_changed_is_told() {
        for text in ["", "x", "0001", "0001:1", "0001:0000000g", "1:00000001", "0002:00000001 0001:00000001"] {
            let wrong = broken(&[("0001", 1)], text);
            assert!(wrong.len() == 1 && wrong[0].contains("is not as landfall writes it"), "{text}: {wrong:?}");
        }
    }
}
