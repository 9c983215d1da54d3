//! The servers' configuration files. Every setting that is not obvious was needed: see the comments.

use crate::dir::Dir;
use crate::part::Part;
use crate::secure;
use crate::settings::Settings;
use anyhow::Result;
use std::fs;

/// Everything listens here; the metastore alone listens on all addresses and cannot be told otherwise.
pub(crate) const HOST: &str = "127.0.0.1";

/// Writes all files into the folder's `conf`.
pub(crate) fn write(dir: &Dir, settings: &Settings) -> Result<()> {
    let conf = dir.conf();
    // hadoop-hdfs's jar has no webapps; empty ones are enough for the NameNode and DataNodes to start.
    for folder in ["webapps/hdfs/WEB-INF", "webapps/datanode/WEB-INF", "presto/catalog"] {
        fs::create_dir_all(conf.join(folder))?;
    }
    let files = [
        ("log4j.properties", log4j("INFO")),
        ("log4j-tools.properties", log4j("WARN")),
        ("kafka.properties", kafka(dir, settings)),
        ("core-site.xml", core_site(dir, settings)),
        ("hdfs-site.xml", hdfs_site(dir, settings)),
        ("metastore-site.xml", metastore_site(dir, settings)),
        ("metastore-log4j2.properties", metastore_log4j2()),
        ("presto/hdfs-client.xml", presto_hdfs_client()),
        ("presto/config.properties", presto(dir, settings)),
        ("presto/catalog/hive.properties", catalog(dir, settings, true)),
        ("presto/catalog/hive_by_position.properties", catalog(dir, settings, false)),
    ];
    for (name, text) in files {
        fs::write(conf.join(name), text)?;
    }
    Ok(())
}

fn log4j(level: &str) -> String {
    format!(
        "log4j.rootLogger={level}, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{{ISO8601}} %p %c{{1}}: %m%n
log4j.logger.org.apache.hadoop.util.NativeCodeLoader=ERROR
"
    )
}

fn kafka(dir: &Dir, settings: &Settings) -> String {
    let (port, controller) = (settings.ports.kafka, settings.ports.kafka_controller);
    let data = dir.data(Part::Kafka).join("logs");
    // Heartbeat and session timeout: else a restarted broker is refused until its old session ends, after 9 s or more.
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{HOST}:{controller}
listeners=PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller}
advertised.listeners=PLAINTEXT://{HOST}:{port}
controller.listener.names=CONTROLLER
log.dirs={data}
num.partitions=1
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=2097152
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
",
        data = data.display()
    ) + &secure::properties(dir, settings)
}

fn core_site(dir: &Dir, settings: &Settings) -> String {
    let user = &settings.user;
    xml(&[
        ("fs.defaultFS", namenode(settings)),
        ("hadoop.tmp.dir", dir.data(Part::NameNode).join("tmp").display().to_string()),
        ("hadoop.http.staticuser.user", user.clone()),
        (&format!("hadoop.proxyuser.{user}.hosts"), "*".to_owned()),
        (&format!("hadoop.proxyuser.{user}.groups"), "*".to_owned()),
    ])
}

