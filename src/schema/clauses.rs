//! What stands after the columns of a `CREATE EXTERNAL TABLE`.

use std::collections::BTreeMap;

use super::hive_type::HiveType;
use super::lexer::{Place, Token};
use super::parser::{Parsed, Parser};
use super::partition;
use super::table::Column;

/// Room for a partition column's name in the metastore's database, in characters.
const MAX_KEY: usize = 128;

/// What stands after the columns.
#[derive(Default)]
pub(super) struct Clauses {
    pub comment: Option<String>,
    pub location: Option<String>,
    pub properties: Option<BTreeMap<String, String>>,
    /// Of PARTITIONED BY, each with its place; none: the clause is not there.
    pub partitioned: Vec<(Column, Place)>,
}

impl Parser<'_> {
    /// All clauses and the end of the statement.
    pub(super) fn clauses(&mut self) -> Parsed<Clauses> {
        let mut c = Clauses::default();
        let mut parquet = false;
        loop {
            let place = self.place();
            let twice = |given: bool, p: &mut Self| match given {
                true => p.expected("`;`: this clause is there already"),
                false => Ok(()),
            };
            if self.word("comment") {
                twice(c.comment.is_some(), self)?;
                c.comment = Some(self.text("the comment, a string")?);
            } else if self.word("stored") {
                twice(parquet, self)?;
                parquet = true;
                self.expect_word("as")?;
                if !self.word("parquet") {
                    return self.expected("PARQUET: landfall writes nothing else; write STORED AS PARQUET");
                }
            } else if self.word("location") {
                twice(c.location.is_some(), self)?;
                let place = self.place();
                let location = self.text("the location, a string")?;
                if !location.starts_with('/') && !location.contains("://") {
                    self.report(place, format!("LOCATION '{location}': expected an absolute path or a URI"));
                }
                c.location = Some(location);
            } else if self.word("partitioned") {
                twice(!c.partitioned.is_empty(), self)?;
                self.expect_word("by")?;
                self.expect_sign('(', "`(` and the partition columns, each with its type")?;
                c.partitioned = self.columns()?;
            } else if self.word("tblproperties") {
                twice(c.properties.is_some(), self)?;
                c.properties = Some(self.properties()?);
            } else if self.peek().is("row") {
                return self.fail("ROW FORMAT: STORED AS PARQUET says it all; write only that");
            } else if self.peek().is("using") {
                return self.fail("USING is Spark's own; write STORED AS PARQUET");
            } else if ["clustered", "sorted", "skewed"].iter().any(|w| self.peek().is(w)) {
                let word = self.peek().show();
                return self.fail(format!("{word} … is not supported; expected STORED AS PARQUET LOCATION '…'"));
            } else if *self.peek() == Token::End || self.sign(';') {
                if !parquet {
                    self.report(place, "expected STORED AS PARQUET before the statement's end");
                }
                if c.location.is_none() {
                    self.report(place, "expected LOCATION '/path' before the statement's end: the table is external");
                }
                return Ok(c);
            } else {
                return self.expected("COMMENT, PARTITIONED BY, STORED AS PARQUET, LOCATION, TBLPROPERTIES or `;`");
            }
        }
    }

    /// What is wrong with partition columns is reported.
    pub(super) fn partition_columns(
        &mut self,
        columns: &[(Column, Place)],
        partitioned: Vec<(Column, Place)>,
    ) -> Vec<Column> {
        use HiveType as T;
        let room = partition::room(partitioned.len());
        for (key, place) in &partitioned {
            let name = &key.name;
            if let Some((other, _)) = columns.iter().find(|(c, _)| c.physical_name == key.physical_name) {
                let there = format!("partition column `{name}` clashes with column `{}`", other.name);
                self.report(*place, format!("{there}: declare it in PARTITIONED BY only"));
            }
            let known = matches!(
                key.hive_type,
                T::String | T::Varchar(_) | T::TinyInt | T::SmallInt | T::Int | T::BigInt | T::Date
            );
            if !known {
                let what = format!("partition column `{name}` is a {}", key.hive_type);
                self.report(
                    *place,
                    format!("{what}; expected string, varchar(n), tinyint, smallint, int, bigint or date"),
                );
            }
            if name.starts_with(['_', '.']) {
                let what = format!("partition column `{name}`: readers skip directories whose names begin like this");
                self.report(*place, format!("{what}; leave the first character out"));
            }
            if name.chars().count() > MAX_KEY {
                let what = format!("partition column `{name:.40}…` is longer than {MAX_KEY} characters");
                self.report(*place, format!("{what}: the metastore has no room for it"));
            } else if partition::least(&key.physical_name) > room {
                let what = format!("partition column `{name}`: {} partition columns", partitioned.len());
                self.report(*place, format!("{what} leave {room} bytes for its name and value, which are too few"));
            }
        }
        partitioned.into_iter().map(|(column, _)| column).collect()
    }

    fn properties(&mut self) -> Parsed<BTreeMap<String, String>> {
        let mut properties = BTreeMap::new();
        self.expect_sign('(', "`(`")?;
        loop {
            let place = self.place();
            let key = self.text("a property's name, a string")?;
            self.expect_sign('=', "`=`")?;
            let value = self.text("the property's value, a string")?;
            if key.to_ascii_lowercase().starts_with("landfall.") {
                self.report(place, format!("property '{key}': names that begin with landfall. are landfall's own"));
            }
            if properties.insert(key.clone(), value).is_some() {
                self.report(place, format!("property '{key}' is there twice"));
            }
            if self.sign(')') {
                return Ok(properties);
            }
            self.expect_sign(',', "`,` or `)`")?;
        }
    }
}
