//! Counts the fields of messages that no column takes. Only on request: it looks at every message once more.

use std::collections::BTreeMap;

use super::sealed::UnknownField;
use crate::decode::{Names, scan, unescape};

/// Most fields of a table that are counted one by one in a batch, and longest name of one.
const MOST: usize = 100;
const LONGEST: usize = 100;
const OTHERS: &str = "…";

/// Counts by table and field.
#[derive(Debug, Default)]
pub(super) struct UnknownFields(BTreeMap<usize, BTreeMap<String, u64>>);

impl UnknownFields {
    /// Counts the fields of `message`, a JSON object, that are not among the `known` ones of `tables`.
    pub(super) fn count(&mut self, message: &str, tables: &[usize], known: &[Names]) {
        for (key, _) in scan::fields(message.trim_start()) {
            for &table in tables {
                if known[table].find(key, 0).is_some() {
                    continue;
                }
                let name = unescape(key);
                let counts = self.0.entry(table).or_default();
                if let Some(count) = counts.get_mut(&*name) {
                    *count += 1;
                } else if counts.len() < MOST && name.len() <= LONGEST {
                    counts.insert(name.into_owned(), 1);
                } else {
                    *counts.entry(OTHERS.to_owned()).or_default() += 1;
                }
            }
        }
    }

    /// The counts, forgotten with this call; `name` is that of a table.
    pub(super) fn take<'n>(&mut self, name: impl Fn(usize) -> &'n str) -> Vec<UnknownField> {
        let tables = std::mem::take(&mut self.0).into_iter();
        let of = |(table, counts): (usize, BTreeMap<String, u64>)| {
            let table = name(table).to_owned();
            counts.into_iter().map(move |(field, count)| UnknownField { table: table.clone(), field, count })
        };
        tables.flat_map(of).collect()
    }
}

/// Adds one to the counts of a batch, of which each table has no more than it would have in one piece.
pub(super) fn add(counts: &mut Vec<UnknownField>, mut more: UnknownField) {
    let of_table = counts.iter().filter(|c| c.table == more.table && c.field != OTHERS).count();
    let same = |c: &UnknownField, field: &str| c.table == more.table && c.field == field;
    let mut at = counts.iter().position(|c| same(c, &more.field));
    if at.is_none() && of_table >= MOST {
        at = counts.iter().position(|c| same(c, OTHERS));
        OTHERS.clone_into(&mut more.field);
    }
    match at {
        Some(at) => counts[at].count += more.count,
        None => counts.push(more),
    }
}
