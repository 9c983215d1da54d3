//! The migrations folder as tables: names and texts in, tables or all errors out.

use super::ddl;
use super::error::MigrationError;
use super::table::Table;

/// The tables that the migrations `(file name, text)` declare, in the order of their numbers; or everything that is
/// wrong with them.
pub fn load(files: &[(String, String)]) -> Result<Vec<Table>, Vec<MigrationError>> {
    let mut errors = check_names(files);
    let mut sorted: Vec<_> = files.iter().collect();
    sorted.sort();
    let mut tables: Vec<Table> = Vec::new();
    for (file, text) in sorted {
        let (statements, wrong) = ddl::parse(file, text);
        if statements.is_empty() && wrong.is_empty() {
            errors.push(of_file(file, "holds no statement; expected CREATE EXTERNAL TABLE"));
        }
        errors.extend(wrong);
        for s in statements {
            match tables.iter().find_map(|t| clash(t, &s.table)) {
                Some(message) => {
                    errors.push(MigrationError { file: file.clone(), line: s.line, column: s.column, message });
                }
                None => tables.push(s.table),
            }
        }
    }
    if errors.is_empty() { Ok(tables) } else { Err(errors) }
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
}
