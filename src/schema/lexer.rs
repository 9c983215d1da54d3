//! Words, names, strings and signs of HiveQL, each with its place in the file.

/// A place in a file, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub line: usize,
    pub column: usize,
}

/// What stands at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword or a bare name.
    Word(String),
    /// A back-quoted name, without its quotes.
    Name(String),
    /// A string, without its quotes, escapes resolved.
    Text(String),
    /// Any other sign.
    Sign(char),
    /// The end of the file.
    End,
}

impl Token {
    /// The token as an error message shows it.
    pub(super) fn show(&self) -> String {
        match self {
            Token::Word(w) => format!("`{w}`"),
            Token::Name(n) => format!("the name `{n}`"),
            Token::Text(t) => format!("the string '{t}'"),
            Token::Sign(c) => format!("`{c}`"),
            Token::End => "the end of the file".to_owned(),
        }
    }

    /// Whether it is this keyword, in any case. A back-quoted name never is.
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(self, Token::Word(w) if w.eq_ignore_ascii_case(keyword))
    }
}

struct Cursor<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    place: Place,
}

impl Cursor<'_> {
    fn peek(&mut self) -> Option<char> {
        self.rest.peek().copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\n' {
            self.place = Place { line: self.place.line + 1, column: 1 };
        } else {
            self.place.column += 1;
        }
        Some(c)
    }

    fn take_while(&mut self, into: &mut String, keep: impl Fn(char) -> bool) {
        while let Some(c) = self.peek().filter(|&c| keep(c)) {
            into.push(c);
            self.next();
        }
    }
}

/// The tokens of `text`, an [`Token::End`] last; or the place and text of the first error.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Place)>, (Place, String)> {
    let mut out = Vec::new();
    let mut at = Cursor { rest: text.chars().peekable(), place: Place { line: 1, column: 1 } };
    loop {
        let place = at.place;
        let Some(c) = at.next() else {
            out.push((Token::End, place));
            return Ok(out);
        };
        match c {
            c if c.is_whitespace() || c == '\u{feff}' => {}
            '-' if at.peek() == Some('-') => while at.next().is_some_and(|c| c != '\n') {},
            '/' if at.peek() == Some('*') => block_comment(&mut at, place)?,
            '`' => out.push((Token::Name(name(&mut at, place)?), place)),
            '\'' | '"' => out.push((Token::Text(string(&mut at, c, place)?), place)),
            c if c.is_ascii_alphanumeric() || c == '_' => {
                let mut word = c.to_string();
                at.take_while(&mut word, |c| c.is_ascii_alphanumeric() || c == '_');
                out.push((Token::Word(word), place));
            }
            c => out.push((Token::Sign(c), place)),
        }
    }
}

fn block_comment(at: &mut Cursor<'_>, start: Place) -> Result<(), (Place, String)> {
    at.next();
    loop {
        match at.next() {
            Some('*') if at.peek() == Some('/') => {
                at.next();
                return Ok(());
            }
            Some(_) => {}
            None => return Err((start, "this comment is never closed; expected `*/`".to_owned())),
        }
    }
}

fn name(at: &mut Cursor<'_>, start: Place) -> Result<String, (Place, String)> {
    let mut name = String::new();
    loop {
        match at.next() {
            Some('`') if at.peek() == Some('`') => {
                at.next();
                name.push('`');
            }
            Some('`') => return Ok(name),
            Some(c) => name.push(c),
            None => return Err((start, "this name is never closed; expected a back-quote".to_owned())),
        }
    }
}

/// Hive's escapes: `\n` and the like; before any other character the backslash only quotes it.
fn string(at: &mut Cursor<'_>, quote: char, start: Place) -> Result<String, (Place, String)> {
    let mut text = String::new();
    while let Some(c) = at.next() {
        match c {
            c if c == quote => return Ok(text),
            '\\' => match at.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('r') => text.push('\r'),
                Some('b') => text.push('\u{8}'),
                Some('0') => text.push('\0'),
                // Hive keeps the backslash before LIKE's wild cards.
                Some(c @ ('%' | '_')) => text.extend(['\\', c]),
                Some(c) => text.push(c),
                None => break,
            },
            c => text.push(c),
        }
    }
    Err((start, format!("this string is never closed; expected {quote}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lex(text: &str) -> Vec<Token> {
        tokens(text).unwrap().into_iter().map(|(t, _)| t).collect()
    }

    #[test]
    fn words_names_strings_and_comments() {
        let got = lex("create `User-``Agent` -- no\n /* no\n * */ 'it\\'s\\n' \"a'b\" (9x_)");
        let want = [
            Token::Word("create".into()),
            Token::Name("User-`Agent".into()),
            Token::Text("it's\n".into()),
            Token::Text("a'b".into()),
            Token::Sign('('),
            Token::Word("9x_".into()),
            Token::Sign(')'),
            Token::End,
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn what_is_never_closed_is_named_where_it_starts() {
        for (text, place, what) in [
            ("a\n  'b", (2, 3), "string"),
            ("/* a", (1, 1), "comment"),
            ("a `b", (1, 3), "name"),
            ("'a\\", (1, 1), "'"),
        ] {
            let (at, message) = tokens(text).unwrap_err();
            assert_eq!((at.line, at.column), place, "{text}");
            assert!(message.contains(what), "{message}");
        }
    }

    #[test]
    fn places_count_lines_and_characters() {
        let at: Vec<_> = tokens("é a\r\n\tb").unwrap().into_iter().map(|(_, p)| (p.line, p.column)).collect();
        assert_eq!(at, [(1, 1), (1, 3), (2, 2), (2, 3)]);
    }
}
