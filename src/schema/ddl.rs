//! Parser of the Hive DDL that landfall knows: `CREATE EXTERNAL TABLE … STORED AS PARQUET LOCATION …`, and in
//! `alter.rs` `ALTER TABLE … ADD COLUMNS`. What Hive has beyond it is recognised and refused by name, so that nothing is
//! half understood.

use super::alter::AddColumns;
use super::error::MigrationError;
use super::lexer::{Place, Token};
use super::names::unfit_column;
use super::parser::{Parsed, Parser, Stop, TableName};
use super::table::{Column, Table};

/// Characters of a column's comment; the metastore's database has no room for more.
const MAX_COMMENT: usize = 256;

/// A statement, and where it begins.
pub(super) struct Statement {
    pub action: Action,
    /// All of it that means something: no comments, no white space between the words.
    pub text: String,
    pub place: Place,
}

/// What a statement does.
pub(super) enum Action {
    Create(Table),
    AddColumns(AddColumns),
    /// Its errors are told; of this table, if it came so far.
    Broken(Option<TableName>),
}

/// All statements of a file and all errors: after an error it goes on with the next statement.
pub(super) fn parse(file: &str, text: &str) -> (Vec<Statement>, Vec<MigrationError>) {
    let mut p = match Parser::new(file, text) {
        Ok(parser) => parser,
        Err(error) => return (Vec::new(), vec![error]),
    };
    let mut statements = Vec::new();
    loop {
        while p.sign(';') {}
        if *p.peek() == Token::End {
            return (statements, p.errors);
        }
        let (place, known, from) = (p.place(), p.errors.len(), p.position());
        p.table = None;
        let parsed = p.statement();
        let text = p.text_since(from);
        let action = match parsed {
            Ok(action) if p.errors.len() == known => action,
            Ok(_) => Action::Broken(p.table.take()),
            Err(Stop) => {
                p.skip_statement();
                Action::Broken(p.table.take())
            }
        };
        statements.push(Statement { action, text, place });
    }
}

