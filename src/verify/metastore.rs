//! The tables as the metastore has them.

use std::collections::{BTreeMap, BTreeSet};

use super::audit::{Listed, Place};
use super::finding::{Finding, Kind};
use super::{Audited, Target};
use crate::catalog::{Catalog, CatalogError, CatalogTable, PARTITIONS_AT_ONCE, compare as differences, same_location};
use crate::schema::partition;

/// What is wrong with them. A metastore that is away is one finding.
pub(super) async fn compare(target: &Target, places: &[Place], listed: &[Listed]) -> Vec<Finding> {
    let Some(catalog) = &target.catalog else { return Vec::new() };
    let mut findings = Vec::new();
    for table in &target.tables {
        let name = format!("{}.{}", table.wanted.database, table.wanted.name);
        match get(catalog.as_ref(), table).await {
            Ok(found) => {
                let keys = |t: &CatalogTable| t.partition_keys.len();
                let comparable = keys(&table.wanted) > 0 && found.as_ref().map(keys) == Some(keys(&table.wanted));
                findings.extend(compare_one(table, found).into_iter().map(|f| f.of_table(&table.name)));
                if comparable {
                    let there = partitions_of(table, places, listed);
                    let compared = compare_partitions(catalog.as_ref(), table, &there).await;
                    let compared = compared.unwrap_or_else(|e| {
                        vec![Finding::new(Kind::NotChecked, name, format!("its partitions were not compared: {e}"))]
                    });
                    findings.extend(compared.into_iter().map(|f| f.of_table(&table.name)));
                }
            }
            Err(e @ CatalogError::Unavailable { .. }) => {
                let what = format!("no table from {name} on was compared with the metastore: {e}");
                findings.push(Finding::new(Kind::NotChecked, name, what));
                break;
            }
            Err(e) => findings.push(Finding::new(Kind::NotChecked, name, e.to_string()).of_table(&table.name)),
        }
    }
    findings
}

/// The partitions of a table that have a directory, and whether there are files in it.
fn partitions_of(table: &Audited, places: &[Place], listed: &[Listed]) -> BTreeMap<String, bool> {
    let own = places.iter().zip(listed).filter(|(p, l)| p.table == table.name && p.root == table.dir && l.is_there);
    let leaves = own.filter(|(p, _)| p.partition().split('/').count() == table.wanted.partition_keys.len());
    let leaves = leaves.filter(|(p, _)| p.dir != p.root);
    leaves.map(|(p, l)| (p.partition().to_owned(), l.known.files + l.old.files > 0)).collect()
}

/// `there`: the partitions that have a directory, and whether there are files in it.
async fn compare_partitions(
    catalog: &dyn Catalog,
    table: &Audited,
    there: &BTreeMap<String, bool>,
) -> Result<Vec<Finding>, CatalogError> {
    let wanted = &table.wanted;
    let held: BTreeSet<String> = catalog.partition_names(&wanted.database, &wanted.name).await?.into_iter().collect();
    let (mut missing, mut bad, mut gone, mut elsewhere) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    missing.extend(there.iter().filter(|(name, files)| **files && !held.contains(*name)).map(|(name, _)| name.clone()));
    let names: Vec<_> = held.into_iter().collect();
    for some in names.chunks(PARTITIONS_AT_ONCE) {
        for found in catalog.partitions(wanted, some).await? {
            let own = format!("{}/{}", wanted.location.trim_end_matches('/'), found.name);
            if partition::values_of(&found.name, &wanted.partition_keys).is_none() {
                bad.push(found.name);
            } else if !same_location(&own, &found.location) {
                elsewhere.push(format!("{} at {}", found.name, found.location));
            } else if !there.contains_key(&found.name) {
                gone.push(found.name);
            }
        }
    }
    let name = format!("{}.{}", wanted.database, wanted.name);
    let all = [
        (Kind::MissingPartition, missing, "partitions with rows that the metastore does not have"),
        (Kind::BrokenPartition, bad, "partitions in the metastore with a value that is none of its column's type"),
        (Kind::BrokenPartition, gone, "partitions in the metastore whose directory is gone"),
        (Kind::WrongLocation, elsewhere, "partitions that the metastore has elsewhere than their rows land"),
    ];
    let told = all.into_iter().filter(|(_, partitions, _)| !partitions.is_empty());
    let told = told.map(|(kind, partitions, what)| {
        Finding::new(kind, &name, format!("{} {what}; the first is {}", partitions.len(), partitions[0]))
    });
    Ok(told.collect())
}

/// Asks once more where there was no answer.
async fn get(catalog: &dyn Catalog, table: &Audited) -> Result<Option<CatalogTable>, CatalogError> {
    match catalog.get_table(&table.wanted.database, &table.wanted.name).await {
        Err(CatalogError::Unavailable { .. }) => catalog.get_table(&table.wanted.database, &table.wanted.name).await,
        answer => answer,
    }
}

fn compare_one(table: &Audited, found: Option<CatalogTable>) -> Vec<Finding> {
    let wanted = &table.wanted;
    let name = format!("{}.{}", wanted.database, wanted.name);
    let Some(mut found) = found else {
        return vec![Finding::new(Kind::MissingTable, name, "the metastore does not have the table")];
    };
    let mut out = Vec::new();
    if !same_location(&wanted.location, &found.location) {
        let what =
            format!("the metastore has {name} at {}, its rows are landed at {}", found.location, wanted.location);
        out.push(Finding::new(Kind::WrongLocation, &found.location, what));
        found.location.clone_from(&wanted.location);
    }
    let others = differences(wanted, &found).into_iter().map(|d| Finding::new(Kind::TableDiffers, &name, d));
    out.extend(others);
    out
}
