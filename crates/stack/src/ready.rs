//! When a part can be used.

use crate::config::HOST;
use crate::part::Part;
use crate::presto;
use crate::process::{is_ours, is_paused};
use crate::signals;
use crate::stack::Stack;
use crate::state::PartState;
use anyhow::{Context, Result, bail};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// Generous: the machine may be building something.
const LIMIT: Duration = Duration::from_secs(150);

/// Presto asks for the list of its nodes every 5 s, and a query of a Hive table that comes before it has the first
/// fails ("sortedCandidates is null or empty").
const PRESTO_SETTLES: Duration = Duration::from_secs(6);

/// Waits until the part, just started, is ready.
pub(crate) fn wait(stack: &Stack, part: Part) -> Result<()> {
    match part {
        Part::Kafka => until(stack, part, |state| logs(state, "Kafka Server started") && listens(state.ports[0])),
        Part::NameNode => until(stack, part, |_| jmx(stack, "NameNodeStatus", "\"State\" : \"active\"").is_some()),
        // While its NameNode is down it can do no more than listen.
        Part::DataNode(_) => until(stack, part, |state| {
            let was_started = stack.state(Part::NameNode).is_ok_and(|namenode| namenode.pid.is_some());
            let alone = was_started && !is_running(stack, Part::NameNode);
            (alone && listens(state.ports[2])) || logs(state, "Successfully sent block report")
        }),
        Part::Metastore => until(stack, part, |s| logs(s, "Started the new metaserver") && listens(s.ports[0])),
        Part::Presto => {
            until(stack, part, |state| logs(state, "SERVER STARTED"))?;
            let started = Instant::now();
            until(stack, part, |_| {
                started.elapsed() > PRESTO_SETTLES && stack.presto().query("hive", "select 1").is_ok()
            })
        }
    }
}

/// Waits until the NameNode knows all DataNodes that run, and has left safe mode.
pub(crate) fn wait_for_hdfs(stack: &Stack) -> Result<()> {
    until(stack, Part::NameNode, |_| {
        let running = (1..=stack.settings.datanodes).filter(|n| is_running(stack, Part::DataNode(*n))).count();
        let live = jmx(stack, "FSNamesystemState", "\"NumLiveDataNodes\" : ");
        let live = live.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok());
        // Without a DataNode it stays in safe mode, as it must.
        running == 0 || (live >= Some(running) && jmx(stack, "NameNodeInfo", "\"Safemode\" : \"\"").is_some())
    })
}

fn until(stack: &Stack, part: Part, ready: impl Fn(&PartState) -> bool) -> Result<()> {
    let end = Instant::now() + LIMIT;
    let state = stack.state(part)?;
    let pid = state.pid.context("never started")?;
    let mark = stack.dir.mark(part);
    let failure = |what: &str| format!("{part} {what}; the end of {}:\n{}", state.log.display(), state.log_tail(30));
    loop {
        signals::check()?;
        if stack.failure.get().is_some() {
            bail!("another part has failed");
        }
        if !is_ours(pid, &mark) {
            bail!(failure("has ended"));
        }
        // A metastore that failed to start goes on running.
        if part == Part::Metastore && logs(&state, "Metastore Thrift Server threw an exception") {
            bail!(failure("has failed"));
        }
        if ready(&state) {
            return Ok(());
        }
        if Instant::now() > end {
            bail!(failure(&format!("is not ready after {} s", LIMIT.as_secs())));
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// Whether one of the parts failed because something else took a port of ours.
pub(crate) fn ports_clashed(stack: &Stack) -> bool {
    let signs = ["Address already in use", "java.net.BindException", "Could not create ServerSocket"];
    let clashed = |state: PartState| signs.iter().any(|sign| logs(&state, sign));
    stack.settings.parts().into_iter().any(|part| stack.state(part).is_ok_and(clashed))
}

fn logs(state: &PartState, text: &str) -> bool {
    state.log_text().contains(text)
}

fn listens(port: u16) -> bool {
    TcpStream::connect((HOST, port)).is_ok()
}

/// Whether the part runs and is not paused.
pub(crate) fn is_running(stack: &Stack, part: Part) -> bool {
    stack.pid(part).is_some_and(|pid| !is_paused(pid))
}

/// What follows `text` in what the NameNode says about itself.
fn jmx(stack: &Stack, bean: &str, text: &str) -> Option<String> {
    let port = stack.settings.ports.namenode_http;
    let said = presto::get(&format!("http://{HOST}:{port}/jmx?qry=Hadoop:service=NameNode,name={bean}"))?;
    said.split_once(text).map(|(_, rest)| rest.to_owned())
}