fn hdfs_site(dir: &Dir, settings: &Settings) -> String {
    let name_dir = dir.data(Part::NameNode).join("name");
    let set = |value: &str| value.to_owned();
    xml(&[
        ("dfs.namenode.name.dir", format!("file://{}", name_dir.display())),
        ("dfs.namenode.rpc-address", format!("{HOST}:{}", settings.ports.namenode)),
        ("dfs.namenode.http-address", format!("{HOST}:{}", settings.ports.namenode_http)),
        ("dfs.replication", settings.replication.to_string()),
        ("dfs.permissions.enabled", set("false")),
        // The default threshold rounds down to no block at all when there are few: the NameNode would leave safe mode
        // before it knows where the blocks are.
        ("dfs.namenode.safemode.threshold-pct", set("1.0")),
        ("dfs.namenode.safemode.min.datanodes", set("1")),
        ("dfs.namenode.safemode.extension", set("0")),
        // A dead DataNode is noticed after 2 * recheck + 10 * heartbeat.
        ("dfs.heartbeat.interval", set("1")),
        ("dfs.namenode.heartbeat.recheck-interval", (settings.dead_after.saturating_sub(10) * 500).to_string()),
        // A copy that was ordered from a dead DataNode is ordered anew after this; by default after 5 minutes.
        ("dfs.namenode.reconstruction.pending.timeout-sec", set("5")),
        ("dfs.namenode.redundancy.interval.seconds", set("1")),
        // A test writes as many files in a second as a job does in ten. By default two copies a DataNode are ordered
        // at a time, and those of blocks with one replica go before all others.
        ("dfs.namenode.replication.work.multiplier.per.iteration", set("10")),
        ("dfs.namenode.replication.max-streams", set("20")),
        ("dfs.namenode.replication.max-streams-hard-limit", set("40")),
        ("dfs.namenode.fs-limits.min-block-size", set("1024")),
        ("dfs.namenode.datanode.registration.ip-hostname-check", set("false")),
        ("dfs.namenode.handler.count", set("10")),
        ("dfs.datanode.handler.count", set("4")),
        ("dfs.datanode.hostname", set(HOST)),
        ("dfs.blockreport.initialDelay", set("0")),
        // More than any disk has.
        ("dfs.datanode.du.reserved", set(if settings.disks_full { "1000000000000000" } else { "0" })),
    ])
}

fn metastore_site(dir: &Dir, settings: &Settings) -> String {
    let database = dir.data(Part::Metastore).join("db");
    let set = |value: &str| value.to_owned();
    xml(&[
        ("metastore.thrift.port", settings.ports.metastore.to_string()),
        ("metastore.warehouse.dir", format!("{}/warehouse", namenode(settings))),
        ("javax.jdo.option.ConnectionURL", format!("jdbc:derby:;databaseName={};create=true", database.display())),
        ("javax.jdo.option.ConnectionDriverName", set("org.apache.derby.jdbc.EmbeddedDriver")),
        // Tables are made when they are first used: no schema tool.
        ("datanucleus.schema.autoCreateAll", set("true")),
        ("metastore.schema.verification", set("false")),
        // The defaults of these three name classes that are not in the standalone metastore's jars.
        ("metastore.expression.proxy", set("org.apache.hadoop.hive.metastore.DefaultPartitionExpressionProxy")),
        ("metastore.task.threads.always", set("org.apache.hadoop.hive.metastore.events.EventCleanerTask")),
        ("metastore.async.log.enabled", set("false")),
        ("metastore.event.db.notification.api.auth", set("false")),
        ("metastore.thread.pool.size.min", set("4")),
    ])
}

fn metastore_log4j2() -> String {
    "appenders=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1}: %m%n
rootLogger.level=INFO
rootLogger.appenderRefs=out
rootLogger.appenderRef.out.ref=out
"
    .to_owned()
}

/// Presto refuses to start with a property that it does not use.
fn presto(dir: &Dir, settings: &Settings) -> String {
    format!(
        "node.environment=landfall
node.id=landfall
node.internal-address={HOST}
coordinator=true
node-scheduler.include-coordinator=true
http-server.http.port={port}
discovery-server.enabled=true
discovery.uri=http://{HOST}:{port}
query.max-memory=256MB
query.max-memory-per-node=128MB
query.max-total-memory-per-node=192MB
memory.heap-headroom-per-node=64MB
plugin.dir={libs}/presto/plugin
catalog.config-dir={conf}/presto/catalog
",
        port = settings.ports.presto,
        libs = settings.libs.display(),
        conf = dir.conf().display()
    )
}

