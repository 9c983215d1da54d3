//! Collects the facts of an audit: reads the log to its end, then lists the tables.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::watch;

use super::audit::{self, Bounds, Listed, Place};
use super::chain::Chain;
use super::facts::{Epoch, Register, compare_register};
use super::finding::{Finding, Kind};
use super::reader::{AT_ONCE, Reader};
use super::{Progress, Target, VerifyError, metastore};
use crate::checkpoint::{EpochFile, JobFile, Layout, OwnerFile, Snapshot, TableTotal};
use crate::model::Slot;
use crate::schema::partition;

/// So many foreign files are read, to see whether they are copies.
const MOST_COPIES: usize = 1000;

/// What one look at everything gave.
#[derive(Debug)]
pub(super) struct Pass {
    pub chain: Chain,
    pub epochs: u64,
    pub dropped: u64,
    /// By place.
    pub listed: Vec<Listed>,
    pub findings: Vec<Finding>,
}

/// Who looks.
pub(super) struct Gatherer<'a> {
    pub target: &'a Target,
    pub reader: &'a Reader,
    pub progress: &'a watch::Sender<Progress>,
}

impl Gatherer<'_> {
    pub(super) fn tell(&self, phase: &'static str, done: u64, total: u64) {
        self.progress.send_replace(Progress { phase, done, total });
    }

    /// `None`: an epoch was deleted meanwhile.
    pub(super) async fn pass(&self) -> Result<Option<Pass>, VerifyError> {
        let mut findings = Vec::new();
        let register = self.register(&mut findings).await?;
        let Some(job) = self.job(&register, &mut findings).await? else { return Ok(None) };
        let tables: Vec<_> = self.target.tables.iter().map(|t| (t.name.clone(), t.dir.clone())).collect();
        let mut chain = Chain::new(self.reader.layout.clone(), job, &tables);
        let Some(epochs) = self.read_log(&register, &mut chain).await? else { return Ok(None) };
        chain.finish();
        let listed = self.list_tables(&mut chain, &mut findings).await?;
        self.owners(job, &chain, &mut findings).await?;
        findings.extend(metastore::compare(self.target, &chain.places, &listed).await);
        findings.extend(register.findings);
        findings.append(&mut chain.findings);
        Ok(Some(Pass { chain, epochs, dropped: register.dropped, listed, findings }))
    }

    async fn register(&self, findings: &mut Vec<Finding>) -> Result<Register, VerifyError> {
        let layout = &self.reader.layout;
        let uri = || VerifyError::NoLog(self.reader.storage.uri(layout.root()));
        let entries = self.reader.list(&layout.epochs()).await?.filter(|e| !e.is_empty()).ok_or_else(uri)?;
        let mut register = Vec::new();
        for entry in entries {
            let path = format!("{}/{}", layout.epochs(), entry.name);
            let Ok(number) = entry.name.parse() else {
                let what = "a file in the register of epochs that names none";
                findings.push(Finding::new(Kind::ForeignFile, path, what));
                continue;
            };
            let Some(bytes) = self.reader.read(&path).await? else { continue };
            match EpochFile::parse(&path, &bytes) {
                Ok(file) => register.push((number, file)),
                Err(e) => findings.push(Finding::new(Kind::Unreadable, path, e.to_string())),
            }
        }
        register.sort_by_key(|(number, _)| *number);
        let dirs = self.reader.list(&layout.log()).await?.unwrap_or_default();
        let dirs: BTreeSet<_> = dirs.into_iter().filter(|e| e.is_dir).map(|e| e.name).collect();
        Ok(compare_register(layout, &register, &dirs))
    }

    /// The job's id, from its file, else from the log; `None`: begin anew.
    async fn job(&self, register: &Register, findings: &mut Vec<Finding>) -> Result<Option<uuid::Uuid>, VerifyError> {
        let path = self.reader.layout.job_file();
        if let Some(bytes) = self.reader.read(&path).await? {
            let file = JobFile::parse(&path, &bytes)?;
            if file.job != self.target.job {
                let uri = self.reader.storage.uri(self.reader.layout.root());
                return Err(VerifyError::OtherJob { uri, found: file.job, expected: self.target.job.clone() });
            }
            return Ok(Some(file.id));
        }
        findings.push(Finding::new(Kind::Unreadable, path, "the job's file is gone"));
        let Some(epoch) = register.kept.first() else { return Ok(Some(uuid::Uuid::nil())) };
        let path = self.reader.layout.snapshot(&epoch.dir);
        let Some(bytes) = self.reader.read(&path).await? else { return Ok(None) };
        Ok(Some(Snapshot::parse(&path, &bytes)?.job))
    }

    /// How many epochs there were; `None`: one was deleted meanwhile.
    async fn read_log(&self, register: &Register, chain: &mut Chain) -> Result<Option<u64>, VerifyError> {
        let layout = &self.reader.layout;
        let mut epochs = 0;
        let mut current = register.kept.first().cloned();
        while let Some(epoch) = current {
            let path = layout.snapshot(&epoch.dir);
            let Some((slots, others)) = self.reader.slots(&epoch).await? else { return Ok(None) };
            let Some(bytes) = self.reader.read(&path).await? else {
                if self.reader.slots(&epoch).await?.is_none() {
                    return Ok(None);
                }
                chain.findings.push(Finding::new(Kind::Unreadable, path, "the epoch's snapshot is gone"));
                break;
            };
            match Snapshot::parse(&path, &bytes) {
                Ok(snapshot) => chain.begin(&epoch, &snapshot),
                Err(e) => {
                    chain.findings.push(Finding::new(Kind::Unreadable, path, e.to_string()));
                    break;
                }
            }
            epochs += 1;
            for name in others {
                let path = format!("{}/{name}", layout.epoch_dir(&epoch.dir));
                let what = "it is neither a slot nor the snapshot of its epoch";
                chain.findings.push(Finding::new(Kind::ForeignFile, path, what));
            }
            let slots: Vec<Slot> = slots.into_keys().collect();
            for some in slots.chunks(AT_ONCE) {
                self.tell("slots", chain.read, chain.read + slots.len() as u64);
                let Some(read) = self.reader.read_slots(&epoch.dir, some).await? else { return Ok(None) };
                read.into_iter().for_each(|facts| chain.add(facts));
            }
            let next = register.kept.iter().find(|e| e.number == epoch.number + 1);
            current = chain.end(&epoch, next);
            if let Some(next) = &current
                && register.kept.iter().all(|e| e != next)
                && self.reader.slots(next).await?.is_none()
            {
                // Named by a seal that nobody has registered yet.
                if !register.findings.iter().any(|f| f.kind == Kind::MissingEpoch) {
                    let what = format!("the directory of epoch {} is gone; the seal before names it", next.number);
                    chain.findings.push(Finding::new(Kind::MissingEpoch, layout.epoch_dir(&next.dir), what));
                }
                break;
            }
        }
        Ok(Some(epochs))
    }

    async fn list_tables(&self, chain: &mut Chain, findings: &mut Vec<Finding>) -> Result<Vec<Listed>, VerifyError> {
        let oldest = chain.oldest.as_ref().map_or(Slot(0), |(slot, _)| *slot);
        let read_to = chain.next();
        let listings = self.list_places(chain).await?;
        let grown_to = self.grown_to(chain).await?.max(read_to);
        let bounds = Bounds { oldest, read_to, grown_to, lost: chain.lost.clone() };
        let mut out = Vec::new();
        for (place, listing) in chain.places.iter().zip(&listings) {
            let mut listed = audit::compare(place, listing.as_deref(), &bounds);
            findings.append(&mut listed.findings);
            out.push(listed);
        }
        // Only now: whether a file is missing elsewhere tells a copy from one that was moved.
        let missing = findings.iter().filter(|f| f.kind == Kind::MissingFile).map(|f| f.path.clone()).collect();
        for (place, listed) in chain.places.iter().zip(&out) {
            for (n, suspect) in (0..).zip(&listed.suspects) {
                let path = format!("{}/{}", place.dir, suspect.name);
                let crc32c = match n < MOST_COPIES && audit::may_be_a_copy(&chain.places, suspect) {
                    true => self.reader.read(&path).await?.map(|bytes| crc32c::crc32c(&bytes)),
                    false => None,
                };
                findings.push(audit::judge(&chain.places, place, suspect, crc32c, &missing));
            }
        }
        self.left(chain, &listings, findings).await?;
        self.old(chain, oldest, &out, findings);
        let of_lost: u64 = out.iter().map(|l| l.of_lost_slots).sum();
        if let Some(f) = chain.findings.iter_mut().find(|f| f.kind == Kind::MissingSlot && of_lost > 0) {
            f.what = format!("{}; {of_lost} files in the tables carry the numbers of such slots", f.what);
        }
        Ok(out)
    }

    /// Lists all places. Directories of partitions become places too, as manifests of old slots are gone that name them,
    /// and leave the listings.
    async fn list_places(&self, chain: &mut Chain) -> Result<Vec<Option<Vec<crate::storage::Entry>>>, VerifyError> {
        let mut above = BTreeSet::new();
        for place in chain.places.iter().filter(|p| p.dir != p.root) {
            let mut dir = place.dir.as_str();
            while dir.len() > place.root.len() {
                above.insert(dir.to_owned());
                dir = dir.rsplit_once('/').map_or("", |(parent, _)| parent);
            }
        }
        let mut listings = Vec::new();
        while let Some(place) = chain.places.get(listings.len()) {
            self.tell("tables", listings.len() as u64, chain.places.len() as u64);
            let mut listing = self.reader.list(&place.dir).await?;
            let keys = self.target.tables.iter().find(|t| t.name == place.table && t.dir == place.root);
            let level = place.partition().split('/').filter(|name| !name.is_empty()).count();
            let key = keys.and_then(|t| t.wanted.partition_keys.get(level));
            let (table, root, dir) = (place.table.clone(), place.root.clone(), place.dir.clone());
            if let Some(entries) = &mut listing {
                let inner = entries.extract_if(.., |e| {
                    let fits = key.is_some_and(|(column, t)| partition::value_of(&e.name, column, t).is_some());
                    e.is_dir && (fits || above.contains(&format!("{dir}/{}", e.name)))
                });
                for entry in inner {
                    chain.place(&table, &root, &format!("{dir}/{}", entry.name));
                }
            }
            listings.push(listing);
        }
        Ok(listings)
    }

    /// The first slot that is free now.
    async fn grown_to(&self, chain: &Chain) -> Result<Slot, VerifyError> {
        let Some(dir) = chain.dirs.last() else { return Ok(Slot(0)) };
        let mut epoch = Epoch { number: 0, dir: dir.clone(), base: Slot(0) };
        for entry in self.reader.list(&self.reader.layout.epochs()).await?.unwrap_or_default().iter().rev().take(1) {
            let path = format!("{}/{}", self.reader.layout.epochs(), entry.name);
            if let Some(Ok(file)) = self.reader.read(&path).await?.map(|b| EpochFile::parse(&path, &b)) {
                epoch = Epoch { number: 0, dir: file.dir, base: file.base_slot };
            }
        }
        let slots = self.reader.slots(&epoch).await?.map(|(slots, _)| slots).unwrap_or_default();
        Ok(slots.into_keys().next_back().map_or(epoch.base, Slot::next))
    }

    /// Files that were in their slots, and still are.
    async fn left(
        &self,
        chain: &Chain,
        listings: &[Option<Vec<crate::storage::Entry>>],
        findings: &mut Vec<Finding>,
    ) -> Result<(), VerifyError> {
        for left in &chain.left {
            let (dir, name) = left.path.rsplit_once('/').unwrap_or_default();
            let still = self.reader.list(dir).await?.is_some_and(|now| now.iter().any(|e| e.name == name));
            if !still {
                continue;
            }
            let place = &chain.places[left.place];
            let there = listings[left.place].as_ref().is_some_and(|l| l.iter().any(|e| e.name == left.name));
            let what = match (there, left.slot.next() == chain.next()) {
                (true, _) => format!("it is committed, and another file stands as {}/{} already", place.dir, left.name),
                (false, true) => "it is committed, and not in its table yet".to_owned(),
                (false, false) => "it is committed and not in its table, although the log has gone on".to_owned(),
            };
            let finding = Finding::new(Kind::UnpublishedFile, &left.path, what);
            findings.push(finding.of_table(&place.table).of_slot(left.slot));
        }
        Ok(())
    }

    /// What is known of slots whose manifests are gone: totals.
    fn old(&self, chain: &Chain, oldest: Slot, listed: &[Listed], findings: &mut Vec<Finding>) {
        let expected = chain.oldest.as_ref().map(|(_, totals)| totals.clone()).unwrap_or_default();
        let mut found: BTreeMap<&str, (TableTotal, &str)> = BTreeMap::new();
        for (place, listed) in chain.places.iter().zip(listed) {
            let (total, _) = found.entry(&place.table).or_insert((TableTotal::default(), &place.root));
            total.files += listed.old.files;
            total.bytes += listed.old.bytes;
        }
        for (table, (total, dir)) in found {
            let expected = expected.get(table).copied().unwrap_or_default();
            findings.extend(audit::compare_old(table, dir, oldest, total, expected));
        }
    }

    /// Every directory with rows is marked as this job's.
    async fn owners(&self, job: uuid::Uuid, chain: &Chain, findings: &mut Vec<Finding>) -> Result<(), VerifyError> {
        let fed: BTreeSet<_> =
            chain.places.iter().filter(|p| !p.files.is_empty()).map(|p| (&p.table, &p.root)).collect();
        let fed = |p: &&Place| p.dir == p.root && fed.contains(&(&p.table, &p.root));
        for place in chain.places.iter().filter(fed) {
            let path = Layout::owner_file(&place.dir);
            let wrong = match self.reader.read(&path).await? {
                None if findings.iter().any(|f| f.kind == Kind::MissingDirectory && f.path == place.dir) => None,
                None => Some("no file says that the table is this job's".to_owned()),
                Some(bytes) => match OwnerFile::parse(&path, &bytes) {
                    Ok(owner) if owner.id == job => None,
                    Ok(owner) => Some(format!(
                        "the table is marked as fed by job `{}` (id {}, checkpoint {})",
                        owner.job, owner.id, owner.checkpoint
                    )),
                    Err(e) => Some(e.to_string()),
                },
            };
            findings.extend(wrong.map(|what| Finding::new(Kind::WrongOwner, path, what).of_table(&place.table)));
        }
        Ok(())
    }
}
