//! What is wrong with a definition before the metastore says so late, or not at all.

use std::collections::BTreeSet;

use super::port::CatalogTable;
use super::reconcile::purges;
use crate::schema::{Column, Table};

/// Characters of column names that some reader fails on: Presto's filters on the first four, Hive's and Spark's
/// Parquet schema on the others and on white space.
const UNFIT: &str = ",`'\";{}()=";

/// What the metastore would answer only after 20 s of retries, or accept and break readers later.
pub fn validate(table: &CatalogTable) -> Vec<String> {
    let mut out = Vec::new();
    let mut seen = BTreeSet::new();
    if table.columns.is_empty() {
        out.push("the table has no column".to_owned());
    }
    let names = table.columns.iter().map(|(n, _)| n).chain(&table.partition_keys);
    for (i, name) in names.enumerate() {
        let bad: String = name.chars().filter(|c| UNFIT.contains(*c) || c.is_whitespace() || c.is_control()).collect();
        if name.is_empty() || !bad.is_empty() {
            out.push(format!("column name {name:?} is not fit for all readers: leave out {bad:?}"));
        }
        if !seen.insert(name.to_lowercase()) {
            out.push(match i < table.columns.len() {
                true => format!("column {name} is there twice (case does not count)"),
                false => format!("partition key {name} is also a column: leave it out of the columns"),
            });
        }
    }
    for name in [&table.database, &table.name] {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            out.push(format!("{name:?} is no name of a table or database: use letters, digits and _"));
        }
    }
    for (key, value) in &table.properties {
        if value.chars().count() > 4000 {
            out.push(format!("property {key} is longer than 4000 characters"));
        }
        if key.chars().count() > 256 {
            out.push(format!("the name of property {key:.40}… is longer than 256 characters"));
        }
    }
    if purges(table) {
        out.push("external.table.purge=true would let a drop delete the files: leave it out".to_owned());
    }
    out
}

/// The same for what a declared table has and its catalog entry has not: comments of columns.
pub fn validate_comments(table: &Table) -> Vec<String> {
    let long = |c: &&Column| c.comment.as_ref().is_some_and(|t| t.chars().count() > 256);
    table
        .columns
        .iter()
        .filter(long)
        .map(|c| format!("the comment of column {} is longer than 256 characters", c.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::HiveType;

    fn table(columns: &[&str], keys: &[&str]) -> CatalogTable {
        CatalogTable {
            database: "default".into(),
            name: "t".into(),
            columns: columns.iter().map(|c| (c.to_string(), "string".to_owned())).collect(),
            comments: Default::default(),
            partition_keys: keys.iter().map(|k| k.to_string()).collect(),
            location: "hdfs://nn/t".into(),
            external: true,
            parquet: true,
            properties: Default::default(),
        }
    }

    #[test]
    fn common_names_pass() {
        let t = table(&["user-agent", "timestamp", "größe", "select", "@timestamp", "a.b", "a/b", "1a", "_a"], &["dt"]);
        assert_eq!(validate(&t), [""; 0]);
    }

    #[test]
    fn what_breaks_late_is_found_early() {
        assert_eq!(validate(&table(&["a", "A"], &[])), ["column A is there twice (case does not count)"]);
        assert_eq!(
            validate(&table(&["a", "dt"], &["dt"])),
            ["partition key dt is also a column: leave it out of the columns"]
        );
        for name in ["a,b", "a`b", "a\"b", "a'b", "a b", "a;b", ""] {
            assert_eq!(validate(&table(&[name], &[])).len(), 1, "{name}");
        }
        assert_eq!(validate(&table(&[], &[])), ["the table has no column"]);
        let mut t = table(&["a"], &[]);
        t.name = "a-b".into();
        t.properties.insert("k".into(), "x".repeat(4001));
        t.properties.insert("External.Table.Purge".into(), "true".into());
        let found = validate(&t);
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn a_long_comment_is_found() {
        let column = |comment: String| Column {
            name: "c".into(),
            physical_name: "c".into(),
            hive_type: HiveType::Int,
            comment: Some(comment),
        };
        let mut t = Table {
            database: None,
            name: "t".into(),
            columns: vec![column("é".repeat(256))],
            location: "/t".into(),
            properties: Default::default(),
            comment: None,
            migration: "0001.sql".into(),
            applied: vec![],
        };
        assert!(validate_comments(&t).is_empty());
        t.columns.push(column("é".repeat(257)));
        assert_eq!(validate_comments(&t), ["the comment of column c is longer than 256 characters"]);
    }
}
