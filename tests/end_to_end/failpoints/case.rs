//! One point, one fault: a job of its own from its first start to the audit.

use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use landfall::catalog::Catalog;
use landfall::fault::Fault as Blame;
use landfall::game::Load;
use landfall::storage::{Parents, Storage};
use uuid::Uuid;

use super::audit::audit;
use super::plan::{Fault, Point, Scene};
use crate::by_day;
use crate::job::{Daemon, Job};
use crate::migrate;
use crate::topic::{Producing, Sender, Topic};
use crate::world::World;

/// Three of the seeds' tables, for fewer files a batch; and one that gets a new partition every few batches.
pub const TABLES: [&str; 4] = ["purchases", "guilds", "dead_letters", by_day::TABLE];

const LIMIT: Duration = Duration::from_secs(90);
/// Longer than the consumer group, the storage's and the metastore's calls, and the client's poll may take.
/// `FAILPOINT_PAUSE` says another number of seconds.
const PAUSE: u64 = 7;
/// Messages a second until the point is reached, and in each wave after it.
const RATE: u64 = 50;
const WAVE: usize = 50;
/// Messages of a day, in the flow; each wave has a later day of its own.
const DAY: u64 = 75;
const FIRST_WAVES_DAY: i64 = 1000;

/// Everything that takes hours in production takes seconds here: epochs, staging, timeouts.
fn config(job: &Job) -> String {
    let config = job.config("300ms");
    let swords = "[tables.sword_purchases]\nwhen = { field = \"event_type\", equals = \"purchase_sword\" }\n";
    assert!(config.contains(swords), "{config}");
    let config = config.replace(swords, "");
    let config = config.replace("[trigger]", "\"max.poll.interval.ms\" = \"6000\"\n[trigger]");
    let config = config.replace("[storage]", "[storage]\ncall_timeout = \"6s\"\nwrite_timeout = \"6s\"");
    let config = config.replace("[metastore]", "[metastore]\ncall_timeout = \"6s\"");
    format!("{config}[log]\nslots_per_epoch = 3\nretention = \"1s\"\nstaging_retention = \"3s\"\n{}", by_day::CONFIG)
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
    by_day::declare(&job);
    job.write_config(&config(&job));
    if point.scene == Scene::OldTable {
        older(world, &job);
    }
    let passed = if point.passed > 0 { format!("{}*off->", point.passed) } else { String::new() };
    let set = format!("{}={passed}1*return({fault})", point.name);
    let mut waves = Waves::new(&job.topic);
    let mut one = job.start_with(&[], &[("FAILPOINTS", &set)]);
    let mut other = prepare(world, &job, point.scene, &mut one, &mut waves);
    wait("the point is reached", &mut one, |d| d.text().contains("\"message\":\"failpoint\""), true);
    step("reached");
    waves.ebb();

    let ended = match fault {
        Fault::Kill => {
            assert_eq!(one.wait(LIMIT).signal(), Some(9), "{}", one.tail());
            true
        }
        Fault::Stop => {
            let stopped = Instant::now();
            wait("it is stopped", &mut one, is_stopped, false);
            let two = other.get_or_insert_with(|| job.start(&[]));
            let before = batches(two);
            waves.one();
            wait("the other daemon lands batches", two, |d| batches(d) > before, false);
            let seconds = std::env::var("FAILPOINT_PAUSE").map_or(PAUSE, |n| n.parse().unwrap());
            std::thread::sleep(Duration::from_secs(seconds).saturating_sub(stopped.elapsed()));
            let (readings, landed) = (readings(&one), batches(&one));
            one.signal("CONT");
            wait("it is back", &mut one, |d| self::readings(d) > readings || batches(d) > landed, false);
            false
        }
        Fault::Io | Fault::LostReply if point.scene == Scene::Start => {
            let code = one.wait(LIMIT).code();
            assert_eq!(code, Some(Blame::Retry.exit_code().into()), "{}", one.tail());
            true
        }
        Fault::Io | Fault::LostReply => false,
    };
    step("over");
    // Now one daemon, or two, must land all there is and what comes.
    if ended {
        other.get_or_insert_with(|| job.start(&[]));
    }
    waves.one();
    let mut daemons: Vec<&mut Daemon> = if ended { Vec::new() } else { vec![&mut one] };
    daemons.extend(other.as_mut());
    land_all(world, &job, &mut daemons);
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

/// Sets the scene; the second daemon, if it has one from the beginning.
fn prepare(world: &World, job: &Job, scene: Scene, one: &mut Daemon, waves: &mut Waves) -> Option<Daemon> {
    let reads = |d: &Daemon| readings(d) > 0;
    match scene {
        Scene::Start | Scene::Alone | Scene::OldTable => waves.flow(),
        Scene::Twins => {
            waves.flow();
            return Some(job.start(&[]));
        }
        Scene::Joined => {
            waves.flow();
            wait("it lands a batch", one, |d| batches(d) > 0, false);
            return Some(job.start(&[]));
        }
        Scene::NoDirectory => {
            wait("it reads", one, |d| reads(d) && registered(d), false);
            world.delete(&job.table_dir("guilds"));
            waves.flow();
        }
        Scene::Litter => {
            wait("it reads", one, reads, false);
            let dir = format!("{}/checkpoint/staging/{}", job.base(), Uuid::new_v4());
            world.runtime.block_on(world.hdfs.mkdir(&dir, Parents::Require)).unwrap();
        }
        Scene::Sealed => {
            waves.flow();
            wait("an epoch is closed", one, |d| d.text().contains("goes on in a new epoch"), false);
            waves.ebb();
        }
    }
    None
}

/// Makes a table in the metastore as it was before its last column was declared, and before there were records.
fn older(world: &World, job: &Job) {
    let wanted = migrate::wanted(world, job, "purchases");
    let mut table = wanted.table;
    table.columns.pop();
    table.properties.clear();
    world.runtime.block_on(async {
        world.hdfs.mkdir(&wanted.directory, Parents::Create).await.unwrap();
        migrate::catalog(world, job).create_table(&table).await.unwrap();
    });
}

/// What is produced in a case: a steady flow until the point is reached, and waves after it.
struct Waves<'t> {
    topic: &'t Topic,
    sender: Sender,
    load: Load,
    flow: Option<Producing>,
    day: i64,
}

