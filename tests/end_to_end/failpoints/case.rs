//! One point, one fault: a job of its own from its first start to the audit.

use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use landfall::fault::Fault as Blame;
use landfall::game::Load;
use landfall::storage::{Parents, Storage};
use uuid::Uuid;

use super::audit::audit;
use super::plan::{Fault, Point, Scene};
use crate::job::{Daemon, Job};
use crate::topic::{Producing, Topic};
use crate::world::World;

/// Three of the seeds' tables: fewer files a batch, and still more than one to be published.
pub const TABLES: [&str; 3] = ["purchases", "guilds", "dead_letters"];

const LIMIT: Duration = Duration::from_secs(90);
/// Longer than the consumer group, the storage's and the metastore's calls, and the client's poll may take.
/// `FAILPOINT_PAUSE` says another number of seconds.
const PAUSE: u64 = 7;
const RATE: u64 = 80;

/// Everything that takes hours in production takes seconds here: epochs, staging, timeouts.
fn config(job: &Job) -> String {
    let config = job.config("300ms");
    let swords = "[tables.sword_purchases]\nwhen = { field = \"event_type\", equals = \"purchase_sword\" }\n";
    assert!(config.contains(swords), "{config}");
    let config = config.replace(swords, "");
    let config = config.replace("[trigger]", "\"max.poll.interval.ms\" = \"6000\"\n[trigger]");
    let config = config.replace("[storage]", "[storage]\ncall_timeout = \"6s\"\nwrite_timeout = \"6s\"");
    let config = config.replace("[metastore]", "[metastore]\ncall_timeout = \"6s\"");
    format!("{config}[log]\nslots_per_epoch = 3\nretention = \"1s\"\nstaging_retention = \"3s\"\n")
}

/// How a case went: its rows, and after how many seconds what was done.
pub struct Done {
    pub rows: usize,
    pub steps: String,
}

/// Panics if anything is not as it must be.
pub fn run(world: &World, point: &Point, fault: Fault) -> Done {
    let begun = Instant::now();
    let mut steps = String::new();
    let mut step = |what: &str| _ = write!(steps, " {what} {:.1}", begun.elapsed().as_secs_f64());
    let name = format!("{}_{fault}", point.name.replace('.', "_"));
    let job = Job::bare(world, &name, 2, "300ms");
    std::fs::remove_file(job.folder.path().join("migrations/0001_sword_purchases.sql")).unwrap();
    job.write_config(&config(&job));
    let passed = if point.passed > 0 { format!("{}*off->", point.passed) } else { String::new() };
    let set = format!("{}={passed}1*return({fault})", point.name);
    let early = point.scene != Scene::NoDirectory;
    let mut producing = early.then(|| produce(&job.topic));
    let mut one = job.start_with(&[], &[("FAILPOINTS", &set)]);
    let mut other = prepare(world, &job, point.scene, &mut one);
    let producing = producing.take().unwrap_or_else(|| produce(&job.topic));
    wait("the point is reached", &mut one, |d| d.text().contains("\"message\":\"failpoint\""), true);
    step("reached");

    // From the fault on there is one daemon, or two, that must land everything.
    let ended = match fault {
        Fault::Kill => {
            let status = one.wait(LIMIT);
            assert_eq!(status.signal(), Some(9), "{}", one.tail());
            true
        }
        Fault::Stop => {
            let stopped = Instant::now();
            wait("it is stopped", &mut one, is_stopped, false);
            let two = other.get_or_insert_with(|| job.start(&[]));
            let before = two.progress().len();
            wait("the other daemon lands batches", two, |d| d.progress().len() > before + 1, false);
            let seconds = std::env::var("FAILPOINT_PAUSE").map_or(PAUSE, |n| n.parse().unwrap());
            std::thread::sleep(Duration::from_secs(seconds).saturating_sub(stopped.elapsed()));
            let (readings, landed) = (readings(&one), one.progress().len());
            one.signal("CONT");
            wait("it is back", &mut one, |d| self::readings(d) > readings || d.progress().len() > landed, false);
            false
        }
        Fault::Io | Fault::LostReply if point.scene == Scene::Start => {
            let code = one.wait(LIMIT).code();
            assert_eq!(code, Some(Blame::Retry.exit_code().into()), "{}", one.tail());
            true
        }
        Fault::Io | Fault::LostReply => false,
    };
    if ended {
        other.get_or_insert_with(|| job.start(&[]));
    }
    let last = if ended { other.as_mut().unwrap() } else { &mut one };
    let before = last.progress().len();
    wait("it goes on", last, |d| d.progress().len() > before, false);
    step("over");
    producing.stop();
    let ends = job.topic.ends();
    let mut daemons: Vec<&mut Daemon> = if ended { Vec::new() } else { vec![&mut one] };
    daemons.extend(other.as_mut());
    land_all(&job.topic, &ends, &mut daemons);
    step("landed");
    daemons.iter().for_each(|d| d.signal("TERM"));
    for d in &mut daemons {
        assert_eq!(d.wait(LIMIT).code(), Some(0), "{}", d.tail());
    }
    step("ended");
    let rows = audit(world, &job);
    step("audited");
    Done { rows, steps }
}

