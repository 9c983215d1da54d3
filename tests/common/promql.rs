//! A reader of PromQL, as far as the board and the alert rules of this repository need it: grammar, types, and which metrics
//! and labels are named where. What it does not know, it refuses. `promtool` and Prometheus itself agree with it on every
//! expression here (tried by hand; neither is at hand in the tests).

use std::collections::BTreeSet;

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Number,
    Duration,
    Text(String),
    Sign(&'static str),
}

/// What an expression gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Scalar,
    Vector,
    Range,
    Text,
}

/// A metric named in an expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    pub name: String,
    /// Label, and the value or the pattern that it is compared with.
    pub matchers: Vec<(String, String)>,
    /// The function over a range that it stands in.
    pub within: Option<String>,
}

/// Labels named in a list, and the metrics that they are labels of.
#[derive(Debug, Clone, PartialEq)]
pub struct Labels {
    pub names: Vec<String>,
    pub of: Vec<String>,
}

/// What an expression says.
#[derive(Debug, Default)]
pub struct Expression {
    pub uses: Vec<Use>,
    pub labels: Vec<Labels>,
}

const SIGNS: [&str; 23] = [
    "==", "!=", ">=", "<=", "=~", "!~", "(", ")", "{", "}", "[", "]", ",", "=", ">", "<", "+", "-", "*", "/", "%", "^",
    ":",
];
const AGGREGATIONS: [&str; 7] = ["sum", "max", "min", "avg", "count", "topk", "bottomk"];
/// Functions, what they take and what they give.
const FUNCTIONS: [(&str, &[Type], Type); 15] = [
    ("rate", &[Type::Range], Type::Vector),
    ("increase", &[Type::Range], Type::Vector),
    ("changes", &[Type::Range], Type::Vector),
    ("deriv", &[Type::Range], Type::Vector),
    ("delta", &[Type::Range], Type::Vector),
    ("max_over_time", &[Type::Range], Type::Vector),
    ("min_over_time", &[Type::Range], Type::Vector),
    ("avg_over_time", &[Type::Range], Type::Vector),
    ("histogram_quantile", &[Type::Scalar, Type::Vector], Type::Vector),
    ("absent", &[Type::Vector], Type::Vector),
    ("clamp_min", &[Type::Vector, Type::Scalar], Type::Vector),
    ("clamp_max", &[Type::Vector, Type::Scalar], Type::Vector),
    ("scalar", &[Type::Vector], Type::Scalar),
    ("vector", &[Type::Scalar], Type::Vector),
    ("time", &[], Type::Scalar),
];
/// Binary operators, the weakest first.
const OPERATORS: [&[&str]; 6] =
    [&["or"], &["and", "unless"], &["==", "!=", ">", "<", ">=", "<="], &["+", "-"], &["*", "/", "%"], &["^"]];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let (mut found, mut rest) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        let run = |fits: fn(char) -> bool| rest.find(|c| !fits(c)).unwrap_or(rest.len());
        let taken = if first.is_ascii_alphabetic() || first == '_' {
            let end = run(|c| c.is_ascii_alphanumeric() || c == '_');
            found.push(Token::Word(rest[..end].to_owned()));
            end
        } else if first.is_ascii_digit() {
            let end = run(|c| c.is_ascii_alphanumeric() || c == '.');
            let word = &rest[..end];
            let is_number = word.parse::<f64>().is_ok();
            if !is_number && !is_duration(word) {
                return Err(format!("{word} is neither a number nor a duration"));
            }
            found.push(if is_number { Token::Number } else { Token::Duration });
            end
        } else if first == '"' {
            let inner = rest[1..].split_once('"').ok_or("a string does not end")?.0;
            if inner.contains('\\') {
                return Err("an escape in a string: teach the reader".to_owned());
            }
            found.push(Token::Text(inner.to_owned()));
            inner.len() + 2
        } else {
            let sign = SIGNS.iter().find(|s| rest.starts_with(**s)).ok_or_else(|| format!("what is {rest}"))?;
            found.push(Token::Sign(sign));
            sign.len()
        };
        rest = rest[taken..].trim_start();
    }
    Ok(found)
}

/// `5m`, `1h30m`.
pub fn is_duration(word: &str) -> bool {
    let mut rest = word;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = rest[digits..].find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len() - digits);
        if digits == 0 || !["ms", "s", "m", "h", "d", "w"].contains(&&rest[digits..digits + unit]) {
            return false;
        }
        rest = &rest[digits + unit..];
    }
    !word.is_empty()
}

