//! What every catalog must do, asked of each implementation.

use std::time::{SystemTime, UNIX_EPOCH};

use landfall::catalog::{Catalog, CatalogError, CatalogPartition, CatalogTable, Change, RECORD, compare};
use landfall::schema::partition::{NULL_VALUE, push, room};

/// A wanted table; `root` is a URI under which directories may be made.
fn table(database: &str, name: &str, root: &str) -> CatalogTable {
    let columns = [
        ("raw_event", "string"),
        ("timestamp", "timestamp"),
        ("user-agent", "string"),
        ("select", "boolean"),
        ("größe", "double"),
        ("a", "tinyint"),
        ("b", "smallint"),
        ("c", "int"),
        ("d", "bigint"),
        ("e", "float"),
        ("f", "binary"),
    ];
    CatalogTable {
        database: database.into(),
        name: name.into(),
        columns: columns.map(|(n, t)| (n.to_owned(), t.to_owned())).to_vec(),
        comments: Default::default(),
        partition_keys: vec![],
        location: format!("{root}/{database}/{name}"),
        external: true,
        parquet: true,
        properties: [("parquet.compress", "SNAPPY"), ("comment", "what was bought, in €")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
    }
}

/// Asks all of `catalog`. Works in a database of its own and drops its tables again.
pub async fn run(catalog: &dyn Catalog, root: &str) {
    let unique = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let database = format!("landfall_suite_{unique}");
    let wanted = table(&database, "purchases", root);

    missing_is_none(catalog, &database).await;
    reads_back_what_was_created(catalog, &wanted).await;
    a_second_create_changes_nothing(catalog, &wanted).await;
    names_are_lower_case(catalog, &database, root).await;
    partition_keys_and_properties_are_kept(catalog, &database, root).await;
    partitions_are_added_once_and_stay_as_they_are(catalog, &database, root).await;
    an_unknown_type_is_refused(catalog, &database, root).await;
    of_many_creates_one_wins(catalog, &database, root).await;
    columns_are_added_at_the_end(catalog, &database, root).await;
    of_many_changes_all_end_with_one_set_of_columns(catalog, &database, root).await;
    drops_once(catalog, &wanted).await;
}

async fn missing_is_none(catalog: &dyn Catalog, database: &str) {
    assert_eq!(catalog.get_table(database, "nope").await.unwrap(), None, "missing database");
    assert_eq!(catalog.get_table("default", &format!("nope_{database}")).await.unwrap(), None, "missing table");
    assert!(!catalog.drop_table(database, "nope").await.unwrap());
}

async fn reads_back_what_was_created(catalog: &dyn Catalog, wanted: &CatalogTable) {
    catalog.create_table(wanted).await.unwrap();
    let found = catalog.get_table(&wanted.database, &wanted.name).await.unwrap().unwrap();
    assert_eq!(compare(wanted, &found), [""; 0]);
    assert_eq!((&found.database, &found.name, &found.columns), (&wanted.database, &wanted.name, &wanted.columns));
    assert!(found.external && found.parquet);
    for (key, value) in &wanted.properties {
        assert_eq!(found.properties.get(key), Some(value), "{key}");
    }
}

async fn a_second_create_changes_nothing(catalog: &dyn Catalog, wanted: &CatalogTable) {
    let before = catalog.get_table(&wanted.database, &wanted.name).await.unwrap();
    let mut other = wanted.clone();
    other.columns.pop();
    let e = catalog.create_table(&other).await.unwrap_err();
    assert!(matches!(&e, CatalogError::AlreadyExists(t) if t == &format!("{}.purchases", wanted.database)), "{e:?}");
    assert_eq!(catalog.get_table(&wanted.database, &wanted.name).await.unwrap(), before);
}

async fn names_are_lower_case(catalog: &dyn Catalog, database: &str, root: &str) {
    let mut wanted = table(database, "MixedCase", root);
    wanted.columns = vec![("User-Agent".into(), "string".into())];
    catalog.create_table(&wanted).await.unwrap();
    let found = catalog.get_table(&database.to_uppercase(), "MIXEDCASE").await.unwrap().unwrap();
    assert_eq!((&found.name[..], &found.columns[0].0[..]), ("mixedcase", "user-agent"));
    assert_eq!(compare(&wanted, &found), [""; 0]);
    assert!(catalog.drop_table(database, "mixedcase").await.unwrap());
}

async fn partition_keys_and_properties_are_kept(catalog: &dyn Catalog, database: &str, root: &str) {
    let mut wanted = table(database, "partitioned", root);
    wanted.partition_keys = vec![("dt".into(), "date".into()), ("hour".into(), "int".into())];
    wanted.properties.insert("long".into(), "x".repeat(4000));
    catalog.create_table(&wanted).await.unwrap();
    let found = catalog.get_table(database, "partitioned").await.unwrap().unwrap();
    assert_eq!(found.partition_keys, wanted.partition_keys);
    assert_eq!(found.properties["long"].len(), 4000);
    assert!(catalog.drop_table(database, "partitioned").await.unwrap());
}

async fn partitions_are_added_once_and_stay_as_they_are(catalog: &dyn Catalog, database: &str, root: &str) {
    let mut wanted = table(database, "parted", root);
    wanted.partition_keys = vec![("day".into(), "string".into()), ("hour".into(), "int".into())];
    catalog.create_table(&wanted).await.unwrap();
    assert_eq!(catalog.partition_names(database, "parted").await.unwrap(), [""; 0]);
    // No two of these are one, and each has the name that its directory has.
    let days = ["2026-11-22", "a/b=c:%", " ", "Ab", "ab", "größe", "100%25", "\"#'*?\\{}[]^", NULL_VALUE];
    let partition = |day: &str, hour: &str| {
        let mut name = String::new();
        for (column, value) in [("day", day), ("hour", hour)] {
            push(&mut name, column, Some(value).filter(|v| *v != NULL_VALUE), room(2));
        }
        let location = format!("{}/{name}", wanted.location);
        CatalogPartition { name, values: vec![day.to_owned(), hour.to_owned()], location }
    };
    let mut all: Vec<_> = days.iter().flat_map(|day| [partition(day, "7"), partition(day, NULL_VALUE)]).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    catalog.add_partitions(&wanted, &all[..3]).await.unwrap();
    let elsewhere: Vec<_> = all.iter().cloned().map(|p| CatalogPartition { location: root.to_owned(), ..p }).collect();
    catalog.add_partitions(&wanted, &elsewhere[..3]).await.unwrap();
    catalog.add_partitions(&wanted, &all).await.unwrap();
    let mut names = catalog.partition_names(database, "parted").await.unwrap();
    names.sort();
    assert_eq!(names, all.iter().map(|p| p.name.clone()).collect::<Vec<_>>());
    names.push("day=none/hour=1".to_owned());
    let mut found = catalog.partitions(&wanted, &names).await.unwrap();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(found, all);
    assert!(catalog.drop_table(database, "parted").await.unwrap());
    assert!(catalog.partition_names(database, "parted").await.unwrap_or_default().is_empty());
}

async fn an_unknown_type_is_refused(catalog: &dyn Catalog, database: &str, root: &str) {
    let mut wanted = table(database, "refused", root);
    wanted.columns.push(("x".into(), "bigunt".into()));
    let e = catalog.create_table(&wanted).await.unwrap_err();
    assert!(matches!(&e, CatalogError::Refused { reason, .. } if reason.contains("bigunt")), "{e:?}");
    assert_eq!(catalog.get_table(database, "refused").await.unwrap(), None);
}

async fn of_many_creates_one_wins(catalog: &dyn Catalog, database: &str, root: &str) {
    let wanted = table(database, "raced", root);
    let (a, b, c) =
        tokio::join!(catalog.create_table(&wanted), catalog.create_table(&wanted), catalog.create_table(&wanted));
    let results = [a, b, c];
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1, "{results:?}");
    assert!(results.iter().all(|r| matches!(r, Ok(()) | Err(CatalogError::AlreadyExists(_)))), "{results:?}");
    assert!(catalog.drop_table(database, "raced").await.unwrap());
}

