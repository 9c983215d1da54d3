//! Directories of tables and of the checkpoint against each other.

use crate::schema::Table;

/// Directories that lie in one another would make readers of one table see files of another, or of the checkpoint.
pub(super) fn overlaps(tables: &[Table], locations: &[String], checkpoint: &str) -> Vec<String> {
    let named = tables.iter().zip(locations).map(|(t, l)| (format!("table {}", t.name), l.as_str()));
    let all: Vec<_> = named.chain([("storage.checkpoint".to_owned(), checkpoint)]).collect();
    let mut errors = Vec::new();
    for (i, (a, dir_a)) in all.iter().enumerate() {
        for (b, dir_b) in &all[i + 1..] {
            let (short, long) = if dir_a.len() <= dir_b.len() { (dir_a, dir_b) } else { (dir_b, dir_a) };
            if long.strip_prefix(*short).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
                errors.push(format!(
                    "{a} ({dir_a}) and {b} ({dir_b}) lie in one another: give each a directory of its own"
                ));
            }
        }
    }
    errors
}
