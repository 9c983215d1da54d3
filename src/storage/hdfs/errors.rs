//! What the client said, as errors of the port.

use hdfs_native::HdfsError;

use crate::storage::port::StorageError;

/// What the NameNode throws when only a person can help.
const REFUSALS: [&str; 9] = [
    "AccessControlException",
    "AuthorizationException",
    "NSQuotaExceededException",
    "DSQuotaExceededException",
    "QuotaExceededException",
    "ParentNotDirectoryException",
    "InvalidPathException",
    "PathComponentTooLongException",
    "MaxDirectoryItemsExceededException",
];

/// The crate reports what the NameNode threw as a Java class name with the whole stack trace behind it. Whatever is
/// not known as final is `Unavailable`: safe mode, a standby, a NameNode that starts, a lost connection.
pub(super) fn classify(op: &'static str, path: &str, e: &HdfsError) -> StorageError {
    let path = path.to_owned();
    let text = e.to_string();
    let reason = text.split("\n\tat").next().unwrap_or_default().trim().to_owned();
    match e {
        HdfsError::FileNotFound(_) => StorageError::NotFound { op, path },
        HdfsError::AlreadyExists(_) => StorageError::AlreadyExists { op, path },
        HdfsError::RPCError(class, _) | HdfsError::FatalRPCError(class, _) => {
            let class = class.rsplit('.').next().unwrap_or_default();
            match class {
                "FileNotFoundException" => StorageError::NotFound { op, path },
                "FileAlreadyExistsException" => StorageError::AlreadyExists { op, path },
                _ if REFUSALS.contains(&class) => StorageError::Refused { op, path, reason },
                _ => StorageError::Unavailable { op, path, reason },
            }
        }
        HdfsError::InvalidPath(_)
        | HdfsError::InvalidArgument(_)
        | HdfsError::UrlParseError(_)
        | HdfsError::SASLError(_)
        | HdfsError::GSSAPIError(..)
        | HdfsError::NoSASLMechanism
        | HdfsError::XmlParseError(_) => StorageError::Refused { op, path, reason },
        _ => StorageError::Unavailable { op, path, reason },
    }
}

/// Whether the NameNode itself answered with this error: other DataNodes would not help.
pub(super) fn from_namenode(e: &HdfsError) -> bool {
    !matches!(
        e,
        HdfsError::IOError(_)
            | HdfsError::DataTransferError(_)
            | HdfsError::ChecksumError
            | HdfsError::OperationFailed(_)
            | HdfsError::InvalidRPCResponse(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;

    fn of(class: &str) -> StorageError {
        let text = "what it says\n\tat org.apache.hadoop.Class.method(Class.java:1)\n\tat more";
        classify("create", "/a", &HdfsError::RPCError(class.to_owned(), text.to_owned()))
    }

    #[test]
    fn a_namenode_that_cannot_serve_now_is_tried_again() {
        for class in [
            "org.apache.hadoop.hdfs.server.namenode.SafeModeException",
            "org.apache.hadoop.ipc.StandbyException",
            "org.apache.hadoop.ipc.RetriableException",
            "org.apache.hadoop.ipc.ObserverRetryOnActiveException",
            "org.apache.hadoop.ipc.RpcNoSuchProtocolException",
            "java.io.IOException",
        ] {
            let e = of(class);
            assert!(matches!(e, StorageError::Unavailable { .. }), "{class}: {e}");
            assert_eq!(e.fault(), Fault::Retry);
            assert!(e.to_string().ends_with("what it says"), "the stack trace is cut off: {e}");
        }
    }

    #[test]
    fn what_a_person_must_mend_is_told_so() {
        for class in ["org.apache.hadoop.security.AccessControlException", "x.DSQuotaExceededException"] {
            assert_eq!(of(class).fault(), Fault::Config);
        }
        assert!(matches!(of("java.io.FileNotFoundException"), StorageError::NotFound { .. }));
        assert!(matches!(of("x.FileAlreadyExistsException"), StorageError::AlreadyExists { .. }));
    }
}
