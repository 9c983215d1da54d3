//! Comparing a table as it is wanted with the table that the metastore holds. Pure: it decides, others act.

use std::collections::BTreeMap;

use super::compare::{compare, differences};
use super::history::{self, RECORD, Standing};
use super::port::{CatalogTable, Change};
use crate::schema::{Applied, Column, Table};

/// A table as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its entry in the metastore.
    pub table: CatalogTable,
    /// Path of its directory on the storage.
    pub directory: String,
    /// The migrations that made it; none: no record of them is kept.
    pub migrations: Vec<Applied>,
}

/// What is to be done about a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// The metastore does not have it.
    Create,
    /// It is as wanted.
    UpToDate,
    /// It lacks columns at its end, or the record of its migrations.
    Alter(Change),
    /// It has migrations of these numbers that we do not: a daemon of a newer configuration was there. Our files lack
    /// its new columns at the end, which readers take as null.
    Newer(Vec<String>),
    /// It is another one: a person must act. One sentence each.
    Differs(Vec<String>),
}

impl Plan {
    /// Why a daemon must not start with this, one sentence each; none: it may.
    pub fn refusals(&self) -> Vec<String> {
        match self {
            Plan::Create | Plan::UpToDate | Plan::Alter(_) => Vec::new(),
            Plan::Newer(numbers) => {
                let (s, them) = if numbers.len() == 1 { ("", "it") } else { ("s", "them") };
                let numbers = numbers.join(", ");
                vec![format!(
                    "a newer configuration has applied migration{s} {numbers} to it, which this one lacks: add {them} here"
                )]
            }
            Plan::Differs(differences) => differences.clone(),
        }
    }
}

/// What is to be done about `wanted`, given what the metastore holds under its name.
pub fn plan(wanted: &Wanted, found: Option<&CatalogTable>) -> Plan {
    let Some(found) = found else { return Plan::Create };
    let recorded = found.properties.get(RECORD).filter(|_| !wanted.migrations.is_empty());
    match recorded.map(|recorded| history::compare(&wanted.migrations, recorded)) {
        Some(Standing::Broken(wrong)) => Plan::Differs(wrong),
        Some(Standing::Behind(numbers)) => {
            let mut known = found.clone();
            known.columns.truncate(wanted.table.columns.len());
            match differences(&wanted.table, &known) {
                (wrong, _) if wrong.is_empty() => Plan::Newer(numbers),
                (wrong, _) => Plan::Differs(wrong),
            }
        }
        Some(Standing::Applied) | None => match differences(&wanted.table, found) {
            (wrong, _) if !wrong.is_empty() => Plan::Differs(compare(&wanted.table, found)),
            (_, missing) => {
                let change = change(wanted, found, missing);
                if change == Change::default() { Plan::UpToDate } else { Plan::Alter(change) }
            }
        },
    }
}

fn change(wanted: &Wanted, found: &CatalogTable, missing: usize) -> Change {
    let columns = wanted.table.columns[wanted.table.columns.len() - missing..].to_vec();
    let comment = |(name, _): &(String, _)| Some((name.clone(), wanted.table.comments.get(name)?.clone()));
    let mut properties = BTreeMap::new();
    if !wanted.migrations.is_empty() {
        let record = history::record(&wanted.migrations);
        if found.properties.get(RECORD) != Some(&record) {
            properties.insert(RECORD.to_owned(), record);
        }
    }
    Change { comments: columns.iter().filter_map(comment).collect(), columns, properties }
}

impl Wanted {
    /// What a declared table wants. `default_database` is for DDL that names none, `location` the directory's full URI.
    pub fn new(table: &Table, default_database: &str, directory: &str, location: String) -> Wanted {
        let mut properties = table.properties.clone();
        if let Some(comment) = &table.comment {
            properties.insert("comment".to_owned(), comment.clone());
        }
        if !table.applied.is_empty() {
            properties.insert(RECORD.to_owned(), history::record(&table.applied));
        }
        let comments =
            table.all_columns().filter_map(|c| Some((c.physical_name.clone(), c.comment.clone()?))).collect();
        let pair = |c: &Column| (c.physical_name.clone(), c.hive_type.to_string());
        let entry = CatalogTable {
            database: table.database.clone().unwrap_or_else(|| default_database.to_lowercase()),
            name: table.name.clone(),
            columns: table.columns.iter().map(pair).collect(),
            comments,
            partition_keys: table.partition_columns.iter().map(pair).collect(),
            location,
            external: true,
            parquet: true,
            properties,
        };
        Wanted { table: entry, directory: directory.to_owned(), migrations: table.applied.clone() }
    }

    /// `database.table`
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.table.database, self.table.name)
    }

    /// The files that declare the last columns, so many of them.
    pub fn files_of_last(&self, columns: usize) -> Vec<&str> {
        let before = self.table.columns.len() - columns.min(self.table.columns.len());
        let files = self.migrations.iter().filter(|m| columns > 0 && m.columns > before);
        files.map(|m| m.file.as_str()).collect()
    }
}

