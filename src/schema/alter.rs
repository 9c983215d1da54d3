//! `ALTER TABLE … ADD COLUMNS (…)`: the one change that old files and all readers bear.

use super::lexer::Place;
use super::parser::{Parsed, Parser, TableName};
use super::table::Column;

/// Columns that a table gets at its end.
pub(super) struct AddColumns {
    pub table: TableName,
    pub table_place: Place,
    /// Each with its place in the file.
    pub columns: Vec<(Column, Place)>,
}

/// What else Hive and Spark can do to a table, and why landfall does not.
const REFUSED: [(&[&str], &str); 9] = [
    (
        &["add", "partition"],
        "ADD PARTITION: landfall registers partitions when it lands rows in them; expected ADD COLUMNS (name type, …)",
    ),
    (&["add", "constraint"], "ADD CONSTRAINT: no reader of the files keeps it; expected ADD COLUMNS (name type, …)"),
    (
        &["replace"],
        "REPLACE COLUMNS is not supported: readers find columns by their place, and old files keep theirs; \
         expected ADD COLUMNS, or make a new table",
    ),
    (
        &["change"],
        "CHANGE COLUMN is not supported: files that are landed keep the old name and type, and readers fail on them; \
         add a new column, or make a new table",
    ),
    (&["alter"], "ALTER COLUMN is not supported: files that are landed keep the old name and type; add a new column"),
    (&["rename"], "RENAME is not supported: make a new table; the old one stays as it is"),
    (&["drop"], "landfall never drops a column or a partition: leave it, and it stays null in new rows"),
    (&["set"], "ALTER TABLE … SET is not for migrations: do it by hand, landfall keeps what it finds"),
    (&["unset"], "ALTER TABLE … UNSET is not for migrations: do it by hand, landfall keeps what it finds"),
];

impl Parser<'_> {
    /// What follows ALTER, the end of the statement included.
    pub(super) fn alter(&mut self) -> Parsed<AddColumns> {
        self.expect_word("table")?;
        let table_place = self.place();
        let table = self.table_name()?;
        let refused = REFUSED.iter().find(|(words, _)| words.iter().enumerate().all(|(i, w)| self.peek_at(i).is(w)));
        if let Some((_, reason)) = refused {
            return self.fail(*reason);
        }
        if self.peek().is("partition") {
            return self.fail(
                "PARTITION: all partitions have the columns of their table; expected ADD COLUMNS (name type, …)",
            );
        }
        if !self.word("add") {
            return self.expected("ADD COLUMNS (name type, …)");
        }
        // Spark takes both.
        if !self.word("columns") && !self.word("column") {
            return self.expected("COLUMNS (name type, …)");
        }
        self.expect_sign('(', "`(` and the columns")?;
        let columns = self.columns()?;
        // Old partitions keep their columns in the metastore either way; readers go by the table's.
        if !self.word("cascade") {
            self.word("restrict");
        }
        self.end_of_statement("CASCADE or `;`")?;
        Ok(AddColumns { table, table_place, columns })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ddl::{Action, parse};
    use super::*;

    fn good(text: &str) -> Vec<AddColumns> {
        let (statements, errors) = parse("0002_x.sql", text);
        assert!(errors.is_empty(), "{errors:?}");
        let only = |action| match action {
            Action::AddColumns(added) => added,
            _ => panic!("{text}"),
        };
        statements.into_iter().map(|s| only(s.action)).collect()
    }

    #[test]
    fn columns_with_types_comments_and_places() {
        let added = good(
            "ALTER TABLE Game.Purchases ADD COLUMNS (`User-Id` string COMMENT 'who', at struct<A:int,b:array<long>>) CASCADE;\n\
             alter table guilds add column (x decimal(5,2))",
        );
        let columns: Vec<_> =
            added[0].columns.iter().map(|(c, p)| (c.name.as_str(), c.hive_type.to_string(), p.column)).collect();
        assert_eq!(added[0].table, (Some("game".into()), "purchases".into()));
        assert_eq!(
            columns,
            [("User-Id", "string".to_owned(), 41), ("at", "struct<a:int,b:array<bigint>>".to_owned(), 73)]
        );
        assert_eq!(added[0].columns[0].0.comment.as_deref(), Some("who"));
        assert_eq!((added[1].table.1.as_str(), added[1].columns.len()), ("guilds", 1));
    }

    #[test]
    fn everything_else_is_refused_with_the_reason() {
        for (rest, want) in [
            (
                "t replace columns (a int)",
                "1:15: REPLACE COLUMNS is not supported: readers find columns by their place",
            ),
            ("t change a b int", "CHANGE COLUMN is not supported"),
            ("t alter column a type bigint", "ALTER COLUMN is not supported"),
            ("t rename to u", "RENAME is not supported"),
            ("t drop column a", "never drops a column"),
            ("t set location '/x'", "do it by hand"),
            ("t unset tblproperties ('a')", "do it by hand"),
            ("t add partition (d='1')", "registers partitions when it lands"),
            ("t partition (d='1') add columns (a int)", "have the columns of their table"),
            ("t add constraint a primary key (a)", "ADD CONSTRAINT"),
            ("t touch", "expected ADD COLUMNS (name type, …), found `touch`"),
            ("t add a int", "expected COLUMNS (name type, …), found `a`"),
            ("t add columns a int", "expected `(` and the columns, found `a`"),
            ("t add columns ()", "a column name"),
            ("t add columns (a int, A string)", "1:35: column `A` clashes with `a`"),
            ("t add columns (a int) first", "expected CASCADE or `;`, found `first`"),
            ("`t-u` add columns (a int)", "letters, digits and _"),
            ("t add columns (`a,b` int)", "1:28: column name `a,b` holds \",\""),
            ("t add columns (a integr)", "no such type as `integr`"),
        ] {
            let (statements, errors) = parse("0002_x.sql", &format!("alter table {rest}"));
            assert!(statements.iter().all(|s| matches!(s.action, Action::Broken(_))), "{rest}");
            assert!(errors.len() == 1 && errors[0].to_string().contains(want), "{rest}: {errors:?}");
        }
    }
}