impl Parser<'_> {
    fn statement(&mut self) -> Parsed<Action> {
        if self.word("alter") {
            return Ok(Action::AddColumns(self.alter()?));
        }
        if self.peek().is("drop") || self.peek().is("truncate") {
            return self.fail("landfall never drops a table or its rows; do it by hand");
        }
        if !self.word("create") {
            return self.expected("CREATE EXTERNAL TABLE or ALTER TABLE");
        }
        if self.peek().is("table") {
            return self.fail("a managed table is Hive's to move and delete; write CREATE EXTERNAL TABLE");
        }
        self.expect_word("external")?;
        self.expect_word("table")?;
        if self.word("if") {
            self.expect_word("not")?;
            self.expect_word("exists")?;
        }
        let (database, name) = self.table_name()?;
        if *self.peek() != Token::Sign('(') {
            return self.expected("`(` and the columns");
        }
        self.next();
        let columns = self.columns()?;
        let mut clauses = self.clauses()?;
        let partition_columns = self.partition_columns(&columns, std::mem::take(&mut clauses.partitioned));
        Ok(Action::Create(Table {
            database,
            name,
            columns: columns.into_iter().map(|(column, _)| column).collect(),
            partition_columns,
            location: clauses.location.unwrap_or_default(),
            properties: clauses.properties.unwrap_or_default(),
            comment: clauses.comment,
            migration: self.file.to_owned(),
            applied: Vec::new(),
        }))
    }

    pub(super) fn table_name(&mut self) -> Parsed<TableName> {
        let first = self.identifier("a table name")?;
        let name = if self.sign('.') { (Some(first), self.identifier("a table name")?) } else { (None, first) };
        self.table = Some(name.clone());
        Ok(name)
    }

    /// A database or table name: Hive allows letters, digits and `_` only.
    fn identifier(&mut self, what: &str) -> Parsed<String> {
        let place = self.place();
        let name = self.name(what)?.to_lowercase();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            self.report(place, format!("`{name}`: expected {what} of letters, digits and _ only"));
        }
        Ok(name)
    }

    /// What stands between `(` and `)`, the latter included.
    pub(super) fn columns(&mut self) -> Parsed<Vec<(Column, Place)>> {
        let mut columns: Vec<(Column, Place)> = Vec::new();
        if *self.peek() == Token::Sign(')') {
            return self.expected("a column name: a table needs at least one column");
        }
        loop {
            let place = self.place();
            let name = self.name("a column name")?;
            let physical_name = name.to_lowercase();
            self.check_column_name(place, &name);
            if let Some((other, _)) = columns.iter().find(|(c, _)| c.physical_name == physical_name) {
                let message = format!("column `{name}` clashes with `{}`: Hive's names are lower-case", other.name);
                self.report(place, message);
            }
            let hive_type = self.column_type(&name)?;
            let comment = if self.word("comment") { Some(self.column_comment(&name)?) } else { None };
            columns.push((Column { name, physical_name, hive_type, comment }, place));
            if self.sign(')') {
                return Ok(columns);
            }
            self.expect_sign(',', "`,` or `)`")?;
        }
    }

    fn check_column_name(&mut self, place: Place, name: &str) {
        if let Some(wrong) = unfit_column(name) {
            self.report(place, format!("column name `{name}` {wrong}"));
        }
    }

    fn column_comment(&mut self, column: &str) -> Parsed<String> {
        let place = self.place();
        let comment = self.text("the comment, a string")?;
        if comment.chars().count() > MAX_COMMENT {
            let text = format!("the comment of column `{column}` is longer than {MAX_COMMENT} characters");
            self.report(place, format!("{text}: the metastore has no room for it"));
        }
        Ok(comment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &str = "create external table if not exists purchases (
        raw_event string, timestamp string, Accept string, Host string, `User-Agent` string,
        event_type string, type string, cost long)
      stored as parquet location '/tmp/purchases' tblproperties (\"parquet.compress\"=\"SNAPPY\");";

    fn good(text: &str) -> Vec<Table> {
        let (statements, errors) = parse("0001_x.sql", text);
        assert!(errors.is_empty(), "{errors:?}");
        let only = |action| match action {
            Action::Create(table) => table,
            _ => panic!("{text}"),
        };
        statements.into_iter().map(|s| only(s.action)).collect()
    }

    fn bad(text: &str) -> Vec<String> {
        let (statements, errors) = parse("0001_x.sql", text);
        assert!(statements.iter().all(|s| matches!(s.action, Action::Broken(_))), "{text}");
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_seeds_statement_works_as_it_stands() {
        let t = &good(SEED)[0];
        let columns: Vec<_> =
            t.columns.iter().map(|c| (c.name.as_str(), c.physical_name.as_str(), c.hive_type.to_string())).collect();
        assert_eq!(
            (t.database.as_deref(), t.name.as_str(), t.location.as_str()),
            (None, "purchases", "/tmp/purchases")
        );
        assert_eq!(t.properties["parquet.compress"], "SNAPPY");
        assert_eq!(columns.len(), 8);
        assert_eq!(columns[1], ("timestamp", "timestamp", "string".into()));
        assert_eq!(columns[4], ("User-Agent", "user-agent", "string".into()));
        assert_eq!(columns[6], ("type", "type", "string".into()));
        assert_eq!(columns[7], ("cost", "cost", "bigint".into()));
        assert_eq!(t.migration, "0001_x.sql");
    }

    #[test]
    fn every_type_comments_and_clauses_in_any_order() {
        let t = &good(
            "-- all of it\nCREATE EXTERNAL TABLE Db.`T` (a boolean comment 'yes, or no', b TINYINT, c smallint, d int, \
             e integer, f bigint, g long, h float, i double, j double precision, k string, l binary, m timestamp) \
             TBLPROPERTIES ('a'='b', \"c\"='d') LOCATION 'hdfs://nn/t' /* last */ STORED AS PARQUET COMMENT 'c'",
        )[0];
        let types: Vec<_> = t.columns.iter().map(|c| c.hive_type.to_string()).collect();
        assert_eq!(
            types.join(" "),
            "boolean tinyint smallint int int bigint bigint float double double string binary timestamp"
        );
        assert_eq!((t.database.as_deref(), t.name.as_str(), t.comment.as_deref()), (Some("db"), "t", Some("c")));
        assert_eq!((t.columns[0].comment.as_deref(), t.properties.len()), (Some("yes, or no"), 2));
    }

    #[test]
    fn partition_columns_come_behind_the_others_and_not_among_them() {
        let t = &good(
            "create external table t (a int) partitioned by (Dt string comment 'the day', `hour` INT, d date, \
             v varchar(3), b long) stored as parquet location '/t'",
        )[0];
        let names: Vec<_> = t.partition_columns.iter().map(|c| (&*c.physical_name, c.hive_type.to_string())).collect();
        let want = [("dt", "string"), ("hour", "int"), ("d", "date"), ("v", "varchar(3)"), ("b", "bigint")];
        assert_eq!(names, want.map(|(n, t)| (n, t.to_owned())));
        assert_eq!((t.columns.len(), t.all_columns().count()), (1, 6));
        assert_eq!(t.partition_columns[0].comment.as_deref(), Some("the day"));
    }

    #[test]
    fn several_statements_a_file_and_the_last_semicolon_left_out() {
        let one = |name| format!("create external table {name} (x int) stored as parquet location '/{name}'");
        assert_eq!(good(&format!(";;{};\n{}", one("a"), one("b"))).len(), 2);
    }

    #[test]
    fn errors_say_where_and_what_was_expected() {
        let table = |columns: &str, tail: &str| format!("create external table t ({columns}) {tail}");
        let tail = "stored as parquet location '/t'";
        for (text, want) in [
            (table("a int", "location '/t'"), "0001_x.sql:1:46: expected STORED AS PARQUET before"),
            (table("a int", "stored as parquet"), "expected LOCATION '/path'"),
            (
                table("a int", "stored as orc location '/t'"),
                "1:43: expected PARQUET: landfall writes nothing else; write STORED AS PARQUET, found `orc`",
            ),
            (table("a int", "stored as parquet location 't'"), "absolute path"),
            (table("a int", "row format serde 'x' stored as parquet location '/t'"), "ROW FORMAT"),
            (table("a int", "using parquet"), "STORED AS PARQUET"),
            (table("a int", "clustered by (a) stored as parquet location '/t'"), "not supported"),
            (
                table("a int, B int", "partitioned by (d string, b int) stored as parquet location '/t'"),
                "1:66: partition column `b` clashes with column `B`: declare it in PARTITIONED BY only",
            ),
            (
                table("a int", "partitioned by (d timestamp) stored as parquet location '/t'"),
                "1:49: partition column `d` is a timestamp; expected string, varchar(n), tinyint, smallint, int, bigint",
            ),
            (
                table("a int", "partitioned by (_p int) stored as parquet location '/t'"),
                "partition column `_p`: readers skip directories",
            ),
            (table("a int", "partitioned by () stored as parquet location '/t'"), "at least one column"),
            (table("a int", "partitioned by (d) stored as parquet location '/t'"), "the type of column `d`"),
            (table("a int", "partitioned by (d int, D int) stored as parquet location '/t'"), "clashes with `d`"),
            (table("a int", &format!("partitioned by (d int) partitioned by (e int) {tail}")), "there already"),
            (
                table("a int", &format!("partitioned by ({} int) {tail}", "d".repeat(129))),
                "is longer than 128 characters",
            ),
            (table("a int", &format!("{tail} location '/u'")), "there already"),
            (
                table("a int", &format!("{tail} as select 1")),
                "expected COMMENT, PARTITIONED BY, STORED AS PARQUET, LOCATION",
            ),
            (table("a int", &format!("{tail} tblproperties ('a'='b','a'='c')")), "twice"),
            (table("", tail), "at least one column"),
            (table("a int b int", tail), "expected `,` or `)`, found `b`"),
            (table("User-Agent string", tail), "back-quotes"),
            (table("a integr", tail), "1:28: column `a`: no such type as `integr`"),
            (table("a int, A string", tail), "column `A` clashes with `a`"),
            (table("`a,b` int", tail), "1:26: column name `a,b` holds \",\", on which readers"),
            (table("`` int", tail), "is empty"),
            (table(&format!("a int comment '{}'", "é".repeat(257)), tail), "1:40: the comment of column `a` is longer"),
            (table("a int", &format!("{tail} tblproperties ('Landfall.x'='y')")), "landfall's own"),
            (format!("create table t (a int) {tail}"), "write CREATE EXTERNAL TABLE"),
            (format!("create external table `a-b` (a int) {tail}"), "letters, digits and _"),
            ("drop table t".into(), "never drops"),
            ("\n  select 1".into(), "2:3: expected CREATE EXTERNAL TABLE or ALTER TABLE, found `select`"),
            ("create external table t (a int".into(), "the end of the file"),
            ("create external table t like u".into(), "`(` and the columns, found `like`"),
        ] {
            let errors = bad(&text);
            assert_eq!(errors.len(), 1, "{text}: {errors:?}");
            assert!(errors[0].contains(want), "{text}:\n  got  {}\n  want {want}", errors[0]);
        }
    }

    #[test]
    fn goes_on_after_a_broken_statement() {
        let (statements, errors) = parse("f", &format!("create tabel x;\n{SEED}\ncreate external table y (a foo;"));
        assert_eq!((statements.len(), errors.len()), (3, 3), "{errors:?}");
        assert!(matches!(statements[1].action, Action::Create(_)));
        assert!(matches!(&statements[2].action, Action::Broken(Some((None, name))) if name == "y"));
        assert_eq!((statements[1].place.line, statements[1].place.column, errors[0].line), (2, 1, 1));
    }
}
