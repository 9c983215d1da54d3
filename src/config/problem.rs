//! What is wrong with a configuration: all of it at once.

use std::fmt;

use crate::fault::Fault;

/// One thing wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Full path of the key as TOML writes it, such as `trigger.interval`; empty where a file as a whole is at fault.
    pub key: String,
    /// What is wrong and what is allowed. Never holds the value of a secret.
    pub message: String,
    /// The file or environment variable it came from, if known.
    pub origin: Option<String>,
}

impl fmt::Display for Problem {
    /// `key: message [origin]`, or `key = value: message [origin]` when the message starts with a value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if !self.key.is_empty() && !self.message.starts_with(" = ") {
            f.write_str(": ")?;
        }
        f.write_str(&self.message)?;
        match &self.origin {
            Some(origin) => write!(f, " [{origin}]"),
            None => Ok(()),
        }
    }
}

/// A configuration that cannot be used, with everything that is wrong with it. Always [`Fault::Config`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// An error of these problems, of which there is at least one.
    pub(super) fn new(problems: Vec<Problem>) -> ConfigError {
        debug_assert!(!problems.is_empty(), "an error without a problem");
        ConfigError { problems }
    }

    /// Everything that is wrong, in the order of the files and then of the documentation.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Whose fault it is: the configuration's.
    pub fn fault(&self) -> Fault {
        Fault::Config
    }
}

impl fmt::Display for ConfigError {
    /// A header line, then one line for each problem.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => f.write_str("the configuration has one error:")?,
            many => write!(f, "the configuration has {many} errors:")?,
        }
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_header_and_one_line_for_each_problem() {
        let problem = |key: &str, message: &str, origin: Option<&str>| Problem {
            key: key.to_owned(),
            message: message.to_owned(),
            origin: origin.map(str::to_owned),
        };
        let error = ConfigError::new(vec![
            problem("a.b", " = 5: not text", Some("x.toml")),
            problem("c", "unknown key", None),
            problem("", "y.toml cannot be read", None),
        ]);
        assert_eq!(
            error.to_string(),
            "the configuration has 3 errors:\n  a.b = 5: not text [x.toml]\n  c: unknown key\n  y.toml cannot be read"
        );
        assert_eq!(error.fault(), Fault::Config);
        assert_eq!(error.problems().len(), 3);
    }
}
