//! Comparing a table as it is wanted with the table that the metastore holds. Pure: it decides, others act.

use std::collections::BTreeMap;

use super::port::CatalogTable;
use crate::schema::Table;

/// What is to be done about a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// The metastore does not have it.
    Create,
    /// It is as wanted.
    UpToDate,
    /// It is another one: a person must act, since landfall never changes a table. One sentence each.
    Differs(Vec<String>),
}

/// What is to be done about `wanted`, given what the metastore holds under its name.
pub fn plan(wanted: &CatalogTable, found: Option<&CatalogTable>) -> Plan {
    match found.map(|found| compare(wanted, found)) {
        None => Plan::Create,
        Some(differences) if differences.is_empty() => Plan::UpToDate,
        Some(differences) => Plan::Differs(differences),
    }
}

/// The entry that a declared table wants. `default_database` is for DDL that names none, `location` its full URI.
pub fn wanted(table: &Table, default_database: &str, location: String) -> CatalogTable {
    let mut properties = table.properties.clone();
    if let Some(comment) = &table.comment {
        properties.insert("comment".to_owned(), comment.clone());
    }
    CatalogTable {
        database: table.database.clone().unwrap_or_else(|| default_database.to_lowercase()),
        name: table.name.clone(),
        columns: table.columns.iter().map(|c| (c.physical_name.clone(), c.hive_type.to_string())).collect(),
        comments: table.columns.iter().filter_map(|c| Some((c.physical_name.clone(), c.comment.clone()?))).collect(),
        partition_keys: Vec::new(),
        location,
        external: true,
        parquet: true,
        properties,
    }
}

/// The differences that matter to readers of the table and to its files, each a sentence that says what to do.
/// Properties are not compared, but for the one that lets a drop delete files: the metastore adds its own.
pub fn compare(wanted: &CatalogTable, found: &CatalogTable) -> Vec<String> {
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
            "its location is {}, landfall writes to {}: change the migration, or alter table {table} set location",
            found.location, wanted.location
        ));
    }
    if wanted.partition_keys != found.partition_keys {
        out.push(format!(
            "it is partitioned by ({}), landfall writes it partitioned by ({}): drop it, or choose another name",
            found.partition_keys.join(", "),
            wanted.partition_keys.join(", ")
        ));
    }
    out.extend(compare_columns(&table, wanted, found));
    out
}

