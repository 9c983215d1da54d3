//! The catalogs: one suite on each implementation, and what is particular to a real metastore.
//!
//! The real one runs where `LANDFALL__METASTORE__URI` names it, as for landfall itself; `LANDFALL__STORAGE__URL` says
//! where its tables' directories may be (default: under `file:///tmp`, which must then be the metastore's own disk).
#![allow(clippy::unwrap_used)]

mod common;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use common::catalog_suite;
use common::proxy::Proxy;
use landfall::catalog::{Catalog, CatalogError, CatalogTable, HiveCatalog, MemoryCatalog};
use landfall::config::settings::Metastore;

fn hive(uri: &str, limit: Duration) -> HiveCatalog {
    let settings = Metastore { uri: uri.into(), database: "default".into(), call_timeout: limit, framed: false };
    HiveCatalog::new(&settings, Some("landfall".into())).unwrap()
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
    catalog_suite::run(&hive(&uri, Duration::from_secs(40)), &root).await;
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

fn purchases() -> CatalogTable {
    CatalogTable {
        database: "default".into(),
        name: "never_created".into(),
        columns: vec![("a".into(), "int".into())],
        partition_keys: vec![],
        location: "file:///tmp/never_created".into(),
        external: true,
        parquet: true,
        properties: Default::default(),
    }
}
