//! Whose fault an error is, and so what is done about it. Retry logic reads this and never an error's text.

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The configuration, a migration or the command line: a person must change it. Exit code 78.
    Config,
    /// A message or a file holds what it must not: a person must look. Exit code 65.
    BadData,
    /// A service is away, slow or busy: the same call may succeed later. Exit code 69 at start-up.
    Retry,
    /// Another daemon of the job went ahead: forget what is held and read the log again. Exit code 75.
    Fenced,
    /// landfall itself: must not happen. Exit code 70.
    Bug,
}

impl Fault {
    /// The process's exit code, as in sysexits.h, when this fault ends it.
    pub fn exit_code(self) -> u8 {
        match self {
            Fault::Config => 78,
            Fault::BadData => 65,
            Fault::Retry => 69,
            Fault::Fenced => 75,
            Fault::Bug => 70,
        }
    }
}
