//! Reads and decodes every data file.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;

use super::audit::{FileRecord, Place};
use super::content;
use super::facts::SlotRecord;
use super::finding::{Finding, Kind};
use super::gather::{Gatherer, Pass};
use super::{VerifyError, audit};
use crate::checkpoint::{Entry, Layout, Manifest, Replayed};
use crate::encode::inspect::{self, RowPlace};

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
    // What is left of them in the end was replayed and is no dead letter.
    let replayed = chain.replayed();
    let mut strange = replayed.clone();
    for (place, listed) in chain.places.iter().zip(&pass.listed) {
        for names in listed.old_names.chunks(AT_ONCE) {
            g.tell("files", done, total);
            let jobs = names.iter().map(|name| Job { place, file: None, name: name.clone() });
            let read = try_join_all(jobs.map(|job| read(g, job, &known, &replayed))).await?;
            done += names.len() as u64;
            for found in read {
                *rows.entry(place.table.clone()).or_default() += found.rows;
                content::found_letters(&found.letters, &mut strange);
                findings.extend(found.wrong);
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
            let dir = manifest.directory(file);
            let Some(place) = chain.places.iter().find(|p| p.table == file.table && Some(&p.dir) == dir.as_ref())
            else {
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
            let found = read(g, job, &known, &replayed).await?;
            *rows.entry(table).or_default() += found.rows;
            content::found_letters(&found.letters, &mut strange);
            findings.extend(found.wrong);
        }
        done += manifest.files.len() as u64;
    }
    // Where something is missing anyway, so may be dead letters.
    if findings.is_empty() && pass.findings.is_empty() {
        findings.extend(no_letters(g, &strange));
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

/// What was replayed, and stands in no row of the dead-letter table that says where its messages were read.
fn no_letters(g: &Gatherer<'_>, strange: &Replayed) -> Option<Finding> {
    let says = |t: &&super::Audited| t.dead_letters && t.columns.as_ref().is_some_and(|c| c.topic.is_some());
    let (table, first) = (g.target.tables.iter().find(says)?, strange.entries().into_iter().next()?);
    let at = first.offsets.first().map_or(0, |(start, _)| start.0);
    let what = format!(
        "{} messages were replayed that are no dead letters of it, the first is {}[{}]@{at}",
        strange.messages(),
        first.topic,
        first.p
    );
    Some(Finding::new(Kind::WrongContent, &table.dir, what).of_table(&table.name))
}

/// What a file holds. One with a finding has no rows that count.
#[derive(Default)]
struct Found {
    rows: u64,
    /// The places of dead letters.
    letters: Vec<RowPlace>,
    wrong: Option<Finding>,
}

async fn read(
    g: &Gatherer<'_>,
    job: Job<'_>,
    known: &BTreeSet<String>,
    replayed: &Replayed,
) -> Result<Found, VerifyError> {
    let path = format!("{}/{}", job.place.dir, job.name);
    let wrong = |finding: Finding| Found { wrong: Some(finding.of_table(&job.place.table)), ..Found::default() };
    if known.contains(&path) {
        return Ok(Found::default());
    }
    let Some(bytes) = g.reader.read(&path).await? else {
        let what = "the file was there when its table was listed, and is gone";
        return Ok(wrong(Finding::new(Kind::MissingFile, path, what)));
    };
    let table = g.target.tables.iter().find(|t| t.name == job.place.table);
    let (columns, dead_letters) = table.map_or((None, false), |t| (t.columns.clone(), t.dead_letters));
    let slot = job.file.as_ref().map(|(f, _)| f.slot).or_else(|| Some(Layout::parse_table_file_name(&job.name)?.0));
    let expected = job.file.as_ref().map(|(file, manifest)| {
        let (partitions, replay, replayed) = (manifest.partitions.clone(), manifest.replay.clone(), replayed.clone());
        (file.clone(), content::Origin { partitions, replay, replayed, dead_letters })
    });
    let judged = tokio::task::spawn_blocking(move || match expected {
        Some((file, origin)) => content::inspect(&bytes, &file, &origin, columns.as_ref()),
        None => inspect::whole(bytes, columns.as_ref().filter(|_| dead_letters)).map_err(|e| e.to_string()),
    });
    // Not cancelled; a panic in it is a bug that must not be swallowed.
    Ok(match judged.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic())) {
        Ok(found) => {
            let letters = if dead_letters { found.places } else { Vec::new() };
            Found { rows: found.rows, letters, wrong: None }
        }
        Err(what) => {
            let finding = Finding::new(Kind::WrongContent, path, what);
            wrong(Finding { slot: slot.map(|s| s.0), ..finding })
        }
    })
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
