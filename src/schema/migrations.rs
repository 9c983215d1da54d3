//! The migrations folder as tables: names and texts in, tables or all errors out.

use crc32c::crc32c_append;

use super::alter::AddColumns;
use super::ddl::{self, Action};
use super::error::MigrationError;
use super::lexer::Place;
use super::parser::TableName;
use super::table::{Applied, Table};

/// The tables that the migrations `(file name, text)` declare, in the order of their numbers; or everything that is
/// wrong with them.
pub fn load(files: &[(String, String)]) -> Result<Vec<Table>, Vec<MigrationError>> {
    let mut sorted: Vec<_> = files.iter().collect();
    sorted.sort();
    let mut loader = Loader { errors: check_names(files), ..Loader::default() };
    for (file, text) in sorted {
        loader.read(file, text);
    }
    if loader.errors.is_empty() { Ok(loader.tables) } else { Err(loader.errors) }
}

#[derive(Default)]
struct Loader {
    tables: Vec<Table>,
    /// Tables of statements that could not be understood.
    broken: Vec<TableName>,
    errors: Vec<MigrationError>,
}

impl Loader {
    fn read(&mut self, file: &str, text: &str) {
        let (statements, wrong) = ddl::parse(file, text);
        if statements.is_empty() && wrong.is_empty() {
            self.errors.push(of_file(file, "holds no statement; expected CREATE EXTERNAL TABLE or ALTER TABLE"));
        }
        let known = self.errors.len();
        self.errors.extend(wrong);
        for statement in statements {
            let changed = match statement.action {
                Action::Create(table) => self.create(file, statement.place, table),
                Action::AddColumns(added) => self.add_columns(file, added),
                Action::Broken(table) => {
                    self.broken.extend(table);
                    None
                }
            };
            if let Some(table) = changed {
                record(&mut self.tables[table], file, &statement.text);
            }
        }
        self.errors[known..].sort_by_key(|e| (e.line, e.column));
    }

    /// Its index.
    fn create(&mut self, file: &str, place: Place, table: Table) -> Option<usize> {
        if let Some(message) = self.tables.iter().find_map(|t| clash(t, &table)) {
            self.report(file, place, message);
            return None;
        }
        self.tables.push(table);
        Some(self.tables.len() - 1)
    }

    /// The index of the table.
    fn add_columns(&mut self, file: &str, added: AddColumns) -> Option<usize> {
        let (database, name) = &added.table;
        let Some(at) = self.tables.iter().position(|t| (&t.database, &t.name) == (database, name)) else {
            // A broken statement may be the one that creates it.
            if !self.broken.contains(&added.table) {
                self.report(file, added.table_place, self.unknown(&added.table));
            }
            return None;
        };
        for (column, place) in added.columns {
            let old = self.tables[at].all_columns().find(|c| c.physical_name == column.physical_name);
            match old.map(|old| old.name.clone()) {
                Some(old) => {
                    let table = &self.tables[at];
                    let place_of_old = table.migration_of(&column.physical_name);
                    let there = format!("column `{}` clashes with `{old}` of table {}", column.name, table.name);
                    let message = format!("{there}, in {place_of_old}: Hive's names are lower-case");
                    self.report(file, place, message);
                }
                None => self.tables[at].columns.push(column),
            }
        }
        Some(at)
    }

    fn unknown(&self, table: &TableName) -> String {
        let full = |(database, name): (&Option<String>, &String)| match database {
            Some(database) => format!("{database}.{name}"),
            None => name.clone(),
        };
        let wanted = full((&table.0, &table.1));
        let likeness = |t: &Table| {
            let same_name = if t.name == table.1 { 1.0 } else { 0.0 };
            same_name + strsim::jaro_winkler(&full((&t.database, &t.name)), &wanted)
        };
        let nearest = self.tables.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let advice = match nearest.filter(|t| likeness(t) > 0.7) {
            Some(t) => format!("did you mean `{}`, of {}?", full((&t.database, &t.name)), t.migration),
            None => "only a table that an earlier migration creates can get columns".to_owned(),
        };
        format!("no migration before this creates table `{wanted}`; {advice}")
    }

    fn report(&mut self, file: &str, place: Place, message: String) {
        self.errors.push(MigrationError { file: file.to_owned(), line: place.line, column: place.column, message });
    }
}

