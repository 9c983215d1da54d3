//! HDFS through the crate `hdfs-native`, which is named in this file only.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryFutureExt;
use hdfs_native::client::FileStatus;
use hdfs_native::{Client, ClientBuilder, HdfsError, WriteOptions};

use super::failing;
use super::port::{Entry, Parents, Storage, StorageError};

/// Hadoop's default; the crate sends permissions as given, without a umask.
const DIR_MODE: u32 = 0o755;

/// Settings that a site may override. With as many DataNodes as replicas the stock setting fails a write when one
/// dies, where Hadoop's own client goes on with those that are left.
const DEFAULTS: [(&str, &str); 1] = [("dfs.client.block.write.replace-datanode-on-failure.best-effort", "true")];

/// An HDFS namespace. One client for the whole process: it is cheap to share and never freed once it wrote.
#[derive(Debug)]
pub struct HdfsStorage {
    client: Client,
    authority: String,
    root: String,
}

impl HdfsStorage {
    /// A client of `url` (`hdfs://host:8020`, `hdfs://nameservice/root`). Does not connect yet.
    /// `properties` go over those of `HADOOP_CONF_DIR`.
    pub fn new(
        url: &str,
        user: Option<&str>,
        properties: &BTreeMap<String, String>,
    ) -> Result<HdfsStorage, StorageError> {
        let rest = url.strip_prefix("hdfs://").unwrap_or(url);
        let (host, root) = rest.split_once('/').unwrap_or((rest, ""));
        let authority = format!("hdfs://{host}");
        let mut config: HashMap<String, String> = DEFAULTS.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        config.extend(properties.clone());
        let mut builder = ClientBuilder::new().with_url(&authority).with_config(config);
        if let Some(user) = user {
            builder = builder.with_user(user);
        }
        let client = builder.build().map_err(|e| classify("connect", url, e))?;
        let root = root.trim_end_matches('/');
        let root = if root.is_empty() { String::new() } else { format!("/{root}") };
        Ok(HdfsStorage { client, authority, root })
    }

    fn full(&self, path: &str) -> String {
        format!("{}{path}", self.root)
    }
}

/// The crate reports what the NameNode threw as a Java class name with the whole stack trace behind it.
fn classify(op: &'static str, path: &str, e: HdfsError) -> StorageError {
    let path = path.to_owned();
    let text = e.to_string();
    let reason = text.split("\n\tat").next().unwrap_or_default().trim().to_owned();
    match &e {
        HdfsError::FileNotFound(_) => StorageError::NotFound { op, path },
        HdfsError::AlreadyExists(_) => StorageError::AlreadyExists { op, path },
        HdfsError::RPCError(class, _) | HdfsError::FatalRPCError(class, _) => {
            let class = class.rsplit('.').next().unwrap_or_default();
            match class {
                "FileNotFoundException" => StorageError::NotFound { op, path },
                "FileAlreadyExistsException" => StorageError::AlreadyExists { op, path },
                "AccessControlException"
                | "AuthorizationException"
                | "NSQuotaExceededException"
                | "DSQuotaExceededException"
                | "QuotaExceededException"
                | "ParentNotDirectoryException"
                | "InvalidPathException"
                | "PathComponentTooLongException"
                | "MaxDirectoryItemsExceededException" => StorageError::Refused { op, path, reason },
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

#[async_trait]
impl Storage for HdfsStorage {
    fn uri(&self, path: &str) -> String {
        format!("{}{}", self.authority, self.full(path))
    }

    async fn mkdir(&self, path: &str, parents: Parents) -> Result<(), StorageError> {
        let create_parent = parents == Parents::Create;
        self.client.mkdirs(&self.full(path), DIR_MODE, create_parent).map_err(|e| classify("mkdir", path, e)).await
    }

    async fn create(&self, path: &str, data: Bytes) -> Result<(), StorageError> {
        let full = self.full(path);
        let options = WriteOptions::default().overwrite(false).create_parent(false);
        // Boxed: the client's futures are 16 KiB each, and a batch writes several files at once.
        let written = Box::pin(async {
            let mut writer = self.client.create(&full, &options).await?;
            Box::pin(failing::io("stage.write", writer.write_bytes(data))).await?;
            // Without it the bytes are in the DataNodes' memory only when `close` returns.
            writer.hsync().await?;
            Box::pin(failing::io("stage.close", writer.close())).await
        });
        written.map_err(|e| classify("create", path, e)).await
    }

    async fn read(&self, path: &str) -> Result<Bytes, StorageError> {
        let full = self.full(path);
        let read = async {
            let mut reader = self.client.read(&full).await?;
            let len = reader.file_length();
            reader.read_bytes(len).await
        };
        read.map_err(|e| classify("read", path, e)).await
    }

    async fn list(&self, path: &str) -> Result<Vec<Entry>, StorageError> {
        let statuses = self.client.list_status(&self.full(path), false).map_err(|e| classify("list", path, e)).await?;
        let mut entries: Vec<Entry> = statuses.into_iter().map(entry).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), StorageError> {
        // rename2 without OVERWRITE. The older `rename` would move a directory *into* an existing one and say yes.
        let renamed = self.client.rename(&self.full(from), &self.full(to), false).await;
        renamed.map_err(|e| match classify("rename", from, e) {
            StorageError::AlreadyExists { op, .. } => StorageError::AlreadyExists { op, path: to.to_owned() },
            other => other,
        })
    }

    async fn delete(&self, path: &str) -> Result<bool, StorageError> {
        self.client.delete(&self.full(path), true).map_err(|e| classify("delete", path, e)).await
    }
}

fn entry(s: FileStatus) -> Entry {
    Entry {
        name: s.path.rsplit('/').next().unwrap_or_default().to_owned(),
        is_dir: s.isdir,
        len: s.length as u64,
        modified_ms: s.modification_time as i64,
    }
}
