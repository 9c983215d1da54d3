//! How each part is started.

use crate::config::HOST;
use crate::dir::Dir;
use crate::part::Part;
use crate::process;
use crate::secure;
use crate::settings::Settings;
use crate::state::PartState;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Output};

/// Small and fast to boot, rather than fast in the long run.
const FAST: [&str; 4] = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xss512k"];

/// What Hadoop, Hive and Presto reach into, which Java 17 closed.
const OPENS: [&str; 7] = [
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.lang.reflect=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.net=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
];

/// Any 16 bytes.
const KAFKA_CLUSTER: &str = "bGFuZGZhbGwtc3RhY2stMQ";

/// The state files of all parts, and their folders.
pub(crate) fn prepare(dir: &Dir, settings: &Settings) -> Result<()> {
    for folder in ["log", "state"] {
        fs::create_dir_all(dir.path().join(folder))?;
    }
    for part in settings.parts() {
        let cwd = dir.data(part);
        fs::create_dir_all(&cwd)?;
        let state = PartState {
            argv: argv(part, dir, settings),
            env: env(settings),
            cwd,
            log: dir.log(part),
            ports: settings.ports_of(part),
            pid: None,
            log_from: 0,
        };
        state.save(&dir.state(part))?;
    }
    Ok(())
}

/// Starts the part's process; formats its data first if it never ran.
pub(crate) fn launch(part: Part, dir: &Dir, settings: &Settings) -> Result<()> {
    format(part, dir, settings)?;
    let file = dir.state(part);
    let mut state = PartState::load(&file)?;
    process::spawn(&mut state)?;
    state.save(&file)
}

fn argv(part: Part, dir: &Dir, settings: &Settings) -> Vec<String> {
    let (conf, mark) = (dir.conf(), dir.mark(part));
    let conf = conf.display();
    let derby_log = dir.log(part).with_file_name("derby.log");
    let (heap, own, class_and_args): (&str, Vec<String>, Vec<String>) = match part {
        Part::Kafka => ("256m", vec![], vec!["kafka.Kafka".to_owned(), format!("{conf}/kafka.properties")]),
        Part::NameNode => ("256m", vec![], vec!["org.apache.hadoop.hdfs.server.namenode.NameNode".to_owned()]),
        Part::DataNode(number) => ("192m", vec![], datanode(number, dir, settings)),
        Part::Metastore => (
            "384m",
            vec![
                format!("-Dlog4j2.configurationFile=file:{conf}/metastore-log4j2.properties"),
                format!("-Dderby.stream.error.file={}", derby_log.display()),
            ],
            vec![
                "org.apache.hadoop.hive.metastore.HiveMetaStore".to_owned(),
                "-p".to_owned(),
                settings.ports.metastore.to_string(),
            ],
        ),
        Part::Presto => (
            "1g",
            vec![
                "-Djdk.attach.allowAttachSelf=true".to_owned(),
                "-Duser.timezone=UTC".to_owned(),
                format!("-Dconfig={conf}/presto/config.properties"),
            ],
            vec!["com.facebook.presto.server.PrestoServer".to_owned()],
        ),
    };
    let mut argv = vec![settings.java.display().to_string(), mark, format!("-Xmx{heap}")];
    argv.extend(java_options(part, dir, settings, "log4j.properties"));
    argv.extend(own);
    argv.extend(class_and_args);
    argv
}

/// The class and arguments of a DataNode: what differs between them cannot stand in the file they share.
fn datanode(number: u32, dir: &Dir, settings: &Settings) -> Vec<String> {
    let ports = settings.datanode(number);
    let data = dir.data(Part::DataNode(number)).join("data");
    let mut argv = vec!["org.apache.hadoop.hdfs.server.datanode.DataNode".to_owned()];
    for property in [
        format!("dfs.datanode.data.dir=file://{}", data.display()),
        format!("dfs.datanode.address={HOST}:{}", ports.data),
        format!("dfs.datanode.ipc.address={HOST}:{}", ports.ipc),
        format!("dfs.datanode.http.address={HOST}:{}", ports.http),
    ] {
        argv.extend(["-D".to_owned(), property]);
    }
    argv
}

