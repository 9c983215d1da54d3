//! What is wrong with a definition before the metastore says so late, or not at all.

use std::collections::BTreeSet;

use super::compare::purges;
use super::port::CatalogTable;
use crate::schema::names::unfit_column;

/// Room in the metastore's database, in characters.
const MAX_DATABASE: usize = 128;
const MAX_TABLE: usize = 256;
const MAX_COMMENT: usize = 256;
const MAX_PROPERTY: usize = 4000;
const MAX_PROPERTY_NAME: usize = 256;
const MAX_LOCATION: usize = 4000;
/// Of schemas before Hive 2.3; newer ones have room for any.
const MAX_TYPE: usize = 4000;

/// What the metastore would answer only after 20 s of retries, or accept and break readers later.
pub fn validate(table: &CatalogTable) -> Vec<String> {
    let mut out = Vec::new();
    let mut seen = BTreeSet::new();
    if table.columns.is_empty() {
        out.push("the table has no column".to_owned());
    }
    let names = table.columns.iter().chain(&table.partition_keys).map(|(n, _)| n);
    for (i, name) in names.enumerate() {
        if let Some(wrong) = unfit_column(name) {
            out.push(format!("column name {name:?} {wrong}"));
        }
        if !seen.insert(name.to_lowercase()) {
            out.push(match i < table.columns.len() {
                true => format!("column {name} is there twice (case does not count)"),
                false => format!("partition key {name} is also a column: leave it out of the columns"),
            });
        }
    }
    for (name, most) in [(&table.database, MAX_DATABASE), (&table.name, MAX_TABLE)] {
        if name.len() > most {
            out.push(format!("{name:.40}… is longer than {most} characters"));
        }
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            out.push(format!("{name:?} is no name of a table or database: use letters, digits and _"));
        }
    }
    for (key, value) in &table.properties {
        if value.chars().count() > MAX_PROPERTY {
            out.push(format!("property {key} is longer than {MAX_PROPERTY} characters"));
        }
        if key.chars().count() > MAX_PROPERTY_NAME {
            out.push(format!("the name of property {key:.40}… is longer than {MAX_PROPERTY_NAME} characters"));
        }
    }
    for (column, _) in table.comments.iter().filter(|(_, comment)| comment.chars().count() > MAX_COMMENT) {
        out.push(format!("the comment of column {column} is longer than {MAX_COMMENT} characters"));
    }
    if table.location.chars().count() > MAX_LOCATION {
        out.push(format!("location {:.40}… is longer than {MAX_LOCATION} characters", table.location));
    }
    if purges(table) {
        out.push("external.table.purge=true would let a drop delete the files: leave it out".to_owned());
    }
    out
}

/// What some metastores cannot hold.
pub fn warnings(table: &CatalogTable) -> Vec<String> {
    let long = |(name, hive_type): &(String, String)| {
        let length = hive_type.chars().count();
        (length > MAX_TYPE).then(|| {
            format!(
                "the type of column {name} has {length} characters: a metastore whose database has the schema of Hive 2.2 \
                 or older has room for {MAX_TYPE}"
            )
        })
    };
    table.columns.iter().filter_map(long).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[&str], keys: &[&str]) -> CatalogTable {
        CatalogTable {
            database: "default".into(),
            name: "t".into(),
            columns: columns.iter().map(|c| (c.to_string(), "string".to_owned())).collect(),
            comments: Default::default(),
            partition_keys: keys.iter().map(|k| (k.to_string(), "string".to_owned())).collect(),
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
    fn what_has_no_room_in_the_metastore_is_found() {
        let mut t = table(&["a"], &[]);
        t.comments.insert("a".into(), "é".repeat(256));
        t.columns[0].1 = format!("struct<{}:int>", "x".repeat(3988));
        assert_eq!((validate(&t), warnings(&t)), (vec![], vec![]));
        t.comments.insert("a".into(), "é".repeat(257));
        t.columns[0].1.push(' ');
        t.location = "/".repeat(4001);
        t.name = "t".repeat(257);
        assert_eq!((validate(&t).len(), warnings(&t).len()), (3, 1), "{:?} {:?}", validate(&t), warnings(&t));
    }
}
