//! What stands after the columns of a `CREATE EXTERNAL TABLE`.

use std::collections::BTreeMap;

use super::lexer::Token;
use super::parser::{Parsed, Parser};

/// What stands after the columns.
#[derive(Default)]
pub(super) struct Clauses {
    pub comment: Option<String>,
    pub location: Option<String>,
    pub properties: Option<BTreeMap<String, String>>,
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
            } else if self.word("tblproperties") {
                twice(c.properties.is_some(), self)?;
                c.properties = Some(self.properties()?);
            } else if self.peek().is("row") {
                return self.fail("ROW FORMAT: STORED AS PARQUET says it all; write only that");
            } else if self.peek().is("using") {
                return self.fail("USING is Spark's own; write STORED AS PARQUET");
            } else if ["partitioned", "clustered", "sorted", "skewed"].iter().any(|w| self.peek().is(w)) {
                let word = self.peek().show();
                return self.fail(format!("{word} … is not supported yet; expected STORED AS PARQUET LOCATION '…'"));
            } else if *self.peek() == Token::End || self.sign(';') {
                if !parquet {
                    self.report(place, "expected STORED AS PARQUET before the statement's end");
                }
                if c.location.is_none() {
                    self.report(place, "expected LOCATION '/path' before the statement's end: the table is external");
                }
                return Ok(c);
            } else {
                return self.expected("COMMENT, STORED AS PARQUET, LOCATION, TBLPROPERTIES or `;`");
            }
        }
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