fn produce(topic: &Topic) -> Producing {
    topic.produce_on(Load::new(Uuid::new_v4().as_u128() as u64).with_request_ids(true).with_malformed(0.04), RATE)
}

/// Sets the scene; the second daemon, if it has one from the beginning.
fn prepare(world: &World, job: &Job, scene: Scene, one: &mut Daemon) -> Option<Daemon> {
    match scene {
        Scene::Start | Scene::Alone => None,
        Scene::Twins => Some(job.start(&[])),
        Scene::Joined => {
            wait("it lands a batch", one, |d| !d.progress().is_empty(), false);
            Some(job.start(&[]))
        }
        Scene::NoDirectory => {
            wait("it reads", one, |d| readings(d) > 0 && registered(d), false);
            world.delete(&job.table_dir("guilds"));
            None
        }
        Scene::Litter => {
            wait("it reads", one, |d| readings(d) > 0, false);
            let dir = format!("{}/checkpoint/staging/{}", job.base(), Uuid::new_v4());
            world.runtime.block_on(world.hdfs.mkdir(&dir, Parents::Require)).unwrap();
            None
        }
    }
}

/// All that is in the topic is landed, and the tables are known to the metastore.
fn land_all(topic: &Topic, ends: &[i64], daemons: &mut [&mut Daemon]) {
    let begun = Instant::now();
    loop {
        let done = |p: usize, end: i64| end == 0 || daemons.iter().any(|d| d.landed(&topic.name, p) >= Some(end));
        if ends.iter().enumerate().all(|(p, end)| done(p, *end)) && daemons.iter().any(|d| registered(d)) {
            return;
        }
        for d in daemons.iter_mut() {
            assert!(d.runs() && begun.elapsed() < LIMIT, "not all landed up to {ends:?}:\n{}", d.tail());
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Waits, looking seldom: many cases run at once, and the daemons need the processors. It must not end meanwhile,
/// unless its end is what comes next.
fn wait(what: &str, daemon: &mut Daemon, done: impl Fn(&Daemon) -> bool, may_end: bool) {
    let begun = Instant::now();
    loop {
        let runs = daemon.runs();
        if done(daemon) {
            return;
        }
        assert!(runs || may_end && begun.elapsed() < LIMIT / 8, "it ended before {what}:\n{}", daemon.tail());
        assert!(begun.elapsed() < LIMIT, "not within {LIMIT:?}: {what}\n{}", daemon.tail());
        std::thread::sleep(Duration::from_millis(250));
    }
}

fn readings(daemon: &Daemon) -> usize {
    daemon.text().matches("\"message\":\"reading\"").count()
}

fn registered(daemon: &Daemon) -> bool {
    daemon.text().matches("\"message\":\"registered\"").count() >= TABLES.len()
}

fn is_stopped(daemon: &Daemon) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", daemon.id())).unwrap();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}
