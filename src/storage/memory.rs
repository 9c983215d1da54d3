//! The memory twin: the same contract, one lock, no files. For tests of odd interleavings.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::port::{Entry, Parents, Storage, StorageError};

#[derive(Debug, Clone)]
enum Node {
    Dir,
    File(Bytes),
}

/// Files in memory.
#[derive(Debug, Default)]
pub struct MemoryStorage {
    nodes: Mutex<BTreeMap<String, Node>>,
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(p, _)| p)
}

fn is_dir(nodes: &BTreeMap<String, Node>, path: &str) -> bool {
    path.is_empty() || matches!(nodes.get(path), Some(Node::Dir))
}

/// Whether `path` is `dir` or lies below it.
fn within(path: &str, dir: &str) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn not_found(op: &'static str, path: &str) -> StorageError {
    StorageError::NotFound { op, path: path.to_owned() }
}

fn exists(op: &'static str, path: &str) -> StorageError {
    StorageError::AlreadyExists { op, path: path.to_owned() }
}

impl MemoryStorage {
    fn nodes(&self) -> MutexGuard<'_, BTreeMap<String, Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    fn uri(&self, path: &str) -> String {
        format!("memory://{path}")
    }

    async fn mkdir(&self, path: &str, parents: Parents) -> Result<(), StorageError> {
        let mut nodes = self.nodes();
        if parents == Parents::Require && !is_dir(&nodes, parent(path)) {
            return Err(not_found("mkdir", path));
        }
        let mut prefix = String::new();
        for part in path.split('/').filter(|p| !p.is_empty()) {
            prefix = format!("{prefix}/{part}");
            match nodes.get(&prefix) {
                Some(Node::File(_)) => return Err(exists("mkdir", path)),
                Some(Node::Dir) => {}
                None => _ = nodes.insert(prefix.clone(), Node::Dir),
            }
        }
        Ok(())
    }

    async fn create(&self, path: &str, data: Bytes) -> Result<(), StorageError> {
        let mut nodes = self.nodes();
        if !is_dir(&nodes, parent(path)) {
            return Err(not_found("create", path));
        }
        if nodes.contains_key(path) {
            return Err(exists("create", path));
        }
        nodes.insert(path.to_owned(), Node::File(data));
        Ok(())
    }

    async fn read(&self, path: &str) -> Result<Bytes, StorageError> {
        match self.nodes().get(path) {
            Some(Node::File(data)) => Ok(data.clone()),
            _ => Err(not_found("read", path)),
        }
    }

    async fn list(&self, path: &str) -> Result<Vec<Entry>, StorageError> {
        let nodes = self.nodes();
        if !is_dir(&nodes, path) {
            return Err(not_found("list", path));
        }
        let below = format!("{path}/");
        let children = nodes.range(below.clone()..).take_while(|(k, _)| k.starts_with(&below));
        let direct = children.filter(|(k, _)| !k[below.len()..].contains('/'));
        Ok(direct
            .map(|(k, node)| Entry {
                name: k[below.len()..].to_owned(),
                is_dir: matches!(node, Node::Dir),
                len: if let Node::File(data) = node { data.len() as u64 } else { 0 },
                modified_ms: 0,
            })
            .collect())
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), StorageError> {
        let mut nodes = self.nodes();
        if !nodes.contains_key(from) {
            return Err(not_found("rename", from));
        }
        if nodes.contains_key(to) {
            return Err(exists("rename", to));
        }
        if !is_dir(&nodes, parent(to)) || within(to, from) {
            return Err(not_found("rename", to));
        }
        let moved: Vec<String> = nodes.keys().filter(|k| within(k, from)).cloned().collect();
        for old in moved {
            if let Some(node) = nodes.remove(&old) {
                nodes.insert(format!("{to}{}", &old[from.len()..]), node);
            }
        }
        Ok(())
    }

    async fn delete(&self, path: &str) -> Result<bool, StorageError> {
        let mut nodes = self.nodes();
        let before = nodes.len();
        nodes.retain(|k, _| !within(k, path));
        Ok(nodes.len() < before)
    }
}
