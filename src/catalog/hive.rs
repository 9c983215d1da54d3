//! A Hive metastore as a catalog. The only file that names its client.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use landfall_metastore::{Client, Column, Error, Options, Partition, Table};
use tracing::warn;

use super::history::RECORD;
use super::port::{Catalog, CatalogError, CatalogPartition, CatalogTable, Change};
use crate::config::settings::Metastore;
use crate::fault::Fault;
use crate::schema::partition;

/// A Hive metastore, 2.3 to 4; one server, or several of which one is used.
#[derive(Debug)]
pub struct HiveCatalog {
    uri: String,
    client: Client,
    /// The server that answered last, as the log was told.
    answered: AtomicUsize,
}

/// `metastore.uri` is not the address of a metastore.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("metastore.uri {uri:?} is not thrift://host:port, several with commas between: {reason}")]
pub struct InvalidMetastoreUri {
    uri: String,
    reason: &'static str,
}

impl InvalidMetastoreUri {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        Fault::Config
    }
}

impl HiveCatalog {
    /// A catalog of the metastore that the settings name; nothing is called yet. What it creates belongs to `owner`.
    pub fn new(settings: &Metastore, owner: Option<String>) -> Result<HiveCatalog, InvalidMetastoreUri> {
        let addresses =
            settings.uri.split(',').map(|uri| parse(uri.trim()).map(str::to_owned)).collect::<Result<_, _>>()?;
        let options = Options {
            connect_timeout: settings.call_timeout.min(Duration::from_secs(5)),
            call_timeout: settings.call_timeout,
            framed: settings.framed,
            owner,
        };
        Ok(HiveCatalog {
            uri: settings.uri.clone(),
            client: Client::new(addresses, options),
            answered: AtomicUsize::new(0),
        })
    }

    /// Says once when another server answers than before.
    fn heard<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        let is_answer = !matches!(result, Err(Error::Transport(_) | Error::TimedOut(_)));
        if is_answer {
            let now = self.client.server();
            let before = self.answered.swap(now, Ordering::Relaxed);
            if before != now {
                let uris: Vec<&str> = self.uri.split(',').map(str::trim).collect();
                warn!(
                    from = uris[before],
                    to = uris[now],
                    "the metastore's server did not answer: another one is used now"
                );
            }
        }
        result
    }

    /// Errors other than the expected ones. An error inside the metastore is one to try again: most come from its
    /// database or its file system, and a definition that it cannot hold was found before (`validate`).
    fn error(&self, table: &str, e: Error) -> CatalogError {
        match e {
            Error::AlreadyExists(_) => CatalogError::AlreadyExists(table.to_owned()),
            Error::NoSuchObject(reason) | Error::InvalidObject(reason) | Error::InvalidOperation(reason) => {
                CatalogError::Refused { table: table.to_owned(), reason }
            }
            e @ (Error::Meta(_) | Error::Transport(_) | Error::TimedOut(_)) => {
                CatalogError::Unavailable { uri: self.uri.clone(), reason: e.to_string() }
            }
        }
    }
}

#[async_trait]
impl Catalog for HiveCatalog {
    async fn get_table(&self, database: &str, name: &str) -> Result<Option<CatalogTable>, CatalogError> {
        match self.heard(self.client.get_table(database, name).await) {
            Ok(table) => Ok(Some(from_hive(table))),
            Err(Error::NoSuchObject(_)) => Ok(None),
            Err(e) => Err(self.error(&format!("{database}.{name}"), e)),
        }
    }

    async fn create_table(&self, table: &CatalogTable) -> Result<(), CatalogError> {
        let full_name = format!("{}.{}", table.database, table.name);
        let refused = |e| self.error(&full_name, e);
        match self.heard(self.client.get_database(&table.database).await) {
            Ok(_) => {}
            Err(Error::NoSuchObject(_)) => {
                match self.heard(self.client.create_database(&table.database, None).await) {
                    // Of two at once, Hive 4 tells the second what its database said.
                    Err(Error::Meta(_)) if self.client.get_database(&table.database).await.is_ok() => {}
                    created => drop(created.map_err(refused)?),
                }
            }
            Err(e) => return Err(refused(e)),
        }
        match self.heard(self.client.create_table(&to_hive(table)).await) {
            Err(Error::Meta(_)) if self.client.get_table(&table.database, &table.name).await.is_ok() => {
                Err(CatalogError::AlreadyExists(full_name))
            }
            created => created.map_err(refused),
        }
    }

    async fn alter_table(&self, seen: &CatalogTable, change: &Change) -> Result<(), CatalogError> {
        let full_name = format!("{}.{}", seen.database, seen.name);
        let mut held = match self.heard(self.client.get_held_table(&seen.database, &seen.name).await) {
            Ok(held) => held,
            Err(Error::NoSuchObject(_)) => return Err(CatalogError::Changed(full_name)),
            Err(e) => return Err(self.error(&full_name, e)),
        };
        let now = from_hive(held.table());
        if now.columns != seen.columns || now.properties.get(RECORD) != seen.properties.get(RECORD) {
            return Err(CatalogError::Changed(full_name));
        }
        held.add_columns(&columns(&change.columns, &change.comments));
        change.properties.iter().for_each(|(key, value)| held.set_parameter(key, value));
        // Hive 4 then refuses the change if the record is another one by now; it must be there, and become another one.
        let record =
            seen.properties.get(RECORD).filter(|old| change.properties.get(RECORD).is_some_and(|new| new != *old));
        // a whole table as it is sent is large for a future
        let altering = Box::pin(self.client.alter_table(held, record.map(|old| (RECORD, old.as_str()))));
        let altered = self.heard(altering.await);
        altered.map_err(|e| self.error(&full_name, e))
    }

