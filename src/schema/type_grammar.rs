//! The grammar of types: `bigint`, `decimal(18,4)`, `array<struct<id:string,at:bigint>>`.

use super::hive_type::{HiveType, StructField};
use super::lexer::{Place, Token};
use super::parser::{Parsed, Parser};

/// Types within types; readers and writers of all engines go down them by recursion.
const MAX_LEVELS: usize = 32;

const KNOWN: &str = "boolean, tinyint, smallint, int, bigint, float, double, decimal(p,s), string, varchar(n), \
                     char(n), binary, date, timestamp, array<…>, map<string,…>, struct<name:type,…>";

impl Parser<'_> {
    /// The type of a column. What no reader could make use of is reported, and the statement read on.
    pub(super) fn column_type(&mut self, column: &str) -> Parsed<HiveType> {
        self.a_type(column, 0)
    }

    fn a_type(&mut self, column: &str, level: usize) -> Parsed<HiveType> {
        let place = self.place();
        let Token::Word(word) = self.peek().clone() else {
            return self.expected(&format!(
                "the type of column `{column}` (a name of other signs than letters, digits and _ stands in back-quotes)"
            ));
        };
        if level > MAX_LEVELS {
            return self.fail(format!("column `{column}`: types nested deeper than {MAX_LEVELS} levels"));
        }
        self.next();
        Ok(match word.to_ascii_lowercase().as_str() {
            "boolean" => HiveType::Boolean,
            "tinyint" => HiveType::TinyInt,
            "smallint" => HiveType::SmallInt,
            "int" | "integer" => HiveType::Int,
            "bigint" | "long" => HiveType::BigInt,
            "float" => HiveType::Float,
            "double" => {
                self.word("precision");
                HiveType::Double
            }
            "decimal" | "numeric" | "dec" => self.decimal(column, place)?,
            "string" => HiveType::String,
            "varchar" => HiveType::Varchar(self.length(column, "varchar", 65_535)?),
            "char" => HiveType::Char(self.length(column, "char", 255)?),
            "binary" => HiveType::Binary,
            "date" => HiveType::Date,
            "timestamp" => {
                if level > 0 {
                    let text = "Hive reads a timestamp inside an array, map or struct in no form of Parquet; \
                                make it a bigint or a string";
                    self.report(place, format!("column `{column}`: {text}"));
                }
                HiveType::Timestamp
            }
            "array" => {
                self.expect_sign('<', "`<` and the type of the elements")?;
                let element = self.a_type(column, level + 1)?;
                self.expect_sign('>', "`>`")?;
                HiveType::Array(Box::new(element))
            }
            "map" => self.map(column, level)?,
            "struct" => self.structure(column, level)?,
            "uniontype" | "interval" | "timestamplocaltz" => {
                self.refuse(place, format!("column `{column}`: no reader of Parquet has type {word}"))
            }
            _ => self.refuse(place, format!("column `{column}`: no such type as `{word}`; expected one of {KNOWN}")),
        })
    }

    /// A type that is reported and passed, arguments and all; any type stands in for it: its statement has failed.
    fn refuse(&mut self, place: Place, message: String) -> HiveType {
        self.report(place, message);
        let mut depth = 0usize;
        loop {
            match self.peek() {
                Token::Sign('(' | '<') => depth += 1,
                Token::Sign(')' | '>') if depth > 0 => depth -= 1,
                Token::End | Token::Sign(';') => return HiveType::String,
                Token::Sign(_) | Token::Word(_) if depth == 0 => return HiveType::String,
                _ => {}
            }
            self.next();
        }
    }

    fn decimal(&mut self, column: &str, place: Place) -> Parsed<HiveType> {
        if !self.sign('(') {
            return Ok(HiveType::Decimal { precision: 10, scale: 0 });
        }
        let precision = self.number("the number of digits")?;
        let scale = if self.sign(',') { self.number("the number of digits behind the point")? } else { 0 };
        self.expect_sign(')', "`)`")?;
        if !(1..=38).contains(&precision) || scale > precision {
            self.report(
                place,
                format!("column `{column}`: decimal({precision},{scale}): expected 1 to 38 digits, at most as many of them behind the point"),
            );
            return Ok(HiveType::Decimal { precision: 10, scale: 0 });
        }
        Ok(HiveType::Decimal { precision: precision as u8, scale: scale as u8 })
    }

    fn length(&mut self, column: &str, word: &str, most: u32) -> Parsed<u32> {
        self.expect_sign('(', &format!("`(` and the length of the {word}"))?;
        let place = self.place();
        let length = self.number("the number of characters")?;
        self.expect_sign(')', "`)`")?;
        if !(1..=most).contains(&length) {
            self.report(place, format!("column `{column}`: {word}({length}): expected 1 to {most} characters"));
        }
        Ok(length.clamp(1, most))
    }

    fn number(&mut self, what: &str) -> Parsed<u32> {
        if let Token::Word(word) = self.peek()
            && let Ok(number) = word.parse()
        {
            self.next();
            return Ok(number);
        }
        self.expected(what)
    }

    fn map(&mut self, column: &str, level: usize) -> Parsed<HiveType> {
        self.expect_sign('<', "`<` and the types of key and value")?;
        let place = self.place();
        let key = self.a_type(column, level + 1)?;
        if key != HiveType::String {
            self.report(
                place,
                format!(
                    "column `{column}`: map keys of type {key}: the keys of JSON are strings; make it map<string,…>"
                ),
            );
        }
        self.expect_sign(',', "`,` and the type of the values")?;
        let value = self.a_type(column, level + 1)?;
        self.expect_sign('>', "`>`")?;
        Ok(HiveType::Map(Box::new(value)))
    }

    fn structure(&mut self, column: &str, level: usize) -> Parsed<HiveType> {
        self.expect_sign('<', "`<` and the fields")?;
        let mut fields: Vec<StructField> = Vec::new();
        loop {
            let place = self.place();
            let name = self.name("the name of a field")?;
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                let text = "Hive and Presto cannot read it; use letters, digits and _";
                self.report(place, format!("column `{column}`: struct field `{name}`: {text}"));
            }
            if let Some(other) = fields.iter().find(|f| f.name.eq_ignore_ascii_case(&name)) {
                let text = format!("struct field `{name}` clashes with `{}`: Hive's names are lower-case", other.name);
                self.report(place, format!("column `{column}`: {text}"));
            }
            self.sign(':');
            let hive_type = self.a_type(column, level + 1)?;
            if self.word("comment") {
                // Hive takes it and keeps it nowhere.
                self.text("the comment, a string")?;
            }
            fields.push(StructField { name, hive_type });
            if self.sign('>') {
                return Ok(HiveType::Struct(fields));
            }
            self.expect_sign(',', "`,` or `>`")?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ddl::{Action, parse};

    /// The type as the metastore has it, or the errors.
    fn parsed(text: &str) -> Result<String, Vec<String>> {
        let (statements, errors) =
            parse("f", &format!("create external table t (`a-b` {text}) stored as parquet location '/t'"));
        if errors.is_empty() {
            let Action::Create(table) = &statements[0].action else { panic!("{text}") };
            Ok(table.columns[0].hive_type.to_string())
        } else {
            Err(errors.iter().map(|e| e.message.clone()).collect())
        }
    }

    #[test]
    fn types_have_the_names_of_the_metastore() {
        for (text, want) in [
            ("LONG", "bigint"),
            ("Double Precision", "double"),
            ("decimal", "decimal(10,0)"),
            ("NUMERIC ( 5 )", "decimal(5,0)"),
            ("dec(38,38)", "decimal(38,38)"),
            ("varchar(65535) comment 'x'", "varchar(65535)"),
            ("char(1)", "char(1)"),
            ("date", "date"),
            ("array< array<Int> >", "array<array<int>>"),
            ("map<string,map<STRING,decimal(3,1)>>", "map<string,map<string,decimal(3,1)>>"),
            (
                "struct<Id:string comment 'the id', `At`: long,x:struct<y:date>>",
                "struct<id:string,at:bigint,x:struct<y:date>>",
            ),
        ] {
            assert_eq!(parsed(text), Ok(want.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_readers_cannot_use_is_refused_with_the_reason() {
        let deep = format!("{}int{}", "array<".repeat(40), ">".repeat(40));
        for (text, want) in [
            ("decimal(39,0)", "1 to 38 digits"),
            ("decimal(3,4)", "at most as many"),
            ("decimal(x)", "expected the number of digits, found `x`"),
            ("varchar", "expected `(` and the length of the varchar"),
            ("varchar(0)", "1 to 65535 characters"),
            ("char(256)", "1 to 255 characters"),
            ("array", "`<` and the type of the elements"),
            ("array<timestamp>", "make it a bigint or a string"),
            ("struct<a:map<string,timestamp>>", "make it a bigint or a string"),
            ("map<int,string>", "make it map<string,…>"),
            ("struct<`a-b`:int>", "struct field `a-b`: Hive and Presto cannot read it"),
            ("struct<a:int,A:int>", "`A` clashes with `a`"),
            ("uniontype<int,string>", "no reader of Parquet has type uniontype"),
            ("array<integr>", "no such type as `integr`; expected one of boolean"),
            (&deep, "nested deeper than 32 levels"),
        ] {
            let errors = parsed(text).expect_err(text);
            assert!(errors.len() == 1 && errors[0].contains(want), "{text}: {errors:?}");
        }
    }
}