/// Enters that this statement of `file` made the table what it now is.
fn record(table: &mut Table, file: &str, text: &str) {
    let columns = table.columns.len();
    match table.applied.last_mut() {
        Some(last) if last.file == file => {
            last.checksum = crc32c_append(last.checksum, text.as_bytes());
            last.columns = columns;
        }
        _ => table.applied.push(Applied {
            file: file.to_owned(),
            number: number(file).unwrap_or_default().to_owned(),
            checksum: crc32c_append(0, text.as_bytes()),
            columns,
        }),
    }
}

fn of_file(file: &str, message: impl Into<String>) -> MigrationError {
    MigrationError { file: file.to_owned(), line: 0, column: 0, message: message.into() }
}

fn clash(old: &Table, new: &Table) -> Option<String> {
    if (&old.database, &old.name) == (&new.database, &new.name) {
        return Some(format!("table {} is there already, in {}", new.name, old.migration));
    }
    // Each would serve the other's rows to its readers.
    let same = old.location.trim_end_matches('/') == new.location.trim_end_matches('/');
    same.then(|| format!("table {} has the LOCATION of table {} in {}", new.name, old.name, old.migration))
}

fn check_names(files: &[(String, String)]) -> Vec<MigrationError> {
    let mut errors = Vec::new();
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (file, _) in files {
        let Some(number) = number(file) else {
            errors.push(of_file(
                file,
                "expected a name like 0001_purchases.sql: four digits, `_`, letters, digits, `_` or `-`, `.sql`",
            ));
            continue;
        };
        match seen.iter().find(|(n, _)| *n == number) {
            Some((_, other)) => errors.push(of_file(file, format!("number {number} is taken by {other}"))),
            None => seen.push((number, file)),
        }
    }
    errors
}

