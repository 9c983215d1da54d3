//! What a stack is made of: asked for in [`Options`], and kept in the folder's `stack.json`.

use crate::part::{Part, Service};
use crate::{fetch, java, ports, secure};
use anyhow::{Context, Error, Result, bail};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// After how many seconds the NameNode takes a silent DataNode for dead, unless asked for otherwise.
pub const DEAD_AFTER: u32 = 16;

/// Which Hive Metastore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hive {
    /// 3.1.3
    #[default]
    V3,
    /// 4.0.1. Presto 0.287 cannot use it: it asks by `get_table`, which is gone there.
    V4,
}

impl FromStr for Hive {
    type Err = Error;
    fn from_str(version: &str) -> Result<Hive> {
        match version {
            "3" => Ok(Hive::V3),
            "4" => Ok(Hive::V4),
            _ => bail!("no such Hive Metastore: {version} (there are 3 and 4)"),
        }
    }
}

/// What to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// The stack's folder: empty or not there yet, or that of an earlier stack, whose data, ports and other settings
    /// are then taken up again. None: a new temporary one, removed when the stack is shut down.
    pub dir: Option<PathBuf>,
    /// Keep the temporary folder.
    pub keep: bool,
    /// How many DataNodes.
    pub datanodes: u32,
    /// HDFS's default replication; None: 3, or the number of DataNodes if that is less.
    pub replication: Option<u32>,
    /// After how many seconds the NameNode takes a silent DataNode for dead: 12 or more.
    pub dead_after: u32,
    /// What to start; what these cannot work without is added.
    pub services: Vec<Service>,
    /// Which metastore.
    pub hive: Hive,
    /// Kafka has listeners with SASL and TLS, users and an authorizer too: see [`crate::secure`].
    pub secure: bool,
    /// Do not report the progress on standard error.
    pub quiet: bool,
}

impl Default for Options {
    fn default() -> Options {
        let services = Service::ALL.to_vec();
        let (dir, keep, datanodes, replication, dead_after) = (None, false, 3, None, DEAD_AFTER);
        let (hive, secure, quiet) = (Hive::V3, false, false);
        Options { dir, keep, datanodes, replication, dead_after, services, hive, secure, quiet }
    }
}

