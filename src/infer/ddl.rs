//! The proposal as text: a migration, and what its columns need in the configuration.

use std::fmt;

use super::shape::{MAX_FIELDS, Shape};
use super::types::hive_type;
use crate::schema::HiveType;

/// Types longer than this are broken into lines.
const WIDTH: usize = 90;

/// A table that could hold a sample. Displays as a migration that landfall reads, with remarks.
#[derive(Debug, Clone)]
pub struct Proposal {
    table: String,
    location: String,
    columns: Vec<ProposedColumn>,
    more_fields: u64,
    has_nameless: bool,
}

#[derive(Debug, Clone)]
struct ProposedColumn {
    name: String,
    /// The JSON field, where the configuration must name it.
    field: Option<String>,
    hive_type: HiveType,
    remark: String,
}

impl Proposal {
    pub(super) fn new(shape: &Shape, messages: u64, table: &str, location: &str, taken: &[String]) -> Proposal {
        let mut columns: Vec<ProposedColumn> = Vec::new();
        for (field, seen) in shape.fields.iter().filter(|(field, _)| !field.is_empty()) {
            let name = column_name(field, &columns);
            let renamed = (name != *field || taken.contains(&name)).then(|| field.clone());
            columns.push(ProposedColumn {
                name,
                field: renamed,
                hive_type: hive_type(seen),
                remark: remark(seen, messages),
            });
        }
        if columns.is_empty() {
            let remark = "no field was seen; this is the whole message, from kafka.value".to_owned();
            let name = "raw_event".to_owned();
            columns.push(ProposedColumn { name, field: None, hive_type: HiveType::String, remark });
        }
        let (table, location) = (table.to_owned(), location.to_owned());
        let has_nameless = shape.fields.iter().any(|(field, _)| field.is_empty());
        Proposal { table, location, columns, more_fields: shape.more_fields, has_nameless }
    }
}

/// The field's name, or the nearest one that Hive can keep and that no column before it has.
fn column_name(field: &str, before: &[ProposedColumn]) -> String {
    let unfit = |c: char| ",`'\";{}()=".contains(c) || c.is_whitespace() || c.is_control();
    let base: String = field.chars().map(|c| if unfit(c) { '_' } else { c }).collect();
    let taken = |name: &str| before.iter().any(|c| c.name.to_lowercase() == name.to_lowercase());
    if !taken(&base) {
        return base;
    }
    (2..).map(|n| format!("{base}_{n}")).find(|name| !taken(name)).expect("there are more numbers than columns")
}

/// The field as a column's source: as a path, since a bare name may mean something else.
fn source(field: &str) -> String {
    format!("$['{}']", field.replace('\\', r"\\").replace('\'', r"\'"))
}

/// In how many messages, and what was mixed.
fn remark(seen: &Shape, messages: u64) -> String {
    let mut out = match (seen.seen(), seen.values()) {
        (_, 0) => "only nulls were seen".to_owned(),
        (n, v) if n >= messages && v >= messages => "in every message".to_owned(),
        (_, v) => format!("a value in {v} of {messages} messages"),
    };
    let kinds = [
        (seen.booleans, "booleans"),
        (seen.integers, "integers"),
        (seen.large, "integers beyond bigint"),
        (seen.fractions, "numbers with a fraction"),
        (seen.strings, "strings"),
        (seen.arrays, "arrays"),
        (seen.objects, "objects"),
        (seen.deep, "values nested too deep to look into"),
    ];
    let kinds: Vec<_> = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, kind)| format!("{n} {kind}")).collect();
    if kinds.len() > 1 || seen.large > 0 {
        out.push_str(&format!("; {}", kinds.join(", ")));
    }
    out
}

/// The type as DDL, with the fields' own spelling, by which JSON is looked up.
fn ddl_type(hive_type: &HiveType, out: &mut String, indent: Option<usize>) {
    match hive_type {
        HiveType::Array(element) => {
            out.push_str("array<");
            ddl_type(element, out, indent);
            out.push('>');
        }
        HiveType::Map(value) => {
            out.push_str("map<string,");
            ddl_type(value, out, indent);
            out.push('>');
        }
        HiveType::Struct(fields) => {
            out.push_str("struct<");
            for (i, field) in fields.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                if let Some(indent) = indent {
                    out.push('\n');
                    out.push_str(&" ".repeat(indent + 2));
                }
                out.push_str(&field.name);
                out.push(':');
                ddl_type(&field.hive_type, out, indent.map(|i| i + 2));
            }
            out.push('>');
        }
        simple => out.push_str(&simple.to_string()),
    }
}

fn written(hive_type: &HiveType) -> String {
    let mut line = String::new();
    ddl_type(hive_type, &mut line, None);
    if line.len() > WIDTH {
        line.clear();
        ddl_type(hive_type, &mut line, Some(2));
    }
    line
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "CREATE EXTERNAL TABLE IF NOT EXISTS {} (", self.table)?;
        for (i, column) in self.columns.iter().enumerate() {
            let comma = if i + 1 < self.columns.len() { "," } else { "" };
            let ProposedColumn { name, hive_type, remark, .. } = column;
            writeln!(f, "  `{name}` {}{comma}  -- {remark}", written(hive_type))?;
        }
        writeln!(f, ")\nSTORED AS PARQUET\nLOCATION '{}'", self.location.replace('\'', "\\'"))?;
        writeln!(f, "TBLPROPERTIES (\"parquet.compress\"=\"SNAPPY\");")?;
        if self.more_fields > 0 {
            writeln!(f, "-- The first {MAX_FIELDS} fields are above; {} more fields were seen.", self.more_fields)?;
        }
        if self.has_nameless {
            writeln!(f, "-- A field whose name is empty was seen; no column can take it.")?;
        }
        let renamed: Vec<_> = self.columns.iter().filter_map(|c| Some((&c.name, c.field.as_ref()?))).collect();
        if !renamed.is_empty() {
            writeln!(f, "\n-- Columns that do not take the field of their name by themselves; in the configuration:")?;
            writeln!(f, "-- [tables.{}.columns]", self.table)?;
            for (name, field) in renamed {
                writeln!(f, "-- {name:?} = {:?}", source(field))?;
            }
        }
        Ok(())
    }
}