/// `added int` and a nested column at the end, with a record of the migrations.
fn change() -> Change {
    let columns = [("added", "int"), ("nested", "array<struct<a:int,b:map<string,decimal(5,2)>>>")];
    Change {
        columns: columns.map(|(n, t)| (n.to_owned(), t.to_owned())).to_vec(),
        comments: [("added".to_owned(), "since 0002".to_owned())].into(),
        properties: [(RECORD.to_owned(), "0001:00000001 0002:00000002".to_owned())].into(),
    }
}

async fn columns_are_added_at_the_end(catalog: &dyn Catalog, database: &str, root: &str) {
    let mut wanted = table(database, "altered", root);
    wanted.comments.insert("timestamp".into(), "when".into());
    wanted.properties.insert(RECORD.into(), "0001:00000001".into());
    catalog.create_table(&wanted).await.unwrap();
    let seen = catalog.get_table(database, "altered").await.unwrap().unwrap();
    catalog.alter_table(&seen, &change()).await.unwrap();
    let found = catalog.get_table(database, "altered").await.unwrap().unwrap();
    let mut expected = seen.clone();
    expected.columns.extend(change().columns);
    expected.comments.extend(change().comments);
    expected.properties.extend(change().properties);
    // what the server enters by itself
    let own = |mut t: CatalogTable| {
        for key in ["transient_lastDdlTime", "last_modified_time", "last_modified_by", "COLUMN_STATS_ACCURATE"] {
            t.properties.remove(key);
        }
        t
    };
    assert_eq!(own(found.clone()), own(expected), "all else stays");

    let e = catalog.alter_table(&seen, &change()).await.unwrap_err();
    assert!(matches!(&e, CatalogError::Changed(t) if t == &format!("{database}.altered")), "{e:?}");
    let record = Change { columns: vec![], comments: Default::default(), ..change() };
    catalog.alter_table(&found, &record).await.unwrap();
    let mut bad = change();
    bad.columns = vec![("x".into(), "bigunt".into())];
    let e = catalog.alter_table(&found, &bad).await.unwrap_err();
    assert!(matches!(&e, CatalogError::Refused { .. } | CatalogError::Unavailable { .. }), "{e:?}");
    let still = catalog.get_table(database, "altered").await.unwrap().unwrap();
    assert_eq!(still.columns, found.columns);
    assert!(catalog.drop_table(database, "altered").await.unwrap());
    let e = catalog.alter_table(&found, &change()).await.unwrap_err();
    assert!(matches!(&e, CatalogError::Changed(_)), "{e:?}");
}