/// The four digits of `NNNN_name.sql`.
fn number(file: &str) -> Option<&str> {
    let (number, rest) = file.split_once('_')?;
    let name = rest.strip_suffix(".sql")?;
    let digits = number.len() == 4 && number.bytes().all(|b| b.is_ascii_digit());
    let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    (digits && named).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, tables: &[&str]) -> (String, String) {
        let one = |t: &&str| format!("create external table {t} (a int) stored as parquet location '/{t}';");
        (name.to_owned(), tables.iter().map(one).collect())
    }

    fn errors(files: &[(String, String)]) -> Vec<String> {
        load(files).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn tables_come_in_the_order_of_the_numbers() {
        let tables = load(&[file("0002_b.sql", &["b"]), file("0001_a-z.sql", &["a", "z"])]).unwrap();
        let names: Vec<_> = tables.iter().map(|t| (t.name.as_str(), t.migration.as_str())).collect();
        assert_eq!(names, [("a", "0001_a-z.sql"), ("z", "0001_a-z.sql"), ("b", "0002_b.sql")]);
    }

    #[test]
    fn names_are_checked() {
        for name in ["1_a.sql", "00001_a.sql", "0001-a.sql", "0001_a.txt", "0001_.sql", "abcd_a.sql", "0001_a b.sql"] {
            let e = errors(&[file(name, &["a"])]);
            assert!(e.len() == 1 && e[0].contains("0001_purchases.sql"), "{e:?}");
        }
        let e = errors(&[file("0001_a.sql", &["a"]), file("0001_b.sql", &["b"])]);
        assert_eq!(e, ["0001_b.sql: number 0001 is taken by 0001_a.sql"]);
    }

    #[test]
    fn all_errors_at_once() {
        let mut same_place = file("0003_c.sql", &["c"]);
        same_place.1 = same_place.1.replace("'/c'", "'/a/'");
        let broken = ("0004_d.sql".to_owned(), "create".to_owned());
        let empty = ("0005_e.sql".to_owned(), "-- nothing".to_owned());
        let e = errors(&[file("0001_a.sql", &["a"]), file("0002_b.sql", &["b", "A"]), same_place, broken, empty]);
        assert_eq!(e.len(), 4, "{e:?}");
        assert!(e[0].contains("0002_b.sql:1:") && e[0].contains("table a is there already, in 0001_a.sql"));
        assert!(e[1].contains("has the LOCATION of table a"));
        assert!(e[2].contains("0004_d.sql:1:7: expected EXTERNAL"));
        assert!(e[3].contains("0005_e.sql: holds no statement"));
    }

    fn text(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn columns_are_added_at_the_end_and_the_files_are_recorded() {
        let more =
            "alter table b add columns (C decimal(3,1) comment 'x');\nalter table b add columns (d int) cascade;";
        let tables =
            load(&[file("0001_t.sql", &["a", "b"]), text("0003_more.sql", more), file("0002_c.sql", &["c"])]).unwrap();
        let b = &tables[1];
        let columns: Vec<_> = b.columns.iter().map(|c| (c.name.as_str(), c.hive_type.to_string())).collect();
        assert_eq!(columns, [("a", "int".to_owned()), ("C", "decimal(3,1)".to_owned()), ("d", "int".to_owned())]);
        let applied: Vec<_> = b.applied.iter().map(|a| (a.file.as_str(), a.number.as_str(), a.columns)).collect();
        assert_eq!(applied, [("0001_t.sql", "0001", 1), ("0003_more.sql", "0003", 3)]);
        assert_eq!((b.migration_of("a"), b.migration_of("c")), ("0001_t.sql", "0003_more.sql"));
        assert_eq!((tables[0].applied.len(), tables[2].applied.len()), (1, 1));
    }

    #[test]
    fn a_checksum_is_of_the_words_of_the_tables_own_statements() {
        let checksums = |text: &str| {
            let tables = load(&[("0001_t.sql".to_owned(), text.to_owned())]).unwrap();
            tables.iter().map(|t| t.applied[0].checksum).collect::<Vec<_>>()
        };
        let a = "create external table a (x int comment 'the x') stored as parquet location '/a'";
        let b = "create external table b (x int) stored as parquet location '/b'";
        let before = checksums(a);
        // Metastores hold it: it must never become another one.
        assert_eq!(before, [0xa2db_4628]);
        let spaced = "-- a comment\r\ncreate external\ttable a(x int\r\n /* the x */ comment 'the x')\r\n\
                      stored as parquet location '/a' ;\r\n";
        assert_eq!(checksums(spaced), before);
        assert_eq!(checksums(&format!("{b};\n{a}"))[1], before[0], "another table's statement does not matter");
        for edited in [
            a.replace("int", "bigint"),
            a.replace("the x", "thex"),
            a.replace("(x", "(X"),
            a.replace("(x", "(`x`"),
            format!("{a}; alter table a add columns (y int)"),
        ] {
            assert_ne!(checksums(&edited), before, "{edited}");
        }
    }

    #[test]
    fn what_cannot_be_added_is_an_error_with_its_place() {
        let first = || file("0001_t.sql", &["purchases", "game.guilds"]);
        for (alter, want) in [
            (
                "alter table purchases add columns (b int, A string)",
                "0002_x.sql:1:43: column `A` clashes with `a` of table purchases, in 0001_t.sql",
            ),
            (
                "\nalter table purchase add columns (b int)",
                "0002_x.sql:2:13: no migration before this creates table `purchase`; did you mean `purchases`, of 0001_t.sql?",
            ),
            ("alter table guilds add columns (b int)", "did you mean `game.guilds`"),
            ("alter table zzz add columns (b int)", "only a table that an earlier migration creates"),
        ] {
            let e = errors(&[first(), text("0002_x.sql", alter)]);
            assert!(e.len() == 1 && e[0].contains(want), "{e:?}");
        }
        let e = errors(&[text("0001_x.sql", "alter table a add columns (b int)"), file("0002_a.sql", &["a"])]);
        assert!(e.len() == 1 && e[0].contains("0001_x.sql:1:13: no migration before this"), "{e:?}");
        let broken = text("0001_x.sql", "create external table a (b integr) stored as parquet location '/a'");
        let e = errors(&[broken, text("0002_y.sql", "alter table a add columns (c int)")]);
        assert!(e.len() == 1 && e[0].contains("integr"), "the follow-up is no error: {e:?}");
        let twice = "alter table purchases add columns (b int)";
        let e = errors(&[first(), text("0002_x.sql", twice), text("0003_y.sql", twice)]);
        assert!(e.len() == 1 && e[0].contains("`b` clashes with `b` of table purchases, in 0002_x.sql"), "{e:?}");
    }
}
