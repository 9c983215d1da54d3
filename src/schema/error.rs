//! What is wrong with a migration.

use std::fmt;

/// What is wrong with a migration, and where. A configuration fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationError {
    /// File name.
    pub file: String,
    /// Line from 1; 0 when the error is of the file as a whole.
    pub line: usize,
    /// Column from 1, in characters; 0 when the error is of the file as a whole.
    pub column: usize,
    /// What was expected.
    pub message: String,
}

impl fmt::Display for MigrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            _ => write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message),
        }
    }
}

impl std::error::Error for MigrationError {}
