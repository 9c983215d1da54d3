//! Storage calls that a test can make fail.

use std::future::Future;

use super::port::StorageError;
use crate::failpoint::{Injected, reached};

/// Makes the call at a named place of the protocol; see [`crate::failpoint`].
pub async fn at<T>(
    place: &'static str,
    path: &str,
    call: impl Future<Output = Result<T, StorageError>>,
) -> Result<T, StorageError> {
    let injected = reached(place);
    if injected == Some(Injected::Error) {
        return Err(failed(place, path));
    }
    let answer = call.await?;
    if injected == Some(Injected::LostReply) { Err(failed(place, path)) } else { Ok(answer) }
}

fn failed(place: &'static str, path: &str) -> StorageError {
    StorageError::Unavailable { op: place, path: path.to_owned(), reason: "failpoint".to_owned() }
}
