//! Whether the files of a configuration have changed: by what stands in them, so that a link that leads elsewhere, as of
//! a ConfigMap, is seen, and a file that is only touched is not.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::config::DEFAULT_FILE;

/// Stands for the contents of all files.
pub(super) type Seen = u64;

/// The contents of the configuration's files and of the migrations. What cannot be read counts as such.
pub(super) fn look(files: &[PathBuf], migrations: &Path) -> Seen {
    let mut hasher = DefaultHasher::new();
    let default = [PathBuf::from(DEFAULT_FILE)];
    for file in if files.is_empty() { &default } else { files } {
        std::fs::read(file).map_err(|e| e.kind()).hash(&mut hasher);
    }
    let folder = std::fs::read_dir(migrations).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folder: Vec<_> = folder.filter(|path| path.extension().is_some_and(|e| e == "sql")).collect();
    folder.sort();
    for file in folder {
        (file.file_name(), std::fs::read(&file).map_err(|e| e.kind())).hash(&mut hasher);
    }
    hasher.finish()
}

/// What was seen last. Files that are being written are left alone until they stand still between two looks.
#[derive(Debug, Default)]
pub(super) struct Changes {
    last: Option<Seen>,
    /// What was told, or was there at first.
    told: Option<Seen>,
}

impl Changes {
    /// After another look: whether there is something new to tell.
    pub(super) fn settled(&mut self, seen: Seen) -> bool {
        let still = self.last.replace(seen) == Some(seen);
        let told = *self.told.get_or_insert(seen);
        if still && told != seen {
            self.told = Some(seen);
            return true;
        }
        false
    }

    /// What is there is being read, whether it stands still or not.
    pub(super) fn told(&mut self, seen: Seen) {
        (self.last, self.told) = (Some(seen), Some(seen));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_when_it_stands_still() {
        let mut changes = Changes::default();
        let told: Vec<_> = [1, 1, 2, 3, 3, 3, 3, 1, 1].into_iter().map(|seen| changes.settled(seen)).collect();
        assert_eq!(told, [false, false, false, false, true, false, false, false, true]);
        changes.told(5);
        assert!(!changes.settled(5) && !changes.settled(6) && changes.settled(6));
    }

    #[test]
    fn what_stands_in_files_counts_and_links_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (version, table) in [("a", "one"), ("b", "two")] {
            std::fs::create_dir(path(version)).unwrap();
            std::fs::write(path(version).join("landfall.toml"), table).unwrap();
        }
        std::fs::create_dir(path("sql")).unwrap();
        let swap = |to: &str| {
            std::os::unix::fs::symlink(path(to), path("..tmp")).unwrap();
            std::fs::rename(path("..tmp"), path("..data")).unwrap();
        };
        let seen = || look(&[path("..data").join("landfall.toml")], &path("sql"));
        let nothing = seen();
        swap("a");
        let a = seen();
        swap("b");
        let b = seen();
        assert!(nothing != a && a != b);
        swap("a");
        assert_eq!(seen(), a);
        std::fs::write(path("a/landfall.toml"), "one").unwrap();
        assert_eq!(seen(), a, "touched only");
        std::fs::write(path("sql/0001_t.sql"), "create").unwrap();
        assert_ne!(seen(), a);
        let with = seen();
        std::fs::rename(path("sql/0001_t.sql"), path("sql/0002_t.sql")).unwrap();
        assert_ne!(seen(), with);
    }
}
