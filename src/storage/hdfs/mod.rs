//! HDFS through the crate `hdfs-native`, which is named in this folder only.

mod errors;
mod read;
mod replicas;
mod write;

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryFutureExt;
use hdfs_native::client::FileStatus;
use hdfs_native::{Client, ClientBuilder};

use self::errors::classify;
use self::replicas::Memory;
use self::write::Target;
use super::port::{Entry, Parents, Storage, StorageError};

/// Hadoop's default; the crate sends permissions as given, without a umask.
const DIR_MODE: u32 = 0o755;

/// Settings that a site may override. With as many DataNodes as replicas the stock setting fails a write when one
/// dies, where Hadoop's own client goes on with those that are left.
/// And a DataNode that says nothing costs a read a minute before the next one is asked.
const DEFAULTS: [(&str, &str); 2] = [
    ("dfs.client.block.write.replace-datanode-on-failure.best-effort", "true"),
    ("dfs.client.socket-timeout", "20000"),
];

/// How many replicas a file gets, if a site says so. Else the NameNode's own setting holds; the crate does not read
/// this one.
const REPLICATION: &str = "dfs.replication";

/// An HDFS namespace. One client for the whole process: it is cheap to share and never freed once it wrote.
#[derive(Debug)]
pub struct HdfsStorage {
    client: Client,
    memory: Memory,
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
        let replication = properties.get(REPLICATION).map(|text| replicas(text)).transpose()?;
        let mut config: HashMap<String, String> = DEFAULTS.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        config.extend(properties.clone());
        let mut builder = ClientBuilder::new().with_url(&authority).with_config(config);
        if let Some(user) = user {
            builder = builder.with_user(user);
        }
        let client = builder.build().map_err(|e| classify("connect", url, &e))?;
        let root = root.trim_end_matches('/');
        let root = if root.is_empty() { String::new() } else { format!("/{root}") };
        Ok(HdfsStorage { client, memory: Memory::new(replication), authority, root })
    }

    fn full(&self, path: &str) -> String {
        format!("{}{path}", self.root)
    }
}

fn replicas(text: &str) -> Result<u32, StorageError> {
    match text.trim().parse() {
        Ok(n @ 1..=512) => Ok(n),
        _ => Err(StorageError::Refused {
            op: "connect",
            path: REPLICATION.to_owned(),
            reason: format!("\"{text}\" is no number of replicas"),
        }),
    }
}

#[async_trait]
impl Storage for HdfsStorage {
    fn uri(&self, path: &str) -> String {
        format!("{}{}", self.authority, self.full(path))
    }

    async fn mkdir(&self, path: &str, parents: Parents) -> Result<(), StorageError> {
        let create_parent = parents == Parents::Create;
        self.client.mkdirs(&self.full(path), DIR_MODE, create_parent).map_err(|e| classify("mkdir", path, &e)).await
    }

    async fn create(&self, path: &str, data: Bytes) -> Result<(), StorageError> {
        let full = self.full(path);
        write::write(&Target { client: &self.client, path, full: &full }, data, &self.memory).await
    }

    async fn read(&self, path: &str) -> Result<Bytes, StorageError> {
        read::read(&self.client, &self.full(path), path).await
    }

    async fn list(&self, path: &str) -> Result<Vec<Entry>, StorageError> {
        let statuses = self.client.list_status(&self.full(path), false).map_err(|e| classify("list", path, &e)).await?;
        let mut entries: Vec<Entry> = statuses.into_iter().map(entry).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), StorageError> {
        // rename2 without OVERWRITE. The older `rename` would move a directory *into* an existing one and say yes.
        let renamed = self.client.rename(&self.full(from), &self.full(to), false).await;
        renamed.map_err(|e| match classify("rename", from, &e) {
            StorageError::AlreadyExists { op, .. } => StorageError::AlreadyExists { op, path: to.to_owned() },
            other => other,
        })
    }

    async fn delete(&self, path: &str) -> Result<bool, StorageError> {
        self.client.delete(&self.full(path), true).map_err(|e| classify("delete", path, &e)).await
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
