//! A cursor over the tokens of one file that collects errors; the grammar itself is in `ddl.rs`.

use super::error::MigrationError;
use super::lexer::{Place, Token, tokens};

fn error(file: &str, place: Place, message: String) -> MigrationError {
    MigrationError { file: file.to_owned(), line: place.line, column: place.column, message }
}

/// The error is recorded; the statement cannot be read further.
pub(super) struct Stop;
pub(super) type Parsed<T> = Result<T, Stop>;

/// Database, if it is named, and name of a table.
pub(super) type TableName = (Option<String>, String);

pub(super) struct Parser<'a> {
    /// File name, for errors and for [`super::Table::migration`].
    pub file: &'a str,
    /// The errors so far.
    pub errors: Vec<MigrationError>,
    /// The table that the statement is about, as far as it was read.
    pub table: Option<TableName>,
    tokens: Vec<(Token, Place)>,
    at: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(file: &'a str, text: &str) -> Result<Parser<'a>, MigrationError> {
        let tokens = tokens(text).map_err(|(place, message)| error(file, place, message))?;
        Ok(Parser { file, errors: Vec::new(), table: None, tokens, at: 0 })
    }

    pub(super) fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    /// The token that comes `ahead` of the next one.
    pub(super) fn peek_at(&self, ahead: usize) -> &Token {
        &self.tokens[(self.at + ahead).min(self.tokens.len() - 1)].0
    }

    /// Which token is next, for [`Parser::text_since`].
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// What was read since then, in one spelling: without comments, white space and the `;`. Checksums that stand in
    /// metastores are made of it, so it must never change.
    pub(super) fn text_since(&self, position: usize) -> String {
        let mut text = String::new();
        for (token, _) in &self.tokens[position..self.at] {
            match token {
                Token::Word(word) => text.push_str(word),
                Token::Name(name) => text.extend(["`", name]),
                Token::Text(string) => text.extend(["'", string]),
                Token::Sign(';') | Token::End => continue,
                Token::Sign(sign) => text.push(*sign),
            }
            text.push('\0');
        }
        text
    }

    pub(super) fn place(&self) -> Place {
        self.tokens[self.at].1
    }

    pub(super) fn next(&mut self) -> Token {
        let token = self.peek().clone();
        // The last token, End, is never passed.
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    pub(super) fn sign(&mut self, c: char) -> bool {
        let hit = *self.peek() == Token::Sign(c);
        if hit {
            self.next();
        }
        hit
    }

    pub(super) fn word(&mut self, keyword: &str) -> bool {
        let hit = self.peek().is(keyword);
        if hit {
            self.next();
        }
        hit
    }

    pub(super) fn report(&mut self, place: Place, message: impl Into<String>) {
        self.errors.push(error(self.file, place, message.into()));
    }

    pub(super) fn fail<T>(&mut self, message: impl Into<String>) -> Parsed<T> {
        self.report(self.place(), message);
        Err(Stop)
    }

    pub(super) fn expected<T>(&mut self, what: &str) -> Parsed<T> {
        let found = self.peek().show();
        self.fail(format!("expected {what}, found {found}"))
    }

    pub(super) fn expect_sign(&mut self, c: char, what: &str) -> Parsed<()> {
        if self.sign(c) { Ok(()) } else { self.expected(what) }
    }

    pub(super) fn expect_word(&mut self, keyword: &str) -> Parsed<()> {
        if self.word(keyword) { Ok(()) } else { self.expected(&keyword.to_uppercase()) }
    }

    pub(super) fn name(&mut self, what: &str) -> Parsed<String> {
        match self.peek().clone() {
            Token::Word(n) | Token::Name(n) => {
                self.next();
                Ok(n)
            }
            _ => self.expected(what),
        }
    }

    pub(super) fn text(&mut self, what: &str) -> Parsed<String> {
        match self.peek().clone() {
            Token::Text(t) => {
                self.next();
                Ok(t)
            }
            _ => self.expected(what),
        }
    }

    pub(super) fn end_of_statement(&mut self, what: &str) -> Parsed<()> {
        if *self.peek() == Token::End || self.sign(';') { Ok(()) } else { self.expected(what) }
    }

    pub(super) fn skip_statement(&mut self) {
        while *self.peek() != Token::End && !self.sign(';') {
            self.next();
        }
    }
}