impl Waves<'_> {
    fn new(topic: &Topic) -> Waves<'_> {
        Waves { topic, sender: topic.sender(), load: load(), flow: None, day: FIRST_WAVES_DAY }
    }

    fn flow(&mut self) {
        self.one();
        self.flow = Some(self.topic.produce_at(load(), RATE, |n| Some(by_day::time_ms(0, n, DAY))));
    }

    fn ebb(&mut self) {
        if let Some(flow) = self.flow.take() {
            flow.stop();
        }
    }

    fn one(&mut self) {
        let time = by_day::time_ms(self.day, 0, DAY);
        for message in self.load.by_ref().take(WAVE) {
            self.sender.send_to(None, None, Some(time), Some(&message.value));
        }
        self.day += 1;
        self.sender.flush();
    }
}

/// No two messages of it are alike, nor like those of another.
fn load() -> Load {
    Load::new(Uuid::new_v4().as_u128() as u64).with_request_ids(true).with_malformed(0.04)
}

/// All that is in the topic is landed, and the metastore knows the tables and all partitions: long before a daemon compares
/// them again by itself.
fn land_all(world: &World, job: &Job, daemons: &mut [&mut Daemon]) {
    let (topic, ends, begun) = (&job.topic, job.topic.ends(), Instant::now());
    loop {
        let done = |p: usize, end: i64| end == 0 || daemons.iter().any(|d| d.landed(&topic.name, p) >= Some(end));
        let landed = daemons.iter().any(|d| registered(d)) && ends.iter().enumerate().all(|(p, end)| done(p, *end));
        if landed && by_day::all_registered(world, job).is_some() {
            return;
        }
        for d in daemons.iter_mut() {
            assert!(d.runs() && begun.elapsed() < LIMIT, "not all landed up to {ends:?} and registered:\n{}", d.tail());
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

/// Without parsing its log: every case looks several times a second.
fn batches(daemon: &Daemon) -> usize {
    daemon.text().matches("\"progress\":{").count()
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
