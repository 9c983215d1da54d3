//! The differences between a table as it is wanted and as the metastore holds it. Pure.

use std::collections::BTreeMap;

use super::port::CatalogTable;
use super::spelling::{canonical_type, same_location};

/// The differences that matter to readers of the table and to its files, each a sentence that says what to do.
/// Properties are not compared, but for the one that lets a drop delete files: the metastore adds its own.
pub fn compare(wanted: &CatalogTable, found: &CatalogTable) -> Vec<String> {
    let (mut out, missing) = differences(wanted, found);
    let table = format!("`{}`.`{}`", wanted.database, wanted.name);
    let at_end = &wanted.columns[wanted.columns.len() - missing..];
    out.extend(at_end.iter().map(|(name, hive_type)| {
        format!("column {name} is missing: a daemon adds it when nothing else differs, or alter table {table} add columns (`{name}` {hive_type})")
    }));
    out
}

/// The differences that no daemon mends, and how many columns are missing at the end.
pub(super) fn differences(wanted: &CatalogTable, found: &CatalogTable) -> (Vec<String>, usize) {
    let mut out = Vec::new();
    let table = format!("`{}`.`{}`", wanted.database, wanted.name);
    if !found.external {
        out.push(format!(
            "it is not an external table, so a drop would delete its files: \
             alter table {table} set tblproperties ('EXTERNAL'='TRUE')"
        ));
    }
    if purges(found) {
        out.push(format!(
            "external.table.purge is true, so a drop would delete its files: \
             alter table {table} set tblproperties ('external.table.purge'='false')"
        ));
    }
    if !found.parquet {
        out.push(
            "it is not a Parquet table: readers would fail on landfall's files; drop it, or choose another name".into(),
        );
    }
    if !same_location(&wanted.location, &found.location) {
        out.push(format!(
            "its location is {}, landfall writes to {}: change the migration, or alter table {table} set location '{1}', or \
             drop it there, and landfall makes it anew",
            found.location, wanted.location
        ));
    }
    let keys = |t: &CatalogTable| {
        let keys = t.partition_keys.iter().map(|(n, t)| format!("{} {}", n.to_lowercase(), canonical_type(t)));
        keys.collect::<Vec<_>>().join(", ")
    };
    if keys(wanted) != keys(found) {
        out.push(format!(
            "it is partitioned by ({}), landfall writes it partitioned by ({}): drop it, or choose another name",
            keys(found),
            keys(wanted)
        ));
    }
    let missing = compare_columns(wanted, found, &mut out);
    (out, missing)
}

/// How many columns are missing at the end; what else is different goes to `out`.
fn compare_columns(wanted: &CatalogTable, found: &CatalogTable, out: &mut Vec<String>) -> usize {
    let names = |t: &CatalogTable| t.columns.iter().map(|(n, _)| n.to_lowercase()).collect::<Vec<_>>();
    let types = |t: &CatalogTable| -> BTreeMap<String, String> {
        t.columns.iter().map(|(n, t)| (n.to_lowercase(), canonical_type(t))).collect()
    };
    let (ours, theirs) = (types(wanted), types(found));
    let last = wanted.columns.iter().rposition(|(n, _)| theirs.contains_key(&n.to_lowercase())).map_or(0, |at| at + 1);
    for name in names(wanted).into_iter().take(last) {
        let our_type = &ours[&name];
        match theirs.get(&name) {
            None => out.push(format!(
                "column {name} is missing, and others stand behind it: columns are added at the end only, so declare it \
                 there, in a migration of its own"
            )),
            Some(their_type) if their_type != our_type => out.push(format!(
                "column {name} is {their_type}, the migrations declare {our_type}: readers fail on files of another \
                 type, wider ones too: change the migration, or make a new column"
            )),
            Some(_) => {}
        }
    }
    for name in names(found) {
        if !ours.contains_key(&name) {
            let their_type = &theirs[&name];
            out.push(format!(
                "column {name} {their_type} is in no migration: declare it, or it stays null in landfall's rows"
            ));
        }
    }
    let common = |own: &CatalogTable, other: &BTreeMap<_, _>| {
        names(own).into_iter().filter(|n| other.contains_key(n)).collect::<Vec<_>>()
    };
    let (our_order, their_order) = (common(wanted, &theirs), common(found, &ours));
    if our_order != their_order {
        out.push(format!(
            "the columns are in another order, which readers by position mix up: ({}), the migrations declare ({})",
            their_order.join(", "),
            our_order.join(", ")
        ));
    }
    wanted.columns.len() - last
}

/// Whether a drop deletes the files although the table is external (Hive 4).
pub(super) fn purges(table: &CatalogTable) -> bool {
    let purge = |(k, v): (&String, &String)| {
        k.eq_ignore_ascii_case("external.table.purge") && v.trim().eq_ignore_ascii_case("true")
    };
    table.properties.iter().any(purge)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::catalog) fn table() -> CatalogTable {
        CatalogTable {
            database: "default".into(),
            name: "purchases".into(),
            columns: [("raw_event", "string"), ("user-agent", "string"), ("cost", "bigint")]
                .map(|(n, t)| (n.to_owned(), t.to_owned()))
                .to_vec(),
            comments: Default::default(),
            partition_keys: vec![],
            location: "hdfs://nn:8020/tmp/purchases".into(),
            external: true,
            parquet: true,
            properties: BTreeMap::new(),
        }
    }

    /// The differences after `change` was made to what the metastore holds.
    fn after(change: impl FnOnce(&mut CatalogTable)) -> Vec<String> {
        let mut found = table();
        change(&mut found);
        compare(&table(), &found)
    }

    #[test]
    fn each_difference_is_a_sentence_that_names_the_remedy() {
        assert_eq!(
            after(|t| drop(t.columns.pop())),
            [
                "column cost is missing: a daemon adds it when nothing else differs, or alter table `default`.`purchases` add \
              columns (`cost` bigint)"
            ]
        );
        let middle = after(|t| drop(t.columns.remove(1)));
        assert!(middle.len() == 1 && middle[0].starts_with("column user-agent is missing, and others"), "{middle:?}");
        assert_eq!(
            after(|t| t.columns.push(("x".into(), "int".into()))),
            ["column x int is in no migration: declare it, or it stays null in landfall's rows"]
        );
        assert_eq!(
            after(|t| t.columns[2].1 = "int".into()),
            [
                "column cost is int, the migrations declare bigint: readers fail on files of another type, wider ones too: \
              change the migration, or make a new column"
            ]
        );
        let reordered = after(|t| t.columns.swap(0, 2));
        assert!(
            reordered[0].contains("(cost, user-agent, raw_event), the migrations declare (raw_event,"),
            "{reordered:?}"
        );
        assert_eq!(reordered.len(), 1);
        assert!(
            after(|t| t.location = "hdfs://nn/elsewhere".into())[0].contains("its location is hdfs://nn/elsewhere")
        );
        assert!(after(|t| t.external = false)[0].contains("not an external table"));
        assert!(after(|t| t.parquet = false)[0].contains("not a Parquet table"));
        assert!(
            after(|t| t.partition_keys = vec![("dt".into(), "date".into())])[0].contains("partitioned by (dt date)")
        );
        let purge = after(|t| drop(t.properties.insert("external.table.purge".into(), "TRUE".into())));
        assert!(purge[0].contains("set tblproperties ('external.table.purge'='false')"), "{purge:?}");
    }
}