async fn of_many_changes_all_end_with_one_set_of_columns(catalog: &dyn Catalog, database: &str, root: &str) {
    catalog.create_table(&table(database, "altered_at_once", root)).await.unwrap();
    let seen = catalog.get_table(database, "altered_at_once").await.unwrap().unwrap();
    let (change, mut expected) = (change(), seen.columns.clone());
    let (a, b, c) = tokio::join!(
        catalog.alter_table(&seen, &change),
        catalog.alter_table(&seen, &change),
        catalog.alter_table(&seen, &change)
    );
    let results = [a, b, c];
    assert!(results.iter().any(|r| r.is_ok()), "{results:?}");
    let passing = |r: &Result<(), CatalogError>| {
        matches!(r, Ok(()) | Err(CatalogError::Changed(_) | CatalogError::Unavailable { .. }))
    };
    assert!(results.iter().all(passing), "{results:?}");
    expected.extend(change.columns.clone());
    let found = catalog.get_table(database, "altered_at_once").await.unwrap().unwrap();
    assert_eq!(found.columns, expected);
    assert!(catalog.drop_table(database, "altered_at_once").await.unwrap());
}

async fn drops_once(catalog: &dyn Catalog, wanted: &CatalogTable) {
    assert!(catalog.drop_table(&wanted.database, &wanted.name).await.unwrap());
    assert!(!catalog.drop_table(&wanted.database, &wanted.name).await.unwrap());
    assert_eq!(catalog.get_table(&wanted.database, &wanted.name).await.unwrap(), None);
    // its files are not the catalog's: the table can be made again over them
    catalog.create_table(wanted).await.unwrap();
    assert!(catalog.drop_table(&wanted.database, &wanted.name).await.unwrap());
}
