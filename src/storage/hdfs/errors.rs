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
    let reason = readable(one_line(text.split("\n\tat").next().unwrap_or_default()));
    match e {
        HdfsError::FileNotFound(_) => StorageError::NotFound { op, path },
        HdfsError::AlreadyExists(_) => StorageError::AlreadyExists { op, path },
        HdfsError::RPCError(class, _) | HdfsError::FatalRPCError(class, _) => {
            let class = class.rsplit('.').next().unwrap_or_default();
            match class {
                "FileNotFoundException" => StorageError::NotFound { op, path },
                "FileAlreadyExistsException" => StorageError::AlreadyExists { op, path },
                _ => {
                    let reason = format!("{reason}{}", what_to_do(class, &reason));
                    match REFUSALS.contains(&class) {
                        true => StorageError::Refused { op, path, reason },
                        false => StorageError::Unavailable { op, path, reason },
                    }
                }
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

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// The client prints the DataNodes that it asked with all that it knows of them: leaves their addresses.
fn readable(reason: String) -> String {
    let Some((said, nodes)) = reason.split_once("[DatanodeInfoProto") else { return reason };
    let address = |node: &str| {
        let port = node.split_once("xfer_port: ").map_or("", |(_, rest)| rest);
        let port = port.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        format!("{}:{port}", node.split('"').next().unwrap_or_default())
    };
    let nodes: Vec<_> = nodes.split("ip_addr: \"").skip(1).map(address).collect();
    format!("{said}{}; no replica can be read: hdfs dfsadmin -report", nodes.join(", "))
}

/// For a person who does not know HDFS by heart; nothing rests on it.
fn what_to_do(class: &str, reason: &str) -> String {
    let directory = || {
        let rest = reason.split_once("uota of ").map_or("DIRECTORY", |(_, rest)| rest);
        rest.split(" is exceeded").next().unwrap_or(rest).to_owned()
    };
    match class {
        "DSQuotaExceededException" => {
            format!("; give it more: hdfs dfsadmin -setSpaceQuota BYTES {0} (or -clrSpaceQuota {0})", directory())
        }
        "NSQuotaExceededException" => {
            format!("; give it more: hdfs dfsadmin -setQuota NAMES {0} (or -clrQuota {0})", directory())
        }
        "AccessControlException" => {
            "; give the user the right there: hdfs dfs -chown or -setfacl, or be another one (storage.user)".to_owned()
        }
        _ if reason.contains("could only be written to 0 of the") => {
            "; no DataNode is alive, or none has room: hdfs dfsadmin -report".to_owned()
        }
        _ => String::new(),
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
    fn an_error_is_one_line_and_says_what_to_do_about_a_quota() {
        let said =
            "Cannot create directory /a. Name node is in safe mode.\nUse \"hdfs dfsadmin -safemode leave\".\n\tat x";
        let e = classify("mkdir", "/a", &HdfsError::RPCError("x.SafeModeException".to_owned(), said.to_owned()));
        assert!(e.to_string().ends_with("in safe mode. Use \"hdfs dfsadmin -safemode leave\"."), "{e}");
        let said = "The DiskSpace quota of /jobs/a is exceeded: quota = 1 B but diskspace consumed = 9 B\n\tat x";
        let e =
            classify("rename", "/a", &HdfsError::RPCError("x.DSQuotaExceededException".to_owned(), said.to_owned()));
        let says =
            "consumed = 9 B; give it more: hdfs dfsadmin -setSpaceQuota BYTES /jobs/a (or -clrSpaceQuota /jobs/a)";
        assert!(e.to_string().ends_with(says), "{e}");
        let said = "File /a could only be written to 0 of the 1 minReplication nodes. There are 3 datanode(s) running.";
        let e = classify("create", "/a", &HdfsError::RPCError("java.io.IOException".to_owned(), said.to_owned()));
        assert!(e.fault() == Fault::Retry && e.to_string().ends_with("or none has room: hdfs dfsadmin -report"), "{e}");
    }

    #[test]
    fn of_datanodes_that_failed_the_addresses_are_told() {
        let node = |ip: &str, port| {
            format!(
                "DatanodeInfoProto {{ id: DatanodeIdProto {{ ip_addr: \"{ip}\", host_name: \"dn\", datanode_uuid: \"65119c35\", \
                 xfer_port: {port}, info_port: 9864 }}, capacity: Some(270), location: Some(\"/default-rack\") }}"
            )
        };
        let said = format!("All DataNodes failed: [{}, {}]", node("10.0.0.1", 9866), node("10.0.0.2", 19866));
        let e = classify("read", "/a", &HdfsError::DataTransferError(said));
        let says = "All DataNodes failed: 10.0.0.1:9866, 10.0.0.2:19866; no replica can be read: hdfs dfsadmin -report";
        assert!(e.to_string().ends_with(says), "{e}");
        assert_eq!(e.fault(), Fault::Retry);
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