fn compare_columns(table: &str, wanted: &CatalogTable, found: &CatalogTable) -> Vec<String> {
    let mut out = Vec::new();
    let names = |t: &CatalogTable| t.columns.iter().map(|(n, _)| n.to_lowercase()).collect::<Vec<_>>();
    let types = |t: &CatalogTable| -> BTreeMap<String, String> {
        t.columns.iter().map(|(n, t)| (n.to_lowercase(), canonical_type(t))).collect()
    };
    let (ours, theirs) = (types(wanted), types(found));
    for name in names(wanted) {
        let our_type = &ours[&name];
        match theirs.get(&name) {
            None => {
                out.push(format!("column {name} is missing: alter table {table} add columns (`{name}` {our_type})"))
            }
            Some(their_type) if their_type != our_type => out.push(format!(
                "column {name} is {their_type}, the migrations declare {our_type}: change the migration, or the table"
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
    out
}

fn canonical_type(hive_type: &str) -> String {
    match hive_type.trim().to_lowercase().as_str() {
        "integer" => "int".to_owned(),
        "long" => "bigint".to_owned(),
        other => other.to_owned(),
    }
}

/// Whether a drop deletes the files although the table is external (Hive 4).
pub(super) fn purges(table: &CatalogTable) -> bool {
    let purge = |(k, v): (&String, &String)| {
        k.eq_ignore_ascii_case("external.table.purge") && v.trim().eq_ignore_ascii_case("true")
    };
    table.properties.iter().any(purge)
}

/// Whether two locations are one directory, however they are written.
pub fn same_location(a: &str, b: &str) -> bool {
    normal_location(a) == normal_location(b)
}

/// One spelling of a location: the metastore gives `file:/x` back for `file:///x`, and people add a slash at the end
/// or the default port of a namenode.
fn normal_location(location: &str) -> String {
    let (scheme, rest) = match location.split_once(":/") {
        Some((scheme, rest)) => (scheme.to_lowercase(), rest),
        None => (String::new(), location.strip_prefix('/').unwrap_or(location)),
    };
    // `rest` has lost the first slash: another one at its start opens an authority, which may be empty
    let (authority, path) = match rest.strip_prefix('/') {
        Some(rest) => rest.split_once('/').unwrap_or((rest, "")),
        None => ("", rest),
    };
    let authority = authority.to_lowercase();
    let authority = match scheme.as_str() {
        "file" if authority == "localhost" => "",
        "hdfs" => authority.strip_suffix(":8020").unwrap_or(&authority),
        _ => &authority,
    };
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    format!("{scheme}://{authority}/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Column, HiveType};

    fn table() -> CatalogTable {
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
    fn a_missing_table_is_created_and_an_equal_one_left_alone() {
        assert_eq!(plan(&table(), None), Plan::Create);
        assert_eq!(plan(&table(), Some(&table())), Plan::UpToDate);
        let mut found = table();
        found.properties.insert("transient_lastDdlTime".into(), "1".into());
        found.columns[2].1 = "LONG".into();
        found.columns[1].0 = "User-Agent".into();
        assert_eq!(plan(&table(), Some(&found)), Plan::UpToDate);
        found.external = false;
        assert!(matches!(plan(&table(), Some(&found)), Plan::Differs(d) if d.len() == 1));
    }

    #[test]
    fn each_difference_is_a_sentence_that_names_the_remedy() {
        assert_eq!(
            after(|t| drop(t.columns.pop())),
            ["column cost is missing: alter table `default`.`purchases` add columns (`cost` bigint)"]
        );
        assert_eq!(
            after(|t| t.columns.push(("x".into(), "int".into()))),
            ["column x int is in no migration: declare it, or it stays null in landfall's rows"]
        );
        assert_eq!(
            after(|t| t.columns[2].1 = "int".into()),
            ["column cost is int, the migrations declare bigint: change the migration, or the table"]
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
        assert!(after(|t| t.partition_keys = vec!["dt".into()])[0].contains("partitioned by (dt)"));
        let purge = after(|t| drop(t.properties.insert("external.table.purge".into(), "TRUE".into())));
        assert!(purge[0].contains("set tblproperties ('external.table.purge'='false')"), "{purge:?}");
    }

    #[test]
    fn a_location_has_many_spellings() {
        for (a, b, same) in [
            ("file:/x/y", "file:///x/y", true),
            ("file:///x/y/", "file://localhost/x/y", true),
            ("hdfs://nn:8020/x", "HDFS://NN/x/", true),
            ("hdfs://nn:9000/x", "hdfs://nn/x", false),
            ("hdfs://nn/x", "hdfs://other/x", false),
            ("hdfs://nn/x", "hdfs://nn/X", false),
            ("hdfs://nn/x", "file:///x", false),
            ("hdfs://nn//x///y", "hdfs://nn/x/y", true),
            ("hdfs://nn", "hdfs://nn/", true),
            ("/x", "/x/", true),
        ] {
            assert_eq!(normal_location(a) == normal_location(b), same, "{a} {b}");
        }
    }

    #[test]
    fn a_declared_table_becomes_a_lower_case_entry() {
        let declared = Table {
            database: None,
            name: "purchases".into(),
            columns: vec![Column {
                name: "User-Agent".into(),
                physical_name: "user-agent".into(),
                hive_type: HiveType::String,
                comment: None,
            }],
            location: "/tmp/purchases".into(),
            properties: [("parquet.compress".to_owned(), "SNAPPY".to_owned())].into(),
            comment: Some("what was bought".into()),
            migration: "0001_purchases.sql".into(),
            applied: vec![],
        };
        let entry = wanted(&declared, "Game", "hdfs://nn/tmp/purchases".into());
        assert_eq!(
            (entry.database.as_str(), &entry.columns[0].0[..], &entry.columns[0].1[..]),
            ("game", "user-agent", "string")
        );
        assert_eq!(entry.properties["comment"], "what was bought");
        assert_eq!(entry.properties["parquet.compress"], "SNAPPY");
    }
}
