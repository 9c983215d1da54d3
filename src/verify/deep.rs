//! Reads and decodes every data file.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;

use super::audit::{FileRecord, Place};
use super::content;
use super::facts::SlotRecord;
use super::finding::{Finding, Kind};
use super::gather::{Gatherer, Pass};
use super::{VerifyError, audit};
use crate::checkpoint::{Entry, Layout, Manifest};
use crate::encode::inspect;

/// Files in memory at once.
const AT_ONCE: usize = 4;

/// A file to be read.
struct Job<'a> {
    place: &'a Place,
    file: Option<(FileRecord, &'a Manifest)>,
    name: String,
}

/// Rows by table, as the files say; what is wrong with them goes to the findings of the pass.
pub(super) async fn read_all(g: &Gatherer<'_>, pass: &mut Pass) -> Result<BTreeMap<String, u64>, VerifyError> {
    let known: BTreeSet<String> = pass.findings.iter().map(|f| f.path.clone()).collect();
    let chain = &pass.chain;
    let old: usize = pass.listed.iter().map(|l| l.old_names.len()).sum();
    let total = (old + chain.places.iter().map(|p| p.files.len()).sum::<usize>()) as u64;
    let (mut rows, mut done, mut findings) = (BTreeMap::new(), 0, Vec::new());
    for (place, listed) in chain.places.iter().zip(&pass.listed) {
        for names in listed.old_names.chunks(AT_ONCE) {
            g.tell("files", done, total);
            let jobs = names.iter().map(|name| Job { place, file: None, name: name.clone() });
            let read = try_join_all(jobs.map(|job| read(g, job, &known))).await?;
            done += names.len() as u64;
            for (n, wrong) in read {
                *rows.entry(place.table.clone()).or_default() += n;
                findings.extend(wrong);
            }
        }
    }
    findings.extend(old_rows(pass, &rows));
    for slot in &chain.slots {
        g.tell("files", done, total);
        let Some(manifest) = manifest(g, &chain.dirs[slot.dir], slot).await? else {
            let path = g.reader.layout.slot(&chain.dirs[slot.dir], slot.slot);
            let what = "its epoch was deleted meanwhile, so its files were not read";
            findings.push(Finding::new(Kind::NotChecked, path, what).of_slot(slot.slot));
            continue;
        };
        let mut jobs = Vec::new();
        for (k, file) in manifest.files.iter().enumerate() {
            let dir = manifest.locations.get(&file.table);
            let Some(place) = chain.places.iter().find(|p| p.table == file.table && Some(&p.dir) == dir) else {
                continue;
            };
            let record = FileRecord::of(slot.slot, &manifest, k, file, false);
            if place.files.iter().any(|f| f.left && (f.slot, f.k) == (record.slot, record.k)) {
                continue;
            }
            jobs.push(Job { place, name: record.name(), file: Some((record, &manifest)) });
        }
        for job in jobs {
            let table = job.place.table.clone();
            let (n, wrong) = read(g, job, &known).await?;
            *rows.entry(table).or_default() += n;
            findings.extend(wrong);
        }
        done += manifest.files.len() as u64;
    }
    pass.findings.append(&mut findings);
    Ok(rows)
}

async fn manifest(g: &Gatherer<'_>, dir: &str, slot: &SlotRecord) -> Result<Option<Manifest>, VerifyError> {
    let path = format!("{}/{}", g.reader.layout.slot(dir, slot.slot), Layout::manifest_name(slot.batch));
    let Some(bytes) = g.reader.read(&path).await? else { return Ok(None) };
    match Entry::parse(&path, &bytes)? {
        Entry::Batch(manifest) => Ok(Some(*manifest)),
        _ => Ok(None),
    }
}

/// Rows of a file, and what is wrong with it. A file with a finding already has no rows that count.
async fn read(g: &Gatherer<'_>, job: Job<'_>, known: &BTreeSet<String>) -> Result<(u64, Option<Finding>), VerifyError> {
    let path = format!("{}/{}", job.place.dir, job.name);
    if known.contains(&path) {
        return Ok((0, None));
    }
    let Some(bytes) = g.reader.read(&path).await? else {
        let what = "the file was there when its table was listed, and is gone";
        return Ok((0, Some(Finding::new(Kind::MissingFile, path, what).of_table(&job.place.table))));
    };
    let columns = g.target.tables.iter().find(|t| t.name == job.place.table).and_then(|t| t.columns.clone());
    let slot = job.file.as_ref().map(|(f, _)| f.slot).or_else(|| Some(Layout::parse_table_file_name(&job.name)?.0));
    let expected = job.file.map(|(file, manifest)| (file, manifest.partitions.clone()));
    let judged = tokio::task::spawn_blocking(move || match expected {
        Some((file, partitions)) => match content::wrong(&bytes, &file, &partitions, columns.as_ref()) {
            None => Ok(file.rows),
            Some(what) => Err(what),
        },
        None => inspect::whole(bytes, None).map(|found| found.rows).map_err(|e| e.to_string()),
    });
    // Not cancelled; a panic in it is a bug that must not be swallowed.
    match judged.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic())) {
        Ok(rows) => Ok((rows, None)),
        Err(what) => {
            let finding = Finding::new(Kind::WrongContent, path, what).of_table(&job.place.table);
            Ok((0, Some(Finding { slot: slot.map(|s| s.0), ..finding })))
        }
    }
}

/// The rows of files whose manifests are gone, against what the log has kept of them.
fn old_rows(pass: &Pass, rows: &BTreeMap<String, u64>) -> Vec<Finding> {
    let Some((oldest, totals)) = &pass.chain.oldest else { return Vec::new() };
    let named = |f: &Finding, table: &str| f.table.as_deref() == Some(table) && f.kind == Kind::WrongTotals;
    let wrong = totals.iter().filter(|(table, total)| {
        rows.get(*table).copied().unwrap_or(0) != total.rows && !pass.findings.iter().any(|f| named(f, table))
    });
    wrong
        .map(|(table, total)| {
            let dir = pass.chain.places.iter().find(|p| p.table == *table).map_or("", |p| &p.dir);
            let found = rows.get(table).copied().unwrap_or(0);
            audit::wrong_old_rows(table, dir, *oldest, found, total.rows)
        })
        .collect()
}
