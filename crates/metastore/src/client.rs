//! The client: one connection pool, made when needed and made anew after it failed, with the next of the servers.

use std::fmt;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hive_metastore as hms;
use hms::ThriftHiveMetastoreClient as Thrift;
use tokio::net::TcpStream;
use tokio::time::timeout;
use volo_thrift::MaybeException;
use volo_thrift::codec::default::DefaultMakeCodec;

use crate::error::{Error, first_line};
use crate::partition::Partition;
use crate::table::{Database, HeldTable, Table, new_database};

/// Limits and transport of a [`Client`].
#[derive(Debug, Clone)]
pub struct Options {
    /// Limit of resolving the name and connecting.
    pub connect_timeout: Duration,
    /// Limit of one call, connecting included. Not below 30 s in production: Hive 3.1 retries errors of its database
    /// for 20 s before it answers.
    pub call_timeout: Duration,
    /// Whether the server has `hive.metastore.thrift.framed.transport.enabled`.
    pub framed: bool,
    /// Owner of what is created; `None`: nobody.
    pub owner: Option<String>,
}

impl Default for Options {
    fn default() -> Options {
        let (connect_timeout, call_timeout) = (Duration::from_secs(5), Duration::from_secs(40));
        Options { connect_timeout, call_timeout, framed: false, owner: None }
    }
}

/// A client of one metastore, which may have several servers. Made without a call; needs a tokio runtime with I/O and
/// time.
pub struct Client {
    addresses: Vec<String>,
    options: Options,
    server: Mutex<Server>,
}

/// The server in use.
#[derive(Default)]
struct Server {
    /// Which of the addresses.
    at: usize,
    /// Connected to it, if it has answered since the last failure.
    thrift: Option<Thrift>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("addresses", &self.addresses).field("options", &self.options).finish()
    }
}

/// Calls, within the limit, and finds the exception where the generated client hides it: on the `Ok` side. The
/// variants of each method's exception enum are named only by position, so each method lists its own.
macro_rules! call {
    ($client:ident, $thrift:ident => $call:expr, $exceptions:ident { $($variant:ident => $kind:ident),* }) => {
        $client.within_limit(async {
            let $thrift = $client.thrift().await?;
            match $call.await? {
                MaybeException::Ok(v) => Ok(v),
                MaybeException::Exception(e) => Err(match e {
                    $( hms::$exceptions::$variant(x) => {
                        Error::$kind(x.message.as_deref().map(first_line).unwrap_or_default())
                    } )*
                }),
            }
        }).await
    };
}

impl Client {
    /// A client of the metastore at these addresses (`host:port`), of which there must be one. The first is used until it
    /// cannot be reached, breaks off or is too late; then the next one, and after the last the first again.
    pub fn new(addresses: Vec<String>, options: Options) -> Client {
        Client { addresses, options, server: Mutex::default() }
    }

    /// Which of the addresses is used, counted from 0: where the last call was answered, or where the next one goes.
    pub fn server(&self) -> usize {
        self.held().at
    }

