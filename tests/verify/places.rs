//! Where tables and partitions lie, and where the metastore says so.

use std::sync::Arc;
use std::time::Duration;

use landfall::catalog::{Catalog, CatalogPartition, CatalogTable, MemoryCatalog};
use landfall::fault::Fault;
use landfall::storage::Parents;
use landfall::verify::Report;

use super::common::toy::{TABLES, table_dir, toy_partition};
use super::{audit, audit_of, files, found, landed, target, wanted};

/// The metastore's entry of a partition of b.
fn entry(p: &str, dir: &str) -> CatalogPartition {
    let (name, values) = (toy_partition(p), vec!["kafka".to_owned(), p.to_owned()]);
    CatalogPartition { location: format!("memory://{dir}/{name}"), name, values }
}

#[tokio::test]
async fn tables_must_not_move_in_the_configuration_or_in_the_metastore() {
    let (storage, _) = landed(3).await;
    let catalog = Arc::new(MemoryCatalog::default());
    let mut moved = target(&storage, Some(catalog.clone()));
    catalog.create_table(&wanted("a")).await.unwrap();
    catalog.create_table(&CatalogTable { location: "memory:///else".to_owned(), ..wanted("b") }).await.unwrap();
    catalog.add_partitions(&wanted("b"), &[entry("0", &table_dir("b"))]).await.unwrap();
    let report = audit_of(&moved).await.unwrap();
    let wrong = &report.findings[0];
    assert_eq!((found(&report).len(), wrong.kind.word(), wrong.table.as_deref()), (1, "wrong_location", Some("b")));
    assert!(wrong.what.contains("default.b at memory:///else"), "{wrong}");
    catalog.drop_table("default", "b").await.unwrap();
    assert_eq!(found(&audit_of(&moved).await.unwrap()), ["missing_table b -"]);
    catalog.set_away(true);
    let report = audit_of(&moved).await.unwrap();
    assert_eq!((found(&report).len(), report.fault()), (1, Some(Fault::Retry)), "{report}");

    moved.catalog = None;
    moved.tables[0].dir = "/elsewhere/a".to_owned();
    let report = audit_of(&moved).await.unwrap();
    assert_eq!(found(&report), ["wrong_location a 0"], "{report}");
    assert!(report.findings[0].what.contains("/elsewhere/a"), "{report}");
}

#[tokio::test]
async fn what_is_wrong_with_partitions_is_found_in_their_directories() {
    let todo = |report: &Report| report.findings.last().unwrap().todo.clone();
    for (fault, expected) in [
        ("dt=1", &["foreign_file b -"][..]),
        ("of=kafka/x=1", &["foreign_file b -"]),
        ("of=kafka/p=x", &["foreign_file b -"]),
        ("of=kafka/p=0/x=1", &["foreign_file b -"]),
        ("of=kafka/p=9", &[]),
        ("of=other", &[]),
        ("moved to of=kafka/p=9", &["missing_file b 1", "foreign_file b 1"]),
        ("moved to of=kafka", &["missing_file b 1", "foreign_file b 1"]),
        ("moved to ", &["missing_file b 1", "foreign_file b 1"]),
        ("gone", &["missing_directory b -"]),
    ] {
        let (storage, _) = landed(6).await;
        if fault == "gone" {
            storage.delete("/tables/b/of=kafka/p=0").await.unwrap();
        } else if let Some(to) = fault.strip_prefix("moved to ") {
            let file = files(&storage, "b").await.remove(1);
            let dir = format!("/tables/b/{to}");
            let dir = dir.trim_end_matches('/');
            storage.mkdir(dir, Parents::Create).await.unwrap();
            storage.rename(&file, &format!("{dir}/{}", file.rsplit_once('/').unwrap().1)).await.unwrap();
            let report = audit(&storage).await;
            assert!(todo(&report).contains(&format!("move it back to {file}")), "{report}");
        } else {
            storage.mkdir(&format!("/tables/b/{fault}"), Parents::Create).await.unwrap();
        }
        let report = audit(&storage).await;
        assert_eq!(found(&report), expected, "{fault}: {report}");
        assert_eq!((report.files, report.tables.len()), (12, 2), "{report}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_partitions_is_found_in_the_metastore() {
    let (storage, committer) = landed(6).await;
    committer.tidy(Duration::from_secs(3600), Duration::ZERO).await.unwrap();
    let dir = table_dir("b");
    for (entries, expected) in [
        (vec![], &["missing_partition b -"][..]),
        (vec![entry("0", &dir)], &[]),
        (vec![entry("0", "/elsewhere")], &["wrong_location b -"]),
        (vec![entry("0", &dir), entry("1", &dir)], &["broken_partition b -"]),
        (vec![entry("0", &dir), entry("x", &dir)], &["broken_partition b -"]),
    ] {
        let catalog = Arc::new(MemoryCatalog::default());
        for table in TABLES {
            catalog.create_table(&wanted(table)).await.unwrap();
        }
        catalog.add_partitions(&wanted("b"), &entries).await.unwrap();
        let report = audit_of(&target(&storage, Some(catalog))).await.unwrap();
        assert_eq!(found(&report), expected, "{entries:?}: {report}");
    }
}
