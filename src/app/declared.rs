//! What a job declares: its migrations, and all that can be said of them and the settings without reaching anything.

use std::path::Path;
use std::sync::Arc;

use super::{AppError, database, overlap};
use crate::batch::Plan;
use crate::catalog::{self, Wanted};
use crate::config::Settings;
use crate::schema::{Table, migrations};
use crate::storage::resolve_location;

/// What is declared, and sound.
pub(super) struct Declared {
    pub tables: Vec<Table>,
    pub plan: Arc<Plan>,
    pub locations: Vec<String>,
}

/// Reads the `.sql` files of a folder, in name order.
pub fn read_migrations(folder: &Path) -> Result<Vec<(String, String)>, AppError> {
    let fail = |what: &Path, reason: &dyn std::fmt::Display| {
        let what = std::path::absolute(what).unwrap_or_else(|_| what.to_owned());
        let advice = "the key `migrations` names the folder of the tables' definitions, NNNN_name.sql";
        AppError::Config(vec![format!("{}: {reason}; {advice}", what.display())])
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| fail(folder, &e))? {
        let path = entry.map_err(|e| fail(folder, &e))?.path();
        if path.extension().is_some_and(|e| e == "sql") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.push((name, std::fs::read_to_string(&path).map_err(|e| fail(&path, &e))?));
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(fail(folder, &"holds no .sql file"));
    }
    Ok(files)
}

/// All that is declared, or everything that is wrong with it.
pub(super) fn declare(settings: &Settings, migration_files: &[(String, String)]) -> Result<Declared, AppError> {
    let tables = migrations::load(migration_files)
        .map_err(|errors| AppError::Config(errors.iter().map(ToString::to_string).collect()))?;
    let mut errors = Vec::new();
    let plan = Plan::new(&tables, settings).map_err(|e| errors.extend(e)).ok();
    let mut locations = Vec::new();
    for table in &tables {
        match resolve_location(&settings.storage.url, &table.location) {
            Ok(path) => locations.push(path),
            Err(e) => errors.push(format!("{}: table {}: {e}", table.migration, table.name)),
        }
    }
    let entries = tables.iter().map(|t| (t, Wanted::new(t, database(settings), "", t.location.clone()).table));
    for (table, entry) in entries {
        let wrong = catalog::validate(&entry).into_iter();
        errors.extend(wrong.map(|e| format!("{}: table {}: {e}", table.migration, table.name)));
    }
    errors.extend(overlap::overlaps(&tables, &locations, &settings.storage.checkpoint));
    match plan.filter(|_| errors.is_empty()) {
        Some(plan) => Ok(Declared { tables, plan: Arc::new(plan), locations }),
        None => Err(AppError::Config(errors)),
    }
}
