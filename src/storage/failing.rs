//! Calls that a test can make fail.

use std::future::Future;

use super::port::StorageError;
use crate::failpoint::around;

/// Makes the call at a named point of the protocol; see [`crate::failpoint`].
pub async fn at<T>(
    point: &'static str,
    path: &str,
    call: impl Future<Output = Result<T, StorageError>>,
) -> Result<T, StorageError> {
    let failed = || StorageError::Unavailable { op: point, path: path.to_owned(), reason: "failpoint".to_owned() };
    around(point, failed, call).await
}

/// The same within a client, whose errors are of another kind.
pub(super) async fn io<T, E: From<std::io::Error>>(
    point: &'static str,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    around(point, || std::io::Error::other("failpoint").into(), call).await
}