/// Reads an expression, and what it gives.
pub fn parse(text: &str) -> Result<(Expression, Type), String> {
    let tokens = tokens(text)?;
    let mut p = Parser { tokens, at: 0, found: Expression::default(), within: Vec::new() };
    let gives = p.binary(0)?;
    match p.tokens.get(p.at) {
        None => Ok((p.found, gives)),
        Some(more) => Err(format!("{more:?} follows the end")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    found: Expression,
    within: Vec<String>,
}

impl Parser {
    fn next_is(&mut self, sign: &str) -> bool {
        let is = match self.tokens.get(self.at) {
            Some(Token::Sign(s)) => *s == sign,
            Some(Token::Word(w)) => w == sign,
            _ => false,
        };
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.next_is(sign) { Ok(()) } else { Err(format!("{sign} expected before {:?}", self.tokens.get(self.at))) }
    }

    fn word(&mut self) -> Result<String, String> {
        match self.tokens.get(self.at) {
            Some(Token::Word(w)) => {
                self.at += 1;
                Ok(w.clone())
            }
            other => Err(format!("a name expected, not {other:?}")),
        }
    }

    fn binary(&mut self, level: usize) -> Result<Type, String> {
        let Some(operators) = OPERATORS.get(level) else { return self.unary() };
        let before = self.found.uses.len();
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = operators.iter().find(|o| self.next_is(o)) {
            self.next_is("bool");
            let lists = self.found.labels.len();
            if self.next_is("on") || self.next_is("ignoring") {
                self.labels()?;
                if self.next_is("group_left") || self.next_is("group_right") {
                    self.labels()?;
                }
            }
            let right = self.binary(level + 1)?;
            for list in lists..self.found.labels.len() {
                let of = self.names_since(before);
                let list = &mut self.found.labels[list];
                if list.of.is_empty() {
                    list.of = of;
                }
            }
            let are_sets = level < 2;
            left = match (left, right) {
                (Type::Vector, Type::Vector) => Type::Vector,
                (Type::Vector, Type::Scalar) | (Type::Scalar, Type::Vector) if !are_sets => Type::Vector,
                (Type::Scalar, Type::Scalar) if level > 2 => Type::Scalar,
                other => return Err(format!("{operator} between {other:?}")),
            };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Type, String> {
        if self.next_is("-") || self.next_is("+") {
            return self.unary();
        }
        match self.tokens.get(self.at).cloned() {
            Some(Token::Number) => {
                self.at += 1;
                Ok(Type::Scalar)
            }
            Some(Token::Text(_)) => {
                self.at += 1;
                Ok(Type::Text)
            }
            Some(Token::Sign("(")) => {
                self.at += 1;
                let gives = self.binary(0)?;
                self.expect(")")?;
                Ok(gives)
            }
            Some(Token::Word(word)) => {
                self.at += 1;
                if AGGREGATIONS.contains(&word.as_str()) {
                    return self.aggregation(&word);
                }
                match FUNCTIONS.iter().find(|(name, ..)| *name == word) {
                    Some((name, takes, gives)) => self.function(name, takes).map(|()| *gives),
                    None => self.selector(word),
                }
            }
            other => Err(format!("an expression expected, not {other:?}")),
        }
    }

    fn names_since(&self, before: usize) -> Vec<String> {
        self.found.uses[before..].iter().map(|u| u.name.clone()).collect()
    }

    fn labels(&mut self) -> Result<(), String> {
        self.expect("(")?;
        let mut names = Vec::new();
        while !self.next_is(")") {
            names.push(self.word()?);
            self.next_is(",");
        }
        self.found.labels.push(Labels { names, of: Vec::new() });
        Ok(())
    }

    fn grouping(&mut self) -> Result<bool, String> {
        let is = self.next_is("by") || self.next_is("without");
        if is {
            self.labels()?;
        }
        Ok(is)
    }

    fn aggregation(&mut self, name: &str) -> Result<Type, String> {
        let (before, lists) = (self.found.uses.len(), self.found.labels.len());
        let grouped = self.grouping()?;
        self.expect("(")?;
        if name.ends_with('k') {
            if self.binary(0)? != Type::Scalar {
                return Err(format!("{name} takes a number first"));
            }
            self.expect(",")?;
        }
        if self.binary(0)? != Type::Vector {
            return Err(format!("{name} takes a vector"));
        }
        self.expect(")")?;
        if !grouped {
            self.grouping()?;
        }
        let of = self.names_since(before);
        self.found.labels[lists..].iter_mut().filter(|l| l.of.is_empty()).for_each(|l| l.of.clone_from(&of));
        Ok(Type::Vector)
    }

    fn function(&mut self, name: &str, takes: &[Type]) -> Result<(), String> {
        self.expect("(")?;
        self.within.push(name.to_owned());
        for (k, wanted) in takes.iter().enumerate() {
            if k > 0 {
                self.expect(",")?;
            }
            let given = self.binary(0)?;
            if given != *wanted {
                return Err(format!("{name} takes {wanted:?} and is given {given:?}"));
            }
        }
        self.within.pop();
        self.expect(")")
    }

    fn selector(&mut self, name: String) -> Result<Type, String> {
        let mut matchers = Vec::new();
        if self.next_is("{") {
            while !self.next_is("}") {
                let label = self.word()?;
                if !["=", "!=", "=~", "!~"].iter().any(|o| self.next_is(o)) {
                    return Err(format!("{label} is compared with nothing"));
                }
                let Some(Token::Text(value)) = self.tokens.get(self.at).cloned() else {
                    return Err(format!("{label} is not compared with a string"));
                };
                self.at += 1;
                matchers.push((label, value));
                self.next_is(",");
            }
        }
        let ranged = self.next_is("[");
        if ranged {
            self.duration()?;
            self.expect("]")?;
        }
        if self.next_is("offset") {
            self.duration()?;
        }
        let within = self.within.last().filter(|_| ranged).cloned();
        self.found.uses.push(Use { name, matchers, within });
        Ok(if ranged { Type::Range } else { Type::Vector })
    }

    fn duration(&mut self) -> Result<(), String> {
        match self.tokens.get(self.at) {
            Some(Token::Duration) => {
                self.at += 1;
                Ok(())
            }
            other => Err(format!("a duration expected, not {other:?}")),
        }
    }
}

impl Expression {
    /// The names of all metrics.
    pub fn names(&self) -> BTreeSet<&str> {
        self.uses.iter().map(|u| u.name.as_str()).collect()
    }
}
