//! Making the metastore hold a table as it is wanted: what one try at it does.

use std::future::ready;

use tracing::{info, warn};

use super::port::{Catalog, CatalogError, CatalogTable, Change};
use super::reconcile::{Plan, Wanted, plan};
use crate::failpoint::around;

/// Looks at a table within one try: each may find what somebody else did meanwhile.
const LOOKS: usize = 4;

/// Creates or changes the table and looks again, until nothing is to be done. That finds what somebody else did first,
/// and what became of a change whose reply was lost; a create of that kind is found by the next try. Also says whether the
/// table was missing.
pub(super) async fn settle(catalog: &dyn Catalog, wanted: &Wanted) -> Result<(Plan, bool), CatalogError> {
    let (mut sent, mut missing, mut end) = (None, false, Ok(Plan::Create));
    for _ in 0..LOOKS {
        let found = catalog.get_table(&wanted.table.database, &wanted.table.name).await?;
        let next = plan(wanted, found.as_ref());
        let done = match (&next, &found) {
            (Plan::Create, _) => {
                missing = true;
                create(catalog, wanted).await
            }
            (Plan::Alter(change), Some(found)) => {
                let done = alter(catalog, found, change).await;
                if !matches!(done, Err(CatalogError::Changed(_))) {
                    sent = Some(change.clone());
                }
                done
            }
            _ => {
                sent.filter(|_| next == Plan::UpToDate).iter().for_each(|change| tell(wanted, change));
                return Ok((next, missing));
            }
        };
        end = match done {
            // somebody else was quicker: their table is compared as any other
            Ok(()) | Err(CatalogError::AlreadyExists(_) | CatalogError::Changed(_)) => Ok(next),
            Err(e @ CatalogError::Unavailable { .. }) if sent.is_some() => Err(e),
            Err(e) => return Err(e),
        };
    }
    end.map(|plan| (plan, missing))
}

async fn create(catalog: &dyn Catalog, wanted: &Wanted) -> Result<(), CatalogError> {
    let away = || CatalogError::Unavailable { uri: wanted.full_name(), reason: "failpoint".to_owned() };
    let created = around("hms.create.before", away, catalog.create_table(&wanted.table)).await;
    around("hms.create.after", away, ready(created)).await
}

async fn alter(catalog: &dyn Catalog, found: &CatalogTable, change: &Change) -> Result<(), CatalogError> {
    let away = || CatalogError::Unavailable { uri: found.name.clone(), reason: "failpoint".to_owned() };
    let altered = around("hms.alter.before", away, catalog.alter_table(found, change)).await;
    around("hms.alter.after", away, ready(altered)).await
}

/// What is to be done about each table.
pub async fn look(catalog: &dyn Catalog, wanted: &[Wanted]) -> Result<Vec<Plan>, CatalogError> {
    let mut plans = Vec::new();
    for table in wanted {
        let found = catalog.get_table(&table.table.database, &table.table.name).await?;
        plans.push(plan(table, found.as_ref()));
    }
    Ok(plans)
}

/// The tables with which a daemon must not start, and why; a missing table is none of them. `None`: the metastore is
/// away, which must not keep a daemon from starting.
pub async fn check_once(catalog: &dyn Catalog, wanted: &[Wanted]) -> Option<Vec<(String, Vec<String>)>> {
    match look(catalog, wanted).await {
        Ok(plans) => {
            let refusals = wanted.iter().zip(&plans).map(|(table, plan)| (table.full_name(), plan.refusals()));
            Some(refusals.filter(|(_, refusals)| !refusals.is_empty()).collect())
        }
        Err(e) => {
            warn!(reason = %e, "the tables could not be compared with the metastore");
            None
        }
    }
}

fn tell(wanted: &Wanted, change: &Change) {
    let table = wanted.full_name();
    if change.columns.is_empty() {
        info!(table, "the metastore holds the record of the table's migrations now");
    } else {
        let columns: Vec<_> = change.columns.iter().map(|(name, hive_type)| format!("{name} {hive_type}")).collect();
        let migrations = wanted.files_of_last(columns.len()).join(", ");
        info!(
            table,
            columns = columns.join(", "),
            migrations,
            "columns added: rows that landed before have null there"
        );
    }
}
