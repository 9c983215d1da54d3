//! The names of what runs: four services, made of parts that are one process each.

use anyhow::{Error, Result, anyhow, bail};
use std::fmt::{self, Display};
use std::str::FromStr;

/// One of the four things that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// One Kafka node, broker and controller in one.
    Kafka,
    /// A NameNode and some DataNodes.
    Hdfs,
    /// The Hive metastore; it needs HDFS.
    Metastore,
    /// Presto, coordinator and worker in one; it needs the metastore.
    Presto,
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 4] = [Service::Kafka, Service::Hdfs, Service::Metastore, Service::Presto];

    /// Adds what the asked ones cannot work without.
    pub(crate) fn with_needed(asked: &[Service]) -> Vec<Service> {
        let has = |s| asked.contains(&s);
        let needed = |s: &Service| match s {
            Service::Kafka => has(Service::Kafka),
            Service::Hdfs => has(Service::Hdfs) || has(Service::Metastore) || has(Service::Presto),
            Service::Metastore => has(Service::Metastore) || has(Service::Presto),
            Service::Presto => has(Service::Presto),
        };
        Service::ALL.into_iter().filter(needed).collect()
    }

    /// The processes it consists of.
    pub(crate) fn parts(self, datanodes: u32) -> Vec<Part> {
        match self {
            Service::Kafka => vec![Part::Kafka],
            Service::Hdfs => std::iter::once(Part::NameNode).chain((1..=datanodes).map(Part::DataNode)).collect(),
            Service::Metastore => vec![Part::Metastore],
            Service::Presto => vec![Part::Presto],
        }
    }
}

impl FromStr for Service {
    type Err = Error;
    fn from_str(name: &str) -> Result<Service> {
        Ok(match name {
            "kafka" => Service::Kafka,
            "hdfs" => Service::Hdfs,
            "metastore" => Service::Metastore,
            "presto" => Service::Presto,
            _ => bail!("no such service: {name} (there are kafka, hdfs, metastore, presto)"),
        })
    }
}

/// One process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Kafka,
    NameNode,
    /// Counted from 1.
    DataNode(u32),
    Metastore,
    Presto,
}

impl Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Kafka => f.pad("kafka"),
            Part::NameNode => f.pad("namenode"),
            Part::DataNode(n) => f.pad(&format!("datanode{n}")),
            Part::Metastore => f.pad("metastore"),
            Part::Presto => f.pad("presto"),
        }
    }
}

impl FromStr for Part {
    type Err = Error;
    fn from_str(name: &str) -> Result<Part> {
        let unknown = || anyhow!("no such part: {name} (there are kafka, namenode, datanode1…N, metastore, presto)");
        Ok(match name {
            "kafka" => Part::Kafka,
            "namenode" => Part::NameNode,
            "metastore" => Part::Metastore,
            "presto" => Part::Presto,
            _ => {
                let number = name.strip_prefix("datanode").and_then(|n| n.parse().ok());
                Part::DataNode(number.filter(|n| *n > 0).ok_or_else(unknown)?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for name in ["kafka", "namenode", "datanode1", "datanode12", "metastore", "presto"] {
            assert_eq!(name.parse::<Part>().expect(name).to_string(), name);
        }
        for name in ["datanode", "datanode0", "nn", ""] {
            assert!(name.parse::<Part>().is_err(), "{name}");
        }
    }

    #[test]
    fn presto_brings_what_it_needs() {
        use Service::*;
        assert_eq!(Service::with_needed(&[Presto]), [Hdfs, Metastore, Presto]);
        assert_eq!(Service::with_needed(&[Hdfs, Kafka]), [Kafka, Hdfs]);
    }
}
