//! Names of everything in the checkpoint, and of the files in the tables.

use uuid::Uuid;

use crate::model::{BatchId, Slot};

/// Paths below one job's checkpoint directory:
///
/// ```text
/// job.json                                    who the job is; written once
/// staging/<incarnation>/<batch>/              private: data files, and the manifest m.<batch>.json
/// staging/put-<uuid>/file                     private: a file that is about to be put in its place
/// log/epochs/000001                           names the epoch's directory; never deleted
/// log/e000001-<uuid>/snapshot.json            the state at the epoch's first slot
/// log/e000001-<uuid>/000000000042/            a slot: a batch directory after its commit rename
/// ```
#[derive(Debug, Clone)]
pub struct Layout {
    root: String,
}

impl Layout {
    /// The layout below `root`, an absolute path.
    pub fn new(root: &str) -> Layout {
        Layout { root: root.trim_end_matches('/').to_owned() }
    }

    /// The checkpoint directory.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// `job.json`
    pub fn job_file(&self) -> String {
        format!("{}/job.json", self.root)
    }

    /// Parent of all incarnations.
    pub fn staging(&self) -> String {
        format!("{}/staging", self.root)
    }

    /// One process's private directory.
    pub fn incarnation(&self, incarnation: Uuid) -> String {
        format!("{}/staging/{incarnation}", self.root)
    }

    /// One attempt's directory.
    pub fn attempt(&self, incarnation: Uuid, batch: BatchId) -> String {
        format!("{}/staging/{incarnation}/{batch}", self.root)
    }

    /// Parent of all epochs and their register.
    pub fn log(&self) -> String {
        format!("{}/log", self.root)
    }

    /// The register of epochs.
    pub fn epochs(&self) -> String {
        format!("{}/log/epochs", self.root)
    }

    /// An epoch's entry in the register.
    pub fn epoch_file(&self, epoch: u64) -> String {
        format!("{}/log/epochs/{epoch:06}", self.root)
    }

    /// The name of a new epoch directory. The uuid keeps a late writer of a deleted epoch out for ever.
    pub fn new_epoch_dir(epoch: u64, id: Uuid) -> String {
        format!("e{epoch:06}-{id}")
    }

    /// The number in the name of an epoch's directory.
    pub fn parse_epoch_dir(name: &str) -> Option<u64> {
        let (number, id) = name.strip_prefix('e')?.split_once('-')?;
        Uuid::try_parse(id).ok()?;
        number.parse().ok()
    }

    /// An epoch's directory by its registered name.
    pub fn epoch_dir(&self, dir: &str) -> String {
        format!("{}/log/{dir}", self.root)
    }

    /// The state at an epoch's first slot.
    pub fn snapshot(&self, dir: &str) -> String {
        format!("{}/log/{dir}/snapshot.json", self.root)
    }

    /// A slot of an epoch.
    pub fn slot(&self, dir: &str, slot: Slot) -> String {
        format!("{}/log/{dir}/{slot}", self.root)
    }

    /// The slot number that a directory name in an epoch stands for.
    pub fn parse_slot(name: &str) -> Option<Slot> {
        if name.len() == 12 && name.bytes().all(|b| b.is_ascii_digit()) { name.parse().ok().map(Slot) } else { None }
    }

    /// A manifest's file name. The batch id in it lets a listing tell whose slot it is.
    pub fn manifest_name(batch: BatchId) -> String {
        format!("m.{batch}.json")
    }

    /// The batch that a manifest's file name stands for.
    pub fn parse_manifest_name(name: &str) -> Option<BatchId> {
        let id = name.strip_prefix("m.")?.strip_suffix(".json")?;
        Uuid::try_parse(id).ok().map(BatchId)
    }

    /// A data file's name in staging and in its slot.
    pub fn staged_name(table: &str, k: usize) -> String {
        format!("{table}.{k}.parquet")
    }

    /// A data file's name in its table: in name order, a listing is a prefix of the log.
    pub fn table_file_name(slot: Slot, k: usize, batch: BatchId) -> String {
        format!("{slot}-{k}-{}.snappy.parquet", batch.short())
    }

    /// What a data file's name in its table says: slot, the file's index in the batch, first digits of the batch's id.
    pub fn parse_table_file_name(name: &str) -> Option<(Slot, usize, u32)> {
        let mut parts = name.strip_suffix(".snappy.parquet")?.split('-');
        let (slot, k, id) = (parts.next()?, parts.next()?, parts.next()?);
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let hex = id.len() == 8 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if parts.next().is_some() || !digits(k) || !hex {
            return None;
        }
        Some((Layout::parse_slot(slot)?, k.parse().ok()?, u32::from_str_radix(id, 16).ok()?))
    }

    /// The file that says which job feeds a table. Readers skip names that begin with `_`.
    pub fn owner_file(table_dir: &str) -> String {
        format!("{table_dir}/_owner.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_protocol() {
        let layout = Layout::new("/jobs/events/");
        let id = Uuid::from_u128(0x1b9d6bcd_bbfd_4b2d_9b5d_ab8dfbbd4bed);
        let dir = Layout::new_epoch_dir(1, id);
        assert_eq!(layout.epoch_file(7), "/jobs/events/log/epochs/000007");
        assert_eq!(
            layout.slot(&dir, Slot(41003)),
            "/jobs/events/log/e000001-1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed/000000041003"
        );
        assert_eq!(Layout::table_file_name(Slot(41003), 0, BatchId(id)), "000000041003-0-1b9d6bcd.snappy.parquet");
        assert_eq!((Layout::parse_epoch_dir(&dir), Layout::parse_epoch_dir("epochs")), (Some(1), None));
        let file = "000000041003-0-1b9d6bcd.snappy.parquet";
        assert_eq!(Layout::parse_table_file_name(file), Some((Slot(41003), 0, 0x1b9d6bcd)));
        for other in ["000000041003-0-1b9d6bcd.copy.parquet", "41003-0-1b9d6bcd.snappy.parquet", "_owner.json"] {
            assert_eq!(Layout::parse_table_file_name(other), None, "{other}");
        }
        assert_eq!(Layout::parse_slot("000000041003"), Some(Slot(41003)));
        assert_eq!(Layout::parse_slot("snapshot.json"), None);
        assert_eq!(Layout::parse_manifest_name(&Layout::manifest_name(BatchId(id))), Some(BatchId(id)));
        assert_eq!(Layout::parse_manifest_name("purchases.0.parquet"), None);
    }
}
