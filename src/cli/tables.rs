//! Reading tables back from their Parquet files, as a plain directory reader does.

use crate::app::App;
use crate::encode::read_back;
use crate::schema::{Table, partition};
use crate::storage::Storage;

use super::Failure;

/// One table as its files say.
pub(super) struct TableView {
    pub(super) name: String,
    pub(super) uri: String,
    pub(super) files: usize,
    pub(super) rows: u64,
    /// Column names.
    pub(super) columns: Vec<String>,
    /// The first few rows; `None` is null.
    pub(super) sample: Vec<Vec<Option<String>>>,
}

/// Reads every visible file of every table.
pub(super) async fn read_tables(app: &App, sample: usize) -> Result<Vec<TableView>, Failure> {
    let mut views = Vec::new();
    for (table, dir) in app.tables() {
        let mut view = TableView {
            name: table.name.clone(),
            uri: app.storage().uri(dir),
            files: 0,
            rows: 0,
            columns: table.all_columns().map(|c| c.physical_name.clone()).collect(),
            sample: Vec::new(),
        };
        for (dir, values) in partitions(app.storage().as_ref(), table, dir).await? {
            for entry in app.storage().list(&dir).await? {
                // As Presto and Hive do: names that begin with _ or . are not data.
                if entry.is_dir || entry.name.starts_with(['_', '.']) {
                    continue;
                }
                let bytes = app.storage().read(&format!("{dir}/{}", entry.name)).await?;
                let read = read_back::rows(bytes, sample - view.sample.len().min(sample))?;
                view.files += 1;
                view.rows += read.total_rows;
                view.sample.extend(read.rows.into_iter().map(|row| row.into_iter().chain(values.clone()).collect()));
            }
        }
        views.push(view);
    }
    Ok(views)
}

/// The directories of a table's partitions, each with the values of its partition columns; of a table without any, its
/// own.
async fn partitions(
    storage: &dyn Storage,
    table: &Table,
    dir: &str,
) -> Result<Vec<(String, Vec<Option<String>>)>, Failure> {
    let mut found = vec![(dir.to_owned(), Vec::new())];
    for column in &table.partition_columns {
        let mut deeper = Vec::new();
        for (dir, values) in &found {
            for entry in storage.list(dir).await?.into_iter().filter(|e| e.is_dir) {
                let hive_type = column.hive_type.to_string();
                let Some(value) = partition::value_of(&entry.name, &column.physical_name, &hive_type) else { continue };
                let value = Some(value).filter(|v| v != partition::NULL_VALUE);
                let values = values.iter().cloned().chain([value]).collect();
                deeper.push((format!("{dir}/{}", entry.name), values));
            }
        }
        found = deeper;
    }
    Ok(found)
}

/// The sample as a text table, long values cut.
pub(super) fn draw(view: &TableView) -> String {
    const WIDEST: usize = 28;
    let cut = |text: &str| {
        let mut chars = text.chars();
        let kept: String = chars.by_ref().take(WIDEST).collect();
        if chars.next().is_some() { format!("{}…", kept.chars().take(WIDEST - 1).collect::<String>()) } else { kept }
    };
    let mut rows = vec![view.columns.iter().map(|c| cut(c)).collect::<Vec<_>>()];
    rows.extend(view.sample.iter().map(|r| r.iter().map(|v| cut(v.as_deref().unwrap_or("null"))).collect()));
    let width = |i: usize| rows.iter().filter_map(|r| r.get(i)).map(|v| v.chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..view.columns.len()).map(width).collect();
    let line = |r: &Vec<String>| {
        let cells: Vec<_> = r.iter().zip(&widths).map(|(v, w)| format!("{v:<w$}")).collect();
        format!("    {}", cells.join(" | ").trim_end())
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