/// The name of the settings' file in the stack's folder.
const FILE: &str = "stack.json";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub services: Vec<Service>,
    pub datanodes: u32,
    pub replication: u32,
    pub dead_after: u32,
    /// The user the servers and their clients are for HDFS.
    pub user: String,
    pub java: PathBuf,
    pub libs: PathBuf,
    /// The folder of the metastore's jars, if they are not among the others.
    #[serde(default)]
    pub metastore_libs: Option<PathBuf>,
    /// The DataNodes say that they have no room.
    #[serde(skip)]
    pub disks_full: bool,
    /// The folder goes when the stack is shut down.
    pub temporary: bool,
    pub ports: Ports,
    /// Of Kafka's secured listeners, if there are any.
    #[serde(default)]
    pub secure: Option<secure::Ports>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ports {
    pub kafka: u16,
    pub kafka_controller: u16,
    pub namenode: u16,
    pub namenode_http: u16,
    pub metastore: u16,
    pub presto: u16,
    pub datanodes: Vec<DataNodePorts>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct DataNodePorts {
    pub data: u16,
    pub ipc: u16,
    pub http: u16,
}

impl Ports {
    pub fn pick(datanodes: u32) -> Result<Ports> {
        let free = ports::free(6 + 3 * datanodes as usize)?;
        let (one, datanodes) = free.split_at(6);
        Ok(Ports {
            kafka: one[0],
            kafka_controller: one[1],
            namenode: one[2],
            namenode_http: one[3],
            metastore: one[4],
            presto: one[5],
            datanodes: datanodes.chunks(3).map(|p| DataNodePorts { data: p[0], ipc: p[1], http: p[2] }).collect(),
        })
    }
}

impl Settings {
    /// Those for a new stack. Fetches the jars if they are not there.
    pub fn new(options: &Options) -> Result<Settings> {
        if options.datanodes == 0 {
            bail!("at least one DataNode is needed");
        }
        let services = Service::with_needed(&options.services);
        if options.hive == Hive::V4 && services.contains(&Service::Presto) {
            bail!("Presto 0.287 cannot use Hive Metastore 4: start it without (--parts kafka,hdfs,metastore)");
        }
        let libs = fetch::fetch(options.quiet)?;
        Ok(Settings {
            services,
            datanodes: options.datanodes,
            replication: options.replication.unwrap_or(options.datanodes.min(3)),
            dead_after: options.dead_after,
            user: user(),
            java: java::find()?,
            metastore_libs: match options.hive {
                Hive::V3 => None,
                Hive::V4 => Some(fetch::fetch_metastore4(options.quiet)?),
            },
            libs,
            disks_full: false,
            temporary: options.dir.is_none() && !options.keep,
            ports: Ports::pick(options.datanodes)?,
            secure: options.secure.then(secure::Ports::pick).transpose()?,
        })
    }

    pub fn parts(&self) -> Vec<Part> {
        self.services.iter().flat_map(|s| s.parts(self.datanodes)).collect()
    }

    /// The ports the part listens on, the one its clients use first.
    pub fn ports_of(&self, part: Part) -> Vec<u16> {
        let ports = &self.ports;
        match part {
            Part::Kafka => vec![ports.kafka, ports.kafka_controller],
            Part::NameNode => vec![ports.namenode, ports.namenode_http],
            Part::DataNode(n) => {
                let DataNodePorts { data, ipc, http } = self.datanode(n);
                vec![data, ipc, http]
            }
            Part::Metastore => vec![ports.metastore],
            Part::Presto => vec![ports.presto],
        }
    }

    pub fn datanode(&self, number: u32) -> DataNodePorts {
        self.ports.datanodes[number as usize - 1]
    }

    pub fn exist_in(dir: &Path) -> bool {
        dir.join(FILE).exists()
    }

    pub fn load(dir: &Path) -> Result<Settings> {
        let file = dir.join(FILE);
        let text = fs::read(&file).with_context(|| format!("no stack in {}: cannot read {FILE}", dir.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("cannot understand {}", file.display()))
    }

    pub fn save(&self, dir: &Path) -> Result<()> {
        Ok(fs::write(dir.join(FILE), serde_json::to_vec_pretty(self)?)?)
    }
}

fn user() -> String {
    let set = |name| std::env::var(name).ok().filter(|v: &String| !v.is_empty());
    set("HADOOP_USER_NAME").or_else(|| set("USER")).unwrap_or_else(|| "landfall".to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Settings with easily recognised values.
    pub(crate) fn example() -> Settings {
        let datanodes = (0..2).map(|n| DataNodePorts { data: 10 + n * 3, ipc: 11 + n * 3, http: 12 + n * 3 }).collect();
        Settings {
            services: Service::ALL.to_vec(),
            datanodes: 2,
            replication: 2,
            dead_after: 30,
            user: "someone".to_owned(),
            java: "/java".into(),
            libs: "/libs".into(),
            metastore_libs: None,
            disks_full: false,
            temporary: true,
            ports: Ports {
                kafka: 1,
                kafka_controller: 2,
                namenode: 3,
                namenode_http: 4,
                metastore: 5,
                presto: 6,
                datanodes,
            },
            secure: None,
        }
    }

    #[test]
    fn settings_go_to_the_folder_and_back() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(Settings::load(dir.path()).is_err());
        example().save(dir.path()).expect("saved");
        assert_eq!(Settings::load(dir.path()).expect("loaded"), example());
    }

    #[test]
    fn a_presto_that_cannot_use_the_metastore_is_refused() {
        let error = Settings::new(&Options { hive: Hive::V4, ..Options::default() }).expect_err("refused");
        assert!(error.to_string().contains("Presto 0.287 cannot use"), "{error}");
        assert!("5".parse::<Hive>().is_err());
    }

    #[test]
    fn every_part_has_its_own_ports() {
        let settings = example();
        let mut all: Vec<u16> = settings.parts().into_iter().flat_map(|p| settings.ports_of(p)).collect();
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15]);
    }
}
