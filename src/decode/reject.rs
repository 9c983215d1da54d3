//! Why a message is no good.

use std::fmt;

/// The reason of a dead letter, as its table's `reason` column holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Not one JSON document by RFC 8259, or blank.
    MalformedJson,
    /// Not UTF-8.
    InvalidUtf8,
    /// JSON, but no object.
    NotAnObject,
    /// Longer than `messages.max_message_bytes`.
    TooLarge,
    /// Nested deeper than `messages.max_depth`.
    TooDeep,
    /// A good message that no route wants.
    Unrouted,
    /// A good message with a value of another type than its column.
    TypeError,
    /// A message with a null value.
    Tombstone,
}

impl Reason {
    /// Every reason, for metrics that show a zero.
    pub const ALL: [Reason; 8] = [
        Reason::MalformedJson,
        Reason::InvalidUtf8,
        Reason::NotAnObject,
        Reason::TooLarge,
        Reason::TooDeep,
        Reason::Unrouted,
        Reason::TypeError,
        Reason::Tombstone,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::MalformedJson => "malformed_json",
            Reason::InvalidUtf8 => "invalid_utf8",
            Reason::NotAnObject => "not_an_object",
            Reason::TooLarge => "too_large",
            Reason::TooDeep => "too_deep",
            Reason::Unrouted => "unrouted",
            Reason::TypeError => "type_error",
            Reason::Tombstone => "tombstone",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A message that becomes no row of its tables.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Reject {
    /// Why.
    pub reason: Reason,
    /// Where and what, in words.
    pub detail: String,
}

impl Reject {
    /// A reject with its detail.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Reject {
        Reject { reason, detail: detail.into() }
    }
}
