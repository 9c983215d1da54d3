//! The tables as the metastore has them.

use super::finding::{Finding, Kind};
use super::{Audited, Target};
use crate::catalog::{Catalog, CatalogError, CatalogTable, compare as differences, same_location};

/// What is wrong with them. A metastore that is away is one finding.
pub(super) async fn compare(target: &Target) -> Vec<Finding> {
    let Some(catalog) = &target.catalog else { return Vec::new() };
    let mut findings = Vec::new();
    for table in &target.tables {
        let name = format!("{}.{}", table.wanted.database, table.wanted.name);
        match get(catalog.as_ref(), table).await {
            Ok(found) => findings.extend(compare_one(table, found).into_iter().map(|f| f.of_table(&table.name))),
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