    async fn partition_names(&self, database: &str, table: &str) -> Result<Vec<String>, CatalogError> {
        let names = self.heard(self.client.get_partition_names(database, table).await);
        names.map_err(|e| self.error(&format!("{database}.{table}"), e))
    }

    async fn partitions(&self, table: &CatalogTable, names: &[String]) -> Result<Vec<CatalogPartition>, CatalogError> {
        let found = self.heard(self.client.get_partitions(&table.database, &table.name, names).await);
        let found = found.map_err(|e| self.error(&format!("{}.{}", table.database, table.name), e))?;
        let named = |p: Partition| CatalogPartition {
            name: partition::name_of(&table.partition_keys, &p.values),
            values: p.values,
            location: p.location,
        };
        Ok(found.into_iter().map(named).collect())
    }

    async fn add_partitions(&self, table: &CatalogTable, new: &[CatalogPartition]) -> Result<(), CatalogError> {
        let sent = |p: &CatalogPartition| Partition { values: p.values.clone(), location: p.location.clone() };
        let new: Vec<_> = new.iter().map(sent).collect();
        let added = self.heard(self.client.add_partitions(&to_hive(table), &new).await);
        added.map_err(|e| self.error(&format!("{}.{}", table.database, table.name), e))
    }

    async fn drop_table(&self, database: &str, name: &str) -> Result<bool, CatalogError> {
        let dropped = self.heard(self.client.drop_table(database, name).await);
        dropped.map_err(|e| self.error(&format!("{database}.{name}"), e))
    }
}

/// The `host:port` of a `thrift://host:port`.
fn parse(uri: &str) -> Result<&str, InvalidMetastoreUri> {
    let invalid = |reason| InvalidMetastoreUri { uri: uri.to_owned(), reason };
    let address = uri.strip_prefix("thrift://").ok_or_else(|| invalid("it does not start with thrift://"))?;
    let address = address.strip_suffix('/').unwrap_or(address);
    let (host, port) = address.rsplit_once(':').ok_or_else(|| invalid("the port is missing"))?;
    if host.is_empty() || host.contains(['/', '@']) || (host.contains(':') && !host.starts_with('[')) {
        return Err(invalid("the host is missing or is no host"));
    }
    if port.parse::<u16>().map_or(true, |p| p == 0) {
        return Err(invalid("the port is no number from 1 to 65535"));
    }
    Ok(address)
}

fn columns(columns: &[(String, String)], comments: &BTreeMap<String, String>) -> Vec<Column> {
    let column = |(name, hive_type): &(String, String)| Column {
        name: name.clone(),
        hive_type: hive_type.clone(),
        comment: comments.get(name).cloned(),
    };
    columns.iter().map(column).collect()
}

fn to_hive(table: &CatalogTable) -> Table {
    let own_columns = columns(&table.columns, &table.comments);
    Table {
        partition_keys: columns(&table.partition_keys, &table.comments),
        parameters: table.properties.clone(),
        ..Table::external_parquet(&table.database, &table.name, own_columns, &table.location)
    }
}

fn from_hive(table: Table) -> CatalogTable {
    CatalogTable {
        external: table.is_external(),
        parquet: table.is_parquet(),
        comments: table
            .columns
            .iter()
            .chain(&table.partition_keys)
            .filter_map(|c| Some((c.name.clone(), c.comment.clone()?)))
            .collect(),
        columns: table.columns.into_iter().map(|c| (c.name, c.hive_type)).collect(),
        partition_keys: table.partition_keys.into_iter().map(|c| (c.name, c.hive_type)).collect(),
        database: table.database,
        name: table.name,
        location: table.location,
        properties: table.parameters,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        assert_eq!(parse("thrift://metastore:9083"), Ok("metastore:9083"));
        assert_eq!(parse("thrift://[::1]:9083/"), Ok("[::1]:9083"));
        for bad in [
            "metastore:9083",
            "thrift://metastore",
            "thrift://:9083",
            "thrift://a:0",
            "thrift://a:99999",
            "thrift://a/b:1",
            "thrift://::1:9083",
        ] {
            let e = parse(bad).unwrap_err();
            assert!(e.to_string().starts_with(&format!("metastore.uri {bad:?} is not thrift://host:port, ")), "{e}");
        }
    }

    #[test]
    fn a_table_survives_the_way_there_and_back() {
        let table = CatalogTable {
            database: "db".into(),
            name: "t".into(),
            columns: vec![("user-agent".into(), "string".into())],
            comments: Default::default(),
            partition_keys: vec![("dt".into(), "date".into())],
            location: "hdfs://nn:8020/t".into(),
            external: true,
            parquet: true,
            properties: [("a".to_owned(), "b".to_owned())].into(),
        };
        assert_eq!(from_hive(to_hive(&table)), table);
    }
}
