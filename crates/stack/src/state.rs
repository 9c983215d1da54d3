//! The small file that tells any process how to start a part and which process it is.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PartState {
    pub argv: Vec<String>,
    /// All of it: nothing is inherited, so that a part comes back the same whoever restarts it.
    pub env: BTreeMap<String, String>,
    pub cwd: PathBuf,
    pub log: PathBuf,
    pub ports: Vec<u16>,
    /// The process last started; it may have ended.
    pub pid: Option<i32>,
    /// How long the log was when that process started.
    pub log_from: u64,
}

impl PartState {
    pub fn load(file: &Path) -> Result<PartState> {
        let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("cannot understand {}", file.display()))
    }

    /// Replaces the file in one step: others may be reading it.
    pub fn save(&self, file: &Path) -> Result<()> {
        let new = file.with_extension(format!("new{}", std::process::id()));
        fs::write(&new, serde_json::to_vec_pretty(self)?)?;
        fs::rename(&new, file).with_context(|| format!("cannot write {}", file.display()))
    }

    /// What the process has written to its log.
    pub fn log_text(&self) -> String {
        let mut text = Vec::new();
        // The whole log may be long, and this is asked ten times a second; one that cannot be read says nothing.
        _ = fs::File::open(&self.log).and_then(|mut log| {
            log.seek(SeekFrom::Start(self.log_from))?;
            log.read_to_end(&mut text)
        });
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The end of that.
    pub fn log_tail(&self, lines: usize) -> String {
        let text = self.log_text();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_goes_to_its_file_and_back_and_finds_its_log() {
        let dir = tempfile::tempdir().expect("a folder");
        let log = dir.path().join("kafka.log");
        fs::write(&log, "old\none\ntwo\nthree\n").expect("written");
        let state = PartState {
            argv: vec!["java".to_owned(), "kafka.Kafka".to_owned()],
            env: BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]),
            cwd: "/".into(),
            log,
            ports: vec![1, 2],
            pid: Some(7),
            log_from: 4,
        };
        let file = dir.path().join("kafka.json");
        state.save(&file).expect("saved");
        assert_eq!(PartState::load(&file).expect("loaded"), state);
        assert_eq!(state.log_text(), "one\ntwo\nthree\n");
        assert_eq!(state.log_tail(2), "two\nthree");
    }
}