impl From<(CatalogTable, String)> for Wanted {
    /// A table that no migration made, and its directory.
    fn from((table, directory): (CatalogTable, String)) -> Wanted {
        Wanted { table, directory, migrations: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::compare::tests::table;
    use super::*;
    use crate::schema::HiveType;

    #[test]
    fn a_missing_table_is_created_and_an_equal_one_left_alone() {
        let wanted = Wanted::from((table(), "/tmp/purchases".to_owned()));
        assert_eq!(plan(&wanted, None), Plan::Create);
        assert_eq!(plan(&wanted, Some(&table())), Plan::UpToDate);
        let mut found = table();
        found.properties.insert("transient_lastDdlTime".into(), "1".into());
        found.columns[2].1 = "LONG".into();
        found.columns[1].0 = "User-Agent".into();
        assert_eq!(plan(&wanted, Some(&found)), Plan::UpToDate);
        found.external = false;
        assert!(matches!(plan(&wanted, Some(&found)), Plan::Differs(d) if d.len() == 1));
    }

    /// [`table`] by two migrations, of which the second adds `cost`.
    fn migrated() -> Wanted {
        let applied = |number: &str, columns| Applied {
            file: format!("{number}_x.sql"),
            number: number.into(),
            checksum: columns as u32,
            columns,
        };
        let mut wanted = Wanted::from((table(), "/tmp/purchases".to_owned()));
        wanted.migrations = vec![applied("0001", 2), applied("0005", 3)];
        wanted.table.properties.insert(RECORD.into(), history::record(&wanted.migrations));
        wanted.table.comments.insert("cost".into(), "in cents".into());
        wanted
    }

    #[test]
    fn columns_missing_at_the_end_are_added_and_so_is_the_record() {
        let wanted = migrated();
        assert_eq!(wanted.files_of_last(1), ["0005_x.sql"]);
        assert_eq!(wanted.files_of_last(2), ["0001_x.sql", "0005_x.sql"]);
        assert_eq!(plan(&wanted, Some(&wanted.table)), Plan::UpToDate);
        let record = [(RECORD.to_owned(), "0001:00000002 0005:00000003".to_owned())];
        let adopted = Change { properties: record.clone().into(), ..Change::default() };
        assert_eq!(plan(&wanted, Some(&table())), Plan::Alter(adopted), "made by somebody else");
        let columns = vec![("cost".to_owned(), "bigint".to_owned())];
        let comments = [("cost".to_owned(), "in cents".to_owned())];
        let change = Change { columns, comments: comments.into(), properties: record.into() };
        for properties in [&[][..], &[(RECORD, "0001:00000002")]] {
            let mut found = table();
            found.columns.pop();
            found.properties = properties.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            assert_eq!(plan(&wanted, Some(&found)), Plan::Alter(change.clone()));
            found.columns[0].1 = "int".into();
            assert!(
                matches!(plan(&wanted, Some(&found)), Plan::Differs(d) if d.len() == 2),
                "nothing is added to another table"
            );
        }
        let mut lost = wanted.table.clone();
        lost.columns.pop();
        assert!(
            matches!(plan(&wanted, Some(&lost)), Plan::Alter(c) if c.columns.len() == 1 && c.properties.is_empty())
        );
    }

    #[test]
    fn an_edit_is_refused_and_a_newer_configuration_is_told_from_it() {
        let mut found = migrated().table;
        found.properties.insert(RECORD.into(), "0001:00000007".into());
        assert!(
            matches!(plan(&migrated(), Some(&found)), Plan::Differs(d) if d[0].starts_with("0001_x.sql was edited"))
        );
        let mut older = migrated();
        older.migrations.pop();
        older.table.columns.pop();
        let newer = plan(&older, Some(&migrated().table));
        assert_eq!(newer, Plan::Newer(vec!["0005".into()]));
        assert!(newer.refusals()[0].contains("migration 0005 to it, which this one lacks"), "{newer:?}");
        let mut other = migrated().table;
        other.columns[0].0 = "event".into();
        assert!(matches!(plan(&older, Some(&other)), Plan::Differs(_)));
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
            partition_columns: vec![],
            location: "/tmp/purchases".into(),
            properties: [("parquet.compress".to_owned(), "SNAPPY".to_owned())].into(),
            comment: Some("what was bought".into()),
            migration: "0001_purchases.sql".into(),
            applied: vec![],
        };
        let entry = Wanted::new(&declared, "Game", "/tmp/purchases", "hdfs://nn/tmp/purchases".into()).table;
        assert_eq!(
            (entry.database.as_str(), &entry.columns[0].0[..], &entry.columns[0].1[..]),
            ("game", "user-agent", "string")
        );
        assert_eq!(entry.properties["comment"], "what was bought");
        assert_eq!(entry.properties["parquet.compress"], "SNAPPY");
    }
}