    fn held(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The table, or [`Error::NoSuchObject`] if it or its database is missing.
    pub async fn get_table(&self, database: &str, name: &str) -> Result<Table, Error> {
        self.get_held_table(database, name).await.map(|held| held.table())
    }

    /// The same to change it: [`Client::alter_table`].
    pub async fn get_held_table(&self, database: &str, name: &str) -> Result<HeldTable, Error> {
        // get_table itself is gone in Hive 4; this one is there from 2.3 on
        let request = hms::GetTableRequest {
            db_name: database.to_owned().into(),
            tbl_name: name.to_owned().into(),
            capabilities: None,
        };
        call!(self, t => t.get_table_req(request),
            ThriftHiveMetastoreGetTableReqException { O1 => Meta, O2 => NoSuchObject })
        .map(|r| HeldTable(r.table))
    }

    /// Puts a changed table in the place of the one that was read. With `expected`, a parameter and the value that was
    /// read, Hive 4 refuses it ([`Error::Meta`]) if somebody else has changed the table meanwhile; Hive 3 takes it and
    /// what the other one did is lost: read it back. The files are not touched and not even listed.
    pub async fn alter_table(&self, held: HeldTable, expected: Option<(&str, &str)>) -> Result<(), Error> {
        let mut table = held.0;
        // its field id is another one in Hive 3 and 4
        table.cat_name = None;
        let (database, name) =
            (table.db_name.clone().unwrap_or_default(), table.table_name.clone().unwrap_or_default());
        // else Hive 3 lists the directory to count files, which takes long where there are many
        let mut properties = vec![("DO_NOT_UPDATE_STATS", "true")];
        if let Some((key, value)) = expected {
            properties.extend([("expected_parameter_key", key), ("expected_parameter_value", value)]);
        }
        let properties = properties.into_iter().map(|(k, v)| (k.to_owned().into(), v.to_owned().into())).collect();
        let context = hms::EnvironmentContext { properties: Some(properties) };
        call!(self, t => t.alter_table_with_environment_context(database, name, table, context),
            ThriftHiveMetastoreAlterTableWithEnvironmentContextException { O1 => InvalidOperation, O2 => Meta })
    }

    /// Creates an external table of Parquet files from the table's database, name, columns, keys, location and
    /// parameters. A missing database is [`Error::InvalidObject`]. The server makes a missing directory, and may
    /// delete one that it made if it fails: make it before.
    pub async fn create_table(&self, table: &Table) -> Result<(), Error> {
        let table = table.to_thrift(self.options.owner.as_deref());
        call!(self, t => t.create_table(table), ThriftHiveMetastoreCreateTableException {
            O1 => AlreadyExists, O2 => InvalidObject, O3 => Meta, O4 => NoSuchObject })
    }

    /// Drops the table's entry; `false`: there was none. The files stay, as long as it is an external table.
    pub async fn drop_table(&self, database: &str, name: &str) -> Result<bool, Error> {
        let delete_data = false;
        let dropped = call!(self, t => t.drop_table(database.to_owned().into(), name.to_owned().into(), delete_data),
            ThriftHiveMetastoreDropTableException { O1 => NoSuchObject, O3 => Meta });
        match dropped {
            Ok(()) => Ok(true),
            Err(Error::NoSuchObject(_)) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Names of all partitions of a table, as `dt=2026-11-22/hour=7`. Of a missing table: [`Error::Meta`] or, in Hive 4,
    /// none.
    pub async fn get_partition_names(&self, database: &str, table: &str) -> Result<Vec<String>, Error> {
        let all = -1;
        let (database, table) = (database.to_owned().into(), table.to_owned().into());
        call!(self, t => t.get_partition_names(database, table, all),
            ThriftHiveMetastoreGetPartitionNamesException { O2 => Meta })
        .map(|names| names.into_iter().map(|n| n.to_string()).collect())
    }

    /// The partitions of these names, in any order; those that are missing are left out.
    pub async fn get_partitions(&self, database: &str, table: &str, names: &[String]) -> Result<Vec<Partition>, Error> {
        let (database, table) = (database.to_owned().into(), table.to_owned().into());
        let names = names.iter().map(|n| n.clone().into()).collect();
        call!(self, t => t.get_partitions_by_names(database, table, names),
            ThriftHiveMetastoreGetPartitionsByNamesException { O1 => Meta, O2 => NoSuchObject })
        .map(|found| found.into_iter().map(Partition::from_thrift).collect())
    }

    /// Adds partitions, each with the columns of `table`; those that are there already stay as they are. The server makes
    /// a missing directory, and may delete one that it made if it fails: make it before. None may be there twice.
    pub async fn add_partitions(&self, table: &Table, partitions: &[Partition]) -> Result<(), Error> {
        let request = hms::AddPartitionsRequest {
            db_name: table.database.clone().into(),
            tbl_name: table.name.clone().into(),
            parts: partitions.iter().map(|p| p.to_thrift(table)).collect(),
            if_not_exists: true,
            need_result: Some(false),
            // its field id is another one in Hive 3 and 4
            cat_name: None,
        };
        call!(self, t => t.add_partitions_req(request), ThriftHiveMetastoreAddPartitionsReqException {
            O1 => InvalidObject, O2 => AlreadyExists, O3 => Meta })
        .map(|_| ())
    }

    /// The database, or [`Error::NoSuchObject`].
    pub async fn get_database(&self, name: &str) -> Result<Database, Error> {
        call!(self, t => t.get_database(name.to_owned().into()),
            ThriftHiveMetastoreGetDatabaseException { O1 => NoSuchObject, O2 => Meta })
        .map(Database::from_thrift)
    }

    /// Creates a database if it is missing; without a location it lies in the server's warehouse directory.
    /// `false`: it was there, and is left alone.
    pub async fn create_database(&self, name: &str, location: Option<&str>) -> Result<bool, Error> {
        let database = new_database(name, location, self.options.owner.as_deref());
        let created = call!(self, t => t.create_database(database), ThriftHiveMetastoreCreateDatabaseException {
            O1 => AlreadyExists, O2 => InvalidObject, O3 => Meta });
        match created {
            Ok(()) => Ok(true),
            Err(Error::AlreadyExists(_)) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// The limit outside all others, so that nothing inside the generated client can hang the caller.
    async fn within_limit<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let limit = self.options.call_timeout;
        let result = timeout(limit, call).await.unwrap_or(Err(Error::TimedOut(limit)));
        if result.as_ref().is_err_and(Error::spoils_connection) {
            // The connections go with it: an answer that comes late must not be taken for that of the next call.
            let mut server = self.held();
            *server = Server { at: (server.at + 1) % self.addresses.len(), thrift: None };
        }
        result
    }

    /// The generated client, made anew with the name resolved again if the last one failed. A server that cannot be
    /// reached is passed over: nothing was sent to it.
    async fn thrift(&self) -> Result<Thrift, Error> {
        let first = {
            let server = self.held();
            if let Some(thrift) = &server.thrift {
                return Ok(thrift.clone());
            }
            server.at
        };
        let mut unreachable = Vec::new();
        for at in (first..first + self.addresses.len()).map(|at| at % self.addresses.len()) {
            // Known before it is tried: all tries together may take longer than the call may.
            self.held().at = at;
            match self.connect(&self.addresses[at]).await {
                Ok(thrift) => {
                    *self.held() = Server { at, thrift: Some(thrift.clone()) };
                    return Ok(thrift);
                }
                Err(e) => unreachable.push((&self.addresses[at], e)),
            }
        }
        match unreachable.len() {
            1 => Err(unreachable.remove(0).1),
            _ => {
                let each: Vec<_> = unreachable.iter().map(|(address, e)| format!("{address}: {e}")).collect();
                Err(Error::Transport(each.join("; ")))
            }
        }
    }

    async fn connect(&self, address: &str) -> Result<Thrift, Error> {
        // The generated client takes one address and tries no other: a trial connection finds the one of the name's
        // addresses that answers (`localhost` is often two of them).
        let connect = timeout(self.options.connect_timeout, TcpStream::connect(address));
        let trial = connect.await.map_err(|_| Error::TimedOut(self.options.connect_timeout))?;
        let peer = trial.and_then(|t| t.peer_addr()).map_err(|e| Error::Transport(e.to_string()))?;
        // These limits are only a second line: a little later than ours, so that it is ours that ends a call.
        let later = self.options.call_timeout + Duration::from_secs(1);
        let builder = hms::ThriftHiveMetastoreClientBuilder::new("metastore")
            .address(peer)
            .connect_timeout(Some(self.options.connect_timeout))
            .read_write_timeout(Some(later))
            .rpc_timeout(Some(later));
        // The default, TTHeader, is spoken by no metastore.
        Ok(match self.options.framed {
            true => builder.make_codec(DefaultMakeCodec::framed()).build(),
            false => builder.make_codec(DefaultMakeCodec::buffered()).build(),
        })
    }
}
