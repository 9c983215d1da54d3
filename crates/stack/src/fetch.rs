//! Fetches the servers' jars, and Spark's, with Maven, once, into folders outside the repository.

use crate::java::{self, INSTALL};
use crate::signals;
use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Jars that are fetched together. The poms are in the binary: it works wherever it is copied to.
struct Jars {
    what: &'static str,
    poms: &'static [(&'static str, &'static str)],
    /// The folders that the poms fill.
    folders: &'static [&'static str],
    megabytes: u32,
}

const SERVERS: Jars = Jars {
    what: "the servers' jars",
    poms: &[
        ("pom.xml", include_str!("../maven/pom.xml")),
        ("kafka/pom.xml", include_str!("../maven/kafka/pom.xml")),
        ("hdfs/pom.xml", include_str!("../maven/hdfs/pom.xml")),
        ("metastore/pom.xml", include_str!("../maven/metastore/pom.xml")),
        ("presto/pom.xml", include_str!("../maven/presto/pom.xml")),
        ("presto/lib/pom.xml", include_str!("../maven/presto/lib/pom.xml")),
        ("presto/hive/pom.xml", include_str!("../maven/presto/hive/pom.xml")),
    ],
    folders: &["kafka", "hdfs", "metastore", "presto"],
    megabytes: 550,
};

const SPARK: Jars = Jars {
    what: "Spark's jars",
    poms: &[("pom.xml", include_str!("../maven/spark/pom.xml"))],
    folders: &["spark"],
    megabytes: 190,
};

const METASTORE4: Jars = Jars {
    what: "the jars of Hive Metastore 4",
    poms: &[("pom.xml", include_str!("../maven/metastore4/pom.xml"))],
    folders: &["metastore4"],
    megabytes: 135,
};

/// Written last, with the hash of the poms: the folder is complete, and it is theirs.
const MARKER: &str = "complete";

/// Where the servers' jars are or will be: `$LANDFALL_STACK_LIBS`, or `~/.cache/landfall-stack/<hash of the poms>`.
pub fn folder() -> Result<PathBuf> {
    match set("LANDFALL_STACK_LIBS")? {
        Some(libs) => Ok(libs),
        None => Ok(cache()?.join(hash(SERVERS.poms))),
    }
}

/// Fetches the servers' jars unless they are there, and returns their folder.
pub fn fetch(quiet: bool) -> Result<PathBuf> {
    SERVERS.fetch(folder()?, quiet)
}

/// Fetches Spark's jars unless they are there, and returns their folder: `$LANDFALL_STACK_LIBS/with-spark/spark`, or
/// `~/.cache/landfall-stack/spark-<hash of the pom>/spark`.
pub fn fetch_spark(quiet: bool) -> Result<PathBuf> {
    SPARK.fetch_beside("spark", quiet)
}

/// Fetches the jars of Hive Metastore 4 unless they are there, and returns their folder, as for Spark.
pub fn fetch_metastore4(quiet: bool) -> Result<PathBuf> {
    METASTORE4.fetch_beside("metastore4", quiet)
}

fn set(name: &str) -> Result<Option<PathBuf>> {
    let path = std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    path.map(|path| std::path::absolute(&path).with_context(|| format!("${name}"))).transpose()
}

fn cache() -> Result<PathBuf> {
    let cache = set("XDG_CACHE_HOME")?.or(set("HOME")?.map(|home| home.join(".cache")));
    let cache = cache.context("neither $HOME nor $LANDFALL_STACK_LIBS is set: no folder for the jars")?;
    Ok(cache.join("landfall-stack"))
}

impl Jars {
    /// Into a folder of its own beside the servers' jars; which is returned.
    fn fetch_beside(&self, name: &str, quiet: bool) -> Result<PathBuf> {
        let libs = match set("LANDFALL_STACK_LIBS")? {
            Some(libs) => libs.join(format!("with-{name}")),
            None => cache()?.join(format!("{name}-{}", hash(self.poms))),
        };
        Ok(self.fetch(libs, quiet)?.join(name))
    }

    fn fetch(&self, libs: PathBuf, quiet: bool) -> Result<PathBuf> {
        if self.is_complete(&libs) {
            return Ok(libs);
        }
        fs::create_dir_all(&libs).with_context(|| format!("cannot create {}", libs.display()))?;
        let lock = File::create(libs.join("lock"))?;
        flock(&lock, FlockOperation::LockExclusive)?; // two at once would mix up each other's files; goes when dropped
        if self.is_complete(&libs) {
            return Ok(libs);
        }
        if !quiet {
            eprintln!("fetching {} into {} (once; about {} MB)", self.what, libs.display(), self.megabytes);
        }
        let start = Instant::now();
        // Into a folder of its own first: jars of another version, or of an interrupted fetch, must not stay among them.
        let new = libs.join("new");
        remove(&new)?;
        run_maven(self.poms, &libs, &new)?;
        for name in self.folders {
            remove(&libs.join(name))?;
            fs::rename(new.join(name), libs.join(name))
                .with_context(|| format!("Maven has not made the folder {name}"))?;
        }
        remove(&new)?;
        fs::write(libs.join(MARKER), hash(self.poms))?;
        if !quiet {
            eprintln!("fetched in {:.0} s", start.elapsed().as_secs_f64());
        }
        Ok(libs)
    }

    fn is_complete(&self, libs: &Path) -> bool {
        fs::read_to_string(libs.join(MARKER)).is_ok_and(|found| found == hash(self.poms))
    }
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

fn run_maven(pom_files: &[(&str, &str)], libs: &Path, to: &Path) -> Result<()> {
    let maven = java::in_path("mvn").with_context(|| format!("there is no mvn (Maven) in $PATH. {INSTALL}"))?;
    java::find()?;
    let poms = libs.join("poms");
    for (name, text) in pom_files {
        let file = poms.join(name);
        fs::create_dir_all(file.parent().unwrap_or(&poms))?;
        fs::write(file, text)?;
    }
    let mut child = Command::new(maven)
        .args(["--batch-mode", "--quiet", "--file"])
        .arg(poms.join("pom.xml"))
        .arg(format!("-Dlibs={}", to.display()))
        .arg("package")
        .spawn()
        .context("cannot run mvn")?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if let Err(error) = signals::check() {
            child.kill()?;
            child.wait()?;
            return Err(error);
        }
        thread::sleep(Duration::from_millis(50));
    };
    if !status.success() {
        bail!("mvn ended with {status}: see above; what it has downloaded stays, and the next try goes on from there");
    }
    Ok(())
}

/// FNV-1a: short, and the same with every compiler.
fn hash(files: &[(&str, &str)]) -> String {
    let bytes = files.iter().flat_map(|(name, text)| name.bytes().chain(text.bytes()));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("{:08x}", hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a_and_sees_every_change() {
        assert_eq!(hash(&[("a", "")]), "af63dc4c"); // the published value: af63dc4c8601ec8c
        assert_ne!(hash(&[("a", "b")]), hash(&[("a", "c")]));
    }

    #[test]
    fn all_modules_are_embedded() {
        let modules = |text: &str| text.matches("<module>").count();
        assert_eq!(SERVERS.poms.iter().map(|(_, text)| modules(text)).sum::<usize>() + 1, SERVERS.poms.len());
    }
}