/// What the part's server and its tools have in common.
fn java_options(part: Part, dir: &Dir, settings: &Settings, log4j: &str) -> Vec<String> {
    let (conf, libs) = (dir.conf(), settings.libs.display());
    let conf = conf.display();
    let classpath = match part {
        Part::Kafka => format!("{libs}/kafka/*"),
        Part::NameNode | Part::DataNode(_) => format!("{conf}:{libs}/hdfs/*"),
        Part::Metastore => {
            let own = settings.metastore_libs.clone().unwrap_or_else(|| settings.libs.join("metastore"));
            format!("{conf}:{}/*", own.display())
        }
        Part::Presto => format!("{libs}/presto/lib/*"),
    };
    let mut options: Vec<String> = FAST.iter().chain(&OPENS).map(|o| (*o).to_owned()).collect();
    options.push(format!("-Dlog4j.configuration=file:{conf}/{log4j}"));
    options.extend(["-cp".to_owned(), classpath]);
    options
}

fn env(settings: &Settings) -> BTreeMap<String, String> {
    let inherited = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
    let own = [("HADOOP_USER_NAME", settings.user.as_str()), ("LANG", "C.UTF-8")];
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    ["PATH", "HOME"].into_iter().filter_map(inherited).chain(own).collect()
}

fn format(part: Part, dir: &Dir, settings: &Settings) -> Result<()> {
    let data = dir.data(part);
    let properties = dir.conf().join("kafka.properties").display().to_string();
    let users = secure::format_arguments(settings);
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    let (done, class_and_args) = match part {
        Part::Kafka => (
            data.join("logs/meta.properties"),
            [&["kafka.tools.StorageTool", "format", "-t", KAFKA_CLUSTER, "-c", &properties][..], &users].concat(),
        ),
        Part::NameNode => (
            data.join("name/current/VERSION"),
            vec!["org.apache.hadoop.hdfs.server.namenode.NameNode", "-format", "-nonInteractive"],
        ),
        _ => return Ok(()),
    };
    if !done.exists() {
        let output = tool(part, dir, settings, &class_and_args)?;
        if !output.status.success() {
            bail!("{part}: formatting its data failed\n{}", text(&output));
        }
    }
    Ok(())
}

/// Runs one of the part's own tools to its end.
pub(crate) fn tool(part: Part, dir: &Dir, settings: &Settings, class_and_args: &[&str]) -> Result<Output> {
    Command::new(&settings.java)
        .arg("-Xmx128m")
        .args(java_options(part, dir, settings, "log4j-tools.properties"))
        .args(class_and_args)
        .env_clear()
        .envs(env(settings))
        .current_dir(dir.data(part))
        .output()
        .with_context(|| format!("cannot run {}", settings.java.display()))
}

/// What a tool has printed.
pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::example;

    #[test]
    fn every_part_bears_its_mark_before_its_class() {
        let tmp = tempfile::tempdir().expect("a folder");
        let dir = Dir::at(tmp.path()).expect("it is there");
        prepare(&dir, &example()).expect("prepared");
        for part in example().parts() {
            let state = PartState::load(&dir.state(part)).expect("a state file");
            assert_eq!(state.argv[..2], ["/java".to_owned(), dir.mark(part)]);
            assert_eq!(state.ports, example().ports_of(part));
            assert_eq!(state.env["HADOOP_USER_NAME"], "someone");
        }
    }

    #[test]
    fn datanodes_have_their_own_folders_and_ports() {
        let tmp = tempfile::tempdir().expect("a folder");
        let dir = Dir::at(tmp.path()).expect("it is there");
        let argv = datanode(2, &dir, &example());
        assert!(argv.contains(&"dfs.datanode.address=127.0.0.1:13".to_owned()));
        assert!(argv.contains(&format!("dfs.datanode.data.dir=file://{}/data/datanode2/data", dir.path().display())));
    }
}
