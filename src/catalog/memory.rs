//! The twin of a metastore: tables in memory, for tests and for `landfall demo`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::history::RECORD;
use super::port::{Catalog, CatalogError, CatalogPartition, CatalogTable, Change};

/// What a metastore's type parser knows, parameters of a type aside.
const TYPES: &str = "boolean tinyint smallint int integer bigint float double decimal string varchar char binary date \
                     timestamp array map struct";

/// Tables in memory. Behaves as a Hive metastore does, as far as the port can tell.
#[derive(Debug, Default)]
pub struct MemoryCatalog {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tables: BTreeMap<(String, String), CatalogTable>,
    /// By table and name.
    partitions: BTreeMap<(String, String), BTreeMap<String, CatalogPartition>>,
    away: bool,
    loses_next_reply: bool,
}

impl MemoryCatalog {
    /// Switches the metastore away: every call fails as [`CatalogError::Unavailable`] until it is back.
    pub fn set_away(&self, away: bool) {
        self.state().away = away;
    }

    /// Does the next create or change, but answers it with [`CatalogError::Unavailable`].
    pub fn lose_next_reply(&self) {
        self.state().loses_next_reply = true;
    }

    /// All tables, in the order of their names.
    pub fn tables(&self) -> Vec<CatalogTable> {
        self.state().tables.values().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reached(&self) -> Result<MutexGuard<'_, State>, CatalogError> {
        let state = self.state();
        if state.away { Err(unavailable("it is away")) } else { Ok(state) }
    }
}

impl State {
    fn reply(&mut self) -> Result<(), CatalogError> {
        if std::mem::take(&mut self.loses_next_reply) { Err(unavailable("the reply was lost")) } else { Ok(()) }
    }
}

fn check_types(table: &str, columns: &[(String, String)]) -> Result<(), CatalogError> {
    let Some((name, hive_type)) = columns.iter().find(|(_, t)| !known(t)) else { return Ok(()) };
    let reason = format!("unknown type {hive_type} of column {name}");
    Err(CatalogError::Refused { table: table.to_owned(), reason })
}

fn unavailable(reason: &str) -> CatalogError {
    CatalogError::Unavailable { uri: "memory:".to_owned(), reason: reason.to_owned() }
}

fn key(database: &str, name: &str) -> (String, String) {
    (database.to_lowercase(), name.to_lowercase())
}

fn known(hive_type: &str) -> bool {
    let base = hive_type.split(['(', '<']).next().unwrap_or_default();
    TYPES.split_whitespace().any(|t| t.eq_ignore_ascii_case(base))
}

#[async_trait]
impl Catalog for MemoryCatalog {
    async fn get_table(&self, database: &str, name: &str) -> Result<Option<CatalogTable>, CatalogError> {
        Ok(self.reached()?.tables.get(&key(database, name)).cloned())
    }

    async fn create_table(&self, table: &CatalogTable) -> Result<(), CatalogError> {
        let mut state = self.reached()?;
        let full_name = format!("{}.{}", table.database, table.name);
        check_types(&full_name, &table.columns)?;
        let key = key(&table.database, &table.name);
        if state.tables.contains_key(&key) {
            return Err(CatalogError::AlreadyExists(full_name));
        }
        let mut stored = table.clone();
        (stored.database, stored.name) = key.clone();
        stored.columns.iter_mut().for_each(|(name, _)| *name = name.to_lowercase());
        state.tables.insert(key, stored);
        state.reply()
    }

    async fn alter_table(&self, seen: &CatalogTable, change: &Change) -> Result<(), CatalogError> {
        let mut state = self.reached()?;
        let full_name = format!("{}.{}", seen.database, seen.name);
        check_types(&full_name, &change.columns)?;
        let table = state.tables.get_mut(&key(&seen.database, &seen.name));
        let as_seen = |t: &&mut CatalogTable| {
            t.columns == seen.columns && t.properties.get(RECORD) == seen.properties.get(RECORD)
        };
        let Some(table) = table.filter(as_seen) else { return Err(CatalogError::Changed(full_name)) };
        table.columns.extend(change.columns.iter().map(|(name, hive_type)| (name.to_lowercase(), hive_type.clone())));
        table.comments.extend(change.comments.clone());
        table.properties.extend(change.properties.clone());
        state.reply()
    }

    async fn partition_names(&self, database: &str, table: &str) -> Result<Vec<String>, CatalogError> {
        let (state, key) = (self.reached()?, key(database, table));
        if !state.tables.contains_key(&key) {
            return Err(unavailable("no such table"));
        }
        Ok(state.partitions.get(&key).map_or(Vec::new(), |p| p.keys().cloned().collect()))
    }

    async fn partitions(&self, table: &CatalogTable, names: &[String]) -> Result<Vec<CatalogPartition>, CatalogError> {
        let (state, none) = (self.reached()?, BTreeMap::new());
        let held = state.partitions.get(&key(&table.database, &table.name)).unwrap_or(&none);
        Ok(names.iter().filter_map(|name| held.get(name).cloned()).collect())
    }

    async fn add_partitions(&self, table: &CatalogTable, new: &[CatalogPartition]) -> Result<(), CatalogError> {
        let (mut state, key) = (self.reached()?, key(&table.database, &table.name));
        let full_name = format!("{}.{}", table.database, table.name);
        let refused = |reason: &str| CatalogError::Refused { table: full_name.clone(), reason: reason.to_owned() };
        if !state.tables.contains_key(&key) {
            return Err(refused("no such table"));
        }
        let names: BTreeSet<_> = new.iter().map(|p| &p.name).collect();
        let keys = table.partition_keys.len();
        if names.len() < new.len() || new.iter().any(|p| p.values.len() != keys) {
            return Err(refused("a partition is there twice, or has another number of values than the table has keys"));
        }
        let held = state.partitions.entry(key).or_default();
        for partition in new {
            held.entry(partition.name.clone()).or_insert_with(|| partition.clone());
        }
        state.reply()
    }

    async fn drop_table(&self, database: &str, name: &str) -> Result<bool, CatalogError> {
        self.reached()?.partitions.remove(&key(database, name));
        Ok(self.reached()?.tables.remove(&key(database, name)).is_some())
    }
}
