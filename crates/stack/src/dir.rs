//! The layout of a stack's folder: `conf`, `data/<part>`, `log/<part>.log`, `state/<part>.json` and `stack.json`.

use crate::part::Part;
use crate::settings::Settings;
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// An absolute path without links: it is part of what marks the stack's processes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dir(PathBuf);

impl Dir {
    /// A new one among the system's temporary files, for this user only.
    pub fn temporary() -> Result<Dir> {
        let base = std::env::temp_dir();
        for n in 0..1000 {
            let path = base.join(format!("landfall-stack-{}-{n}", std::process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Dir::at(&path),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e).with_context(|| format!("cannot create {}", path.display())),
            }
        }
        bail!("cannot find a name for a new folder in {}", base.display())
    }

    /// One that is there.
    pub fn at(path: &Path) -> Result<Dir> {
        let path = path.canonicalize().with_context(|| format!("no stack in {}", path.display()))?;
        Ok(Dir(path))
    }

    /// The one the user names, created if need be; never a folder with other things in it.
    pub fn given(path: &Path) -> Result<Dir> {
        fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
        let foreign = fs::read_dir(path)?.next().is_some() && !Settings::exist_in(path);
        if foreign {
            bail!("{} is neither empty nor a stack's folder", path.display());
        }
        Dir::at(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn conf(&self) -> PathBuf {
        self.0.join("conf")
    }

    pub fn data(&self, part: Part) -> PathBuf {
        self.0.join("data").join(part.to_string())
    }

    pub fn log(&self, part: Part) -> PathBuf {
        self.0.join("log").join(format!("{part}.log"))
    }

    pub fn state(&self, part: Part) -> PathBuf {
        self.0.join("state").join(format!("{part}.json"))
    }

    /// The argument that marks the part's process; what no other process has.
    pub fn mark(&self, part: Part) -> String {
        format!("-Dlandfall.stack={part}:{}", self.0.display())
    }

    /// Removes what we put there, not the folder.
    pub fn clear(&self) -> Result<()> {
        for name in ["conf", "data", "log", "state"] {
            let path = self.0.join(name);
            if path.exists() {
                fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }

    pub fn remove(&self) -> Result<()> {
        fs::remove_dir_all(&self.0).with_context(|| format!("cannot remove {}", self.0.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_other_things_is_refused() {
        let tmp = tempfile::tempdir().expect("a folder");
        let path = tmp.path().join("new");
        Dir::given(&path).expect("created");
        Dir::given(&path).expect("empty");
        fs::write(path.join("thesis.txt"), "x").expect("written");
        assert!(Dir::given(&path).is_err());
    }
}
