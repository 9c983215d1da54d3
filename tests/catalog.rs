//! The catalogs: one suite on each implementation, and what is particular to a real metastore.
//!
//! The real one runs where `LANDFALL__METASTORE__URI` names it, as for landfall itself; `LANDFALL__STORAGE__URL` says
//! where its tables' directories may be (default: under `file:///tmp`, which must then be the metastore's own disk).
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::catalog_suite;
use common::proxy::Proxy;
use landfall::catalog::{
    Catalog, CatalogError, CatalogTable, HiveCatalog, MemoryCatalog, NewPartitions, Registrar, RegistrarStatus,
    check_once,
};
use landfall::config::settings::Metastore;
use landfall::storage::{HdfsStorage, Storage};
use tokio::sync::watch;

fn hive(uri: &str, limit: Duration) -> HiveCatalog {
    owned(uri, limit, Some("landfall"))
}

fn owned(uri: &str, limit: Duration, owner: Option<&str>) -> HiveCatalog {
    let settings = Metastore { uri: uri.into(), database: "default".into(), call_timeout: limit, framed: false };
    HiveCatalog::new(&settings, owner.map(str::to_owned)).unwrap()
}

/// The address of the real metastore, or `None` with a note.
fn real() -> Option<String> {
    let uri = std::env::var("LANDFALL__METASTORE__URI").ok().filter(|u| !u.is_empty());
    if uri.is_none() {
        eprintln!("skipped: set LANDFALL__METASTORE__URI=thrift://host:port to run this on a real metastore");
    }
    uri
}

#[tokio::test]
async fn memory_passes_the_suite() {
    catalog_suite::run(&MemoryCatalog::default(), "hdfs://nn:8020/suite").await;
}

#[tokio::test]
async fn a_real_metastore_passes_the_suite() {
    let Some(uri) = real() else { return };
    let root = std::env::var("LANDFALL__STORAGE__URL").unwrap_or_else(|_| "file:///tmp".into());
    let root = format!("{}/landfall-suite", root.trim_end_matches('/'));
    for owner in [Some("landfall"), None] {
        catalog_suite::run(&owned(&uri, Duration::from_secs(40), owner), &root).await;
    }
}

#[tokio::test]
async fn memory_that_is_away_is_unavailable() {
    let catalog = MemoryCatalog::default();
    catalog.set_away(true);
    assert!(matches!(catalog.get_table("d", "t").await, Err(CatalogError::Unavailable { .. })));
}

#[tokio::test]
async fn a_closed_port_is_unavailable_at_once() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    unavailable_within(&format!("thrift://{free}"), Duration::from_secs(5), Duration::from_secs(2)).await;
}

#[tokio::test]
async fn a_metastore_that_never_answers_is_unavailable_within_the_limit() {
    // connections are taken by the kernel, and nobody reads them
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("thrift://{}", silent.local_addr().unwrap());
    unavailable_within(&uri, Duration::from_millis(300), Duration::from_secs(2)).await;
}

#[tokio::test]
async fn an_unknown_host_is_unavailable() {
    unavailable_within("thrift://no-such-host.invalid:9083", Duration::from_secs(5), Duration::from_secs(6)).await;
}

async fn unavailable_within(uri: &str, call_timeout: Duration, limit: Duration) {
    let catalog = hive(uri, call_timeout);
    for _ in 0..2 {
        let start = Instant::now();
        let e = catalog.get_table("d", "t").await.unwrap_err();
        assert!(start.elapsed() < limit, "{:?}", start.elapsed());
        assert!(matches!(&e, CatalogError::Unavailable { uri: u, .. } if u == uri), "{e:?}");
    }
}

#[tokio::test]
async fn a_real_metastore_is_found_again_after_an_absence() {
    let Some(uri) = real() else { return };
    let proxy = Proxy::of(uri.trim_start_matches("thrift://"));
    let catalog = hive(&format!("thrift://{}", proxy.address), Duration::from_secs(40));
    for _ in 0..3 {
        assert!(catalog.get_table("default", "no_such_table").await.unwrap().is_none());
        proxy.close();
        let e = catalog.get_table("default", "no_such_table").await.unwrap_err();
        assert!(matches!(e, CatalogError::Unavailable { .. }), "{e:?}");
        let e = catalog.create_table(&purchases()).await.unwrap_err();
        assert!(matches!(e, CatalogError::Unavailable { .. }), "{e:?}");
        proxy.open();
    }
}