/// Presto notices only with its next query that a NameNode that is back had closed its connections. With Hadoop's
/// default, which is not to try again, that query would fail; here it tries once more, after 0.1 s.
fn presto_hdfs_client() -> String {
    let set = |value: &str| value.to_owned();
    xml(&[("dfs.client.retry.policy.enabled", set("true")), ("dfs.client.retry.policy.spec", set("100,1"))])
}

/// Presto finds the columns of a Parquet file by position unless told to go by name: one catalog for each.
fn catalog(dir: &Dir, settings: &Settings, by_name: bool) -> String {
    format!(
        "connector.name=hive-hadoop2
hive.metastore.uri={metastore}
hive.config.resources={conf}/core-site.xml,{conf}/hdfs-site.xml,{conf}/presto/hdfs-client.xml
hive.parquet.use-column-names={by_name}
hive.non-managed-table-writes-enabled=true
hive.allow-drop-table=true
hive.allow-rename-table=true
hive.allow-add-column=true
hive.allow-drop-column=true
hive.allow-rename-column=true
",
        metastore = metastore(settings),
        conf = dir.conf().display()
    )
}

pub(crate) fn namenode(settings: &Settings) -> String {
    format!("hdfs://{HOST}:{}", settings.ports.namenode)
}

pub(crate) fn metastore(settings: &Settings) -> String {
    format!("thrift://{HOST}:{}", settings.ports.metastore)
}

/// A Hadoop configuration file.
fn xml(properties: &[(&str, String)]) -> String {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let line = |(name, value): &(&str, String)| {
        format!("<property><name>{}</name><value>{}</value></property>\n", escaped(name), escaped(value))
    };
    format!("<configuration>\n{}</configuration>\n", properties.iter().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::example;

    fn written() -> (tempfile::TempDir, Dir) {
        let tmp = tempfile::tempdir().expect("a folder");
        let dir = Dir::at(tmp.path()).expect("it is there");
        write(&dir, &example()).expect("written");
        (tmp, dir)
    }

    fn text(dir: &Dir, file: &str) -> String {
        fs::read_to_string(dir.conf().join(file)).expect(file)
    }

    #[test]
    fn ports_and_folders_reach_the_files() {
        let (_tmp, dir) = written();
        let kafka = text(&dir, "kafka.properties");
        assert!(kafka.contains("listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2\n"));
        assert!(kafka.contains(&format!("log.dirs={}/data/kafka/logs\n", dir.path().display())));
        assert!(text(&dir, "core-site.xml").contains("<value>hdfs://127.0.0.1:3</value>"));
        assert!(text(&dir, "core-site.xml").contains("<name>hadoop.proxyuser.someone.hosts</name>"));
        let hdfs = text(&dir, "hdfs-site.xml");
        assert!(hdfs.contains("<name>dfs.replication</name><value>2</value>"));
        assert!(hdfs.contains("<name>dfs.namenode.heartbeat.recheck-interval</name><value>10000</value>"));
        assert!(hdfs.contains("<name>dfs.namenode.http-address</name><value>127.0.0.1:4</value>"));
        assert!(text(&dir, "metastore-site.xml").contains("<name>metastore.thrift.port</name><value>5</value>"));
        assert!(text(&dir, "presto/config.properties").contains("http-server.http.port=6\n"));
    }

    #[test]
    fn the_two_catalogs_differ_in_how_they_find_columns() {
        let (_tmp, dir) = written();
        let by_name = text(&dir, "presto/catalog/hive.properties");
        let by_position = text(&dir, "presto/catalog/hive_by_position.properties");
        assert!(by_name.contains("hive.metastore.uri=thrift://127.0.0.1:5\n"));
        assert_eq!(by_name.replace("use-column-names=true", "use-column-names=false"), by_position);
        assert_ne!(by_name, by_position);
    }

    #[test]
    fn xml_is_escaped() {
        assert!(xml(&[("a", "<&>".to_owned())]).contains("<value>&lt;&amp;&gt;</value>"));
    }
}
