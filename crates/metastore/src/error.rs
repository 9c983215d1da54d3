//! What a call can end in.

use std::time::Duration;

use volo_thrift::ClientError;

/// Why a call failed: by what the server threw, or because there was no answer. Texts are one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `AlreadyExistsException`
    #[error("already exists: {0}")]
    AlreadyExists(String),
    /// `NoSuchObjectException`
    #[error("no such object: {0}")]
    NoSuchObject(String),
    /// `InvalidObjectException`: the definition is refused; a missing database too when a table is created.
    #[error("invalid object: {0}")]
    InvalidObject(String),
    /// `InvalidOperationException`
    #[error("invalid operation: {0}")]
    InvalidOperation(String),
    /// `MetaException`, or an error inside the server that it did not declare: its database or its file system, or,
    /// after 20 s of retries inside Hive 3.1, a definition that its database cannot hold.
    #[error("metastore error: {0}")]
    Meta(String),
    /// No connection, or it broke: the outcome of a call that changes something is unknown.
    #[error("{0}")]
    Transport(String),
    /// No answer within the limit: the outcome of a call that changes something is unknown.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

impl Error {
    /// Whether the connection is to be made anew, the name resolved again.
    pub(crate) fn spoils_connection(&self) -> bool {
        matches!(self, Error::Transport(_) | Error::TimedOut(_))
    }
}

impl From<ClientError> for Error {
    fn from(e: ClientError) -> Error {
        match e {
            // the server's catch-all ("Internal error processing get_table_req", unknown method)
            ClientError::Application(e) => Error::Meta(first_line(e.message())),
            e => Error::Transport(without_call(&first_line(&e.to_string()))),
        }
    }
}

/// The generated client tells of the call in Rust's own form, which says nothing to who reads it.
fn without_call(text: &str) -> String {
    let end = [", cx: ", ", rpc_info: "].iter().filter_map(|mark| text.find(mark)).min();
    text[..end.unwrap_or(text.len())].to_owned()
}

/// The message of an exception without the Java stack that some carry.
pub(crate) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}