#[tokio::test]
async fn of_several_servers_of_a_real_metastore_one_that_answers_is_used() {
    let Some(uri) = real() else { return };
    let [a, b] = [(); 2].map(|()| Proxy::of(uri.trim_start_matches("thrift://")));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let uris = format!("thrift://{nobody}, thrift://{}, thrift://{}", a.address, b.address);
    let catalog = hive(&uris, Duration::from_secs(40));
    let ask = || catalog.get_table("default", "no_such_table");
    assert!(ask().await.unwrap().is_none(), "the first cannot be reached: the second is asked within the call");
    for (away, back) in [(&a, &b), (&b, &a), (&a, &b)] {
        back.open();
        away.close();
        // The connection broke, and what became of a call on it is not known.
        let e = ask().await.unwrap_err();
        assert!(matches!(&e, CatalogError::Unavailable { uri, .. } if *uri == uris), "{e:?}");
        assert!(!e.to_string().contains("RpcInfo"), "{e}");
        assert!(ask().await.unwrap().is_none());
    }
    b.close();
    for _ in 0..2 {
        let e = ask().await.unwrap_err().to_string();
        assert!(e.starts_with(&format!("the metastore at {uris} does not answer")), "{e}");
    }
}

#[tokio::test]
async fn an_answer_of_a_real_metastore_that_comes_too_late_is_nobodys() {
    let Some(uri) = real() else { return };
    let root = std::env::var("LANDFALL__STORAGE__URL").unwrap_or_else(|_| "file:///tmp".into());
    let name = format!("late_{}", uuid::Uuid::new_v4().simple());
    let table = CatalogTable { name: name.clone(), location: format!("{root}/{name}"), ..purchases() };
    let direct = hive(&uri, Duration::from_secs(40));
    direct.create_table(&table).await.unwrap();
    let proxy = Proxy::of(uri.trim_start_matches("thrift://"));
    let limit = Duration::from_secs(1);
    let catalog = hive(&format!("thrift://{}", proxy.address), limit);
    assert!(catalog.get_table("default", &name).await.unwrap().is_some());
    for _ in 0..2 {
        proxy.delay(limit * 3 / 2);
        let e = catalog.get_table("default", "no_such_table").await.unwrap_err();
        assert!(e.to_string().contains("no answer within 1s"), "{e}");
        proxy.delay(Duration::ZERO);
        // The answer, that there is no such table, arrives meanwhile.
        for _ in 0..8 {
            assert!(catalog.get_table("default", &name).await.unwrap().is_some());
            tokio::time::sleep(limit / 8).await;
        }
    }
    assert!(direct.drop_table("default", &name).await.unwrap());
}

#[tokio::test]
async fn tables_are_registered_when_a_real_metastore_comes_back() {
    let (Some(uri), Ok(url)) = (real(), std::env::var("LANDFALL__STORAGE__URL")) else { return };
    let name = format!("registered_{}", uuid::Uuid::new_v4().simple());
    let storage: Arc<dyn Storage> = Arc::new(HdfsStorage::new(&url, None, &BTreeMap::new()).unwrap());
    let wanted = CatalogTable { location: storage.uri(&format!("/{name}")), name: name.clone(), ..purchases() };
    let directory = format!("/{name}");
    let proxy = Proxy::of(uri.trim_start_matches("thrift://"));
    proxy.close();
    let catalog = Arc::new(hive(&format!("thrift://{}", proxy.address), Duration::from_secs(40)));
    assert_eq!(check_once(catalog.as_ref(), &[(wanted.clone(), directory.clone()).into()]).await, None);

    let (sender, mut status) = watch::channel(RegistrarStatus::default());
    let tables = vec![(wanted.clone(), directory.clone()).into()];
    let interval = Duration::from_millis(100);
    let new = NewPartitions::new();
    let registrar = tokio::spawn(Registrar::run(catalog.clone(), storage.clone(), tables, new, interval, sender));
    status.wait_for(|s| s.away.is_some() && s.unregistered() == 1).await.unwrap();
    proxy.open();
    let registered = |s: &RegistrarStatus| s.away.is_none() && s.unregistered() == 0;
    status.wait_for(registered).await.unwrap();

    let direct = hive(&uri, Duration::from_secs(40));
    assert!(direct.drop_table("default", &name).await.unwrap());
    while direct.get_table("default", &name).await.unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(check_once(&direct, &[(wanted, directory.clone()).into()]).await, Some(vec![]));
    registrar.abort();
    direct.drop_table("default", &name).await.unwrap();
    storage.delete(&format!("/{name}")).await.unwrap();
}

fn purchases() -> CatalogTable {
    CatalogTable {
        database: "default".into(),
        name: "never_created".into(),
        columns: vec![("a".into(), "int".into())],
        comments: Default::default(),
        partition_keys: vec![],
        location: "file:///tmp/never_created".into(),
        external: true,
        parquet: true,
        properties: Default::default(),
    }
}
