//! A real Kafka with SASL, TLS and an authorizer: rows land through each way in, and what is wrong is one clear error that
//! holds no secret. It starts a Kafka of its own, where there are real servers (`make test`); else it says so and passes.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use landfall::config::load_embedded;
use landfall::source::{KafkaConfig, Producer};
use landfall_stack::secure::{STORE_PASSWORD, Secured, USERS, password};
use landfall_stack::{Options, Service, Stack};

const MESSAGES: usize = 50;

struct World {
    stack: Stack,
    secured: Secured,
    folder: tempfile::TempDir,
    runs: std::cell::Cell<u32>,
}

/// One run of the binary on files of its own.
struct Case<'a> {
    servers: &'a str,
    /// Lines of `[kafka.properties]`.
    properties: String,
    env: Vec<(&'static str, String)>,
}

impl Case<'_> {
    fn with(mut self, line: &str) -> Self {
        self.properties += &format!("{line}\n");
        self
    }

    fn env(mut self, name: &'static str, value: &str) -> Self {
        self.env.push((name, value.to_owned()));
        self
    }
}

impl World {
    fn start() -> Option<World> {
        if std::env::var_os("LANDFALL_STACK").is_none() {
            eprintln!("skipped: needs the real servers (make test)");
            return None;
        }
        let options = Options { services: vec![Service::Kafka], secure: true, quiet: true, ..Options::default() };
        let stack = Stack::start(options).unwrap();
        let secured = stack.secured().unwrap();
        let world = World { stack, secured, folder: tempfile::tempdir().unwrap(), runs: Default::default() };
        world.stack.create_topic("events", 2).unwrap();
        for user in ["anna", "CN=landfall-client"] {
            world.allow(user, "--topic events");
            world.allow(user, "--group readers");
        }
        world.allow("bert", "--group readers");
        world.allow("cleo", "--topic events");
        world.send(MESSAGES);
        let sql = "create external table coins (cost bigint) stored as parquet location '/coins'";
        world.write("sql/0001_coins.sql", sql);
        world.write("sql/0002_dead.sql", include_str!("../migrations/0004_dead_letters.sql"));
        USERS.iter().for_each(|user| world.write(&format!("secret-{user}"), &format!("{}\n", password(user))));
        Some(world)
    }

    fn allow(&self, user: &str, what: &str) {
        self.stack.acl(&format!("--add --allow-principal User:{user} --operation Read {what}")).unwrap();
    }

    fn send(&self, messages: usize) {
        let servers = ("LANDFALL__KAFKA__BOOTSTRAP_SERVERS".to_owned(), self.stack.kafka());
        let settings = load_embedded([servers].into_iter()).unwrap();
        let producer = Producer::new(&KafkaConfig::from(&settings.kafka), "events").unwrap();
        (0..messages).for_each(|n| producer.send(format!(r#"{{"cost": {n}}}"#).as_bytes()).unwrap());
        producer.flush(Duration::from_secs(20)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), text).unwrap();
    }

    fn case<'a>(&self, servers: &'a str, protocol: &str) -> Case<'a> {
        Case { servers, properties: String::new(), env: Vec::new() }.with(&format!("security.protocol = '{protocol}'"))
    }

    /// The user's password stands in a file.
    fn sasl<'a>(&self, servers: &'a str, protocol: &str, mechanism: &str, user: &str) -> Case<'a> {
        let secret = self.path(&format!("secret-{user}"));
        self.case(servers, protocol)
            .with(&format!("sasl.mechanism = '{mechanism}'"))
            .with(&format!("sasl.username = '{user}'"))
            .with(&format!("sasl.password = {{ file = '{}' }}", secret.display()))
    }

    /// The command, on a storage of its own.
    fn command(&self, case: &Case<'_>, arguments: &[&str]) -> (Command, PathBuf) {
        self.runs.set(self.runs.get() + 1);
        let own = self.path(&format!("run-{}", self.runs.get()));
        std::fs::create_dir(&own).unwrap();
        let config = format!(
            "migrations = '{}'\n[kafka]\nbootstrap_servers = '{}'\ngroup_id = 'readers'\nconnect_timeout = '6s'\n\
             [storage]\nurl = 'file://{}'\n[metastore]\nuri = ''\n[trigger]\ninterval = '1s'\n[tables.coins]\n[kafka.properties]\n{}",
            self.path("sql").display(),
            case.servers,
            own.display(),
            case.properties
        );
        std::fs::write(own.join("landfall.toml"), config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        std::env::vars().filter(|(name, _)| name.starts_with("LANDFALL")).for_each(|(n, _)| _ = command.env_remove(n));
        command.args(arguments).arg("--config").arg(own.join("landfall.toml"));
        command.envs(case.env.iter().map(|(name, value)| (name, value))).env("RUST_LOG", "debug,librdkafka=trace");
        (command, own)
    }

    fn run(&self, case: &Case<'_>, arguments: &[&str]) -> (Option<i32>, String) {
        let begun = Instant::now();
        let Output { status, stdout, stderr } = self.command(case, arguments).0.output().unwrap();
        let text = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
        assert_no_secret(&text);
        println!("  {:.1} s, {arguments:?}: {:?}", begun.elapsed().as_secs_f64(), status.code());
        (status.code(), text)
    }

    /// Every message becomes a row.
    fn lands(&self, what: &str, case: &Case<'_>) {
        println!("lands: {what}");
        let (code, text) = self.run(case, &["run", "--available-now", "--log-format", "json"]);
        assert_eq!(code, Some(0), "{what}:\n{text}");
        assert!(text.contains(&format!("\"events\":{MESSAGES}")), "{what}:\n{text}");
    }

    /// A start and a check both end with 78 and one error that holds these words.
    fn refuses(&self, what: &str, case: &Case<'_>, words: &[&str]) {
        self.ends(what, case, 78, words);
    }

    fn ends(&self, what: &str, case: &Case<'_>, wanted: i32, words: &[&str]) {
        println!("refused: {what}");
        for arguments in [&["run", "--log-format", "json"][..], &["check"]] {
            let (code, text) = self.run(case, arguments);
            assert_eq!(code, Some(wanted), "{what} {arguments:?}:\n{text}");
            let said: Vec<_> = text.lines().filter(|line| words.iter().all(|word| line.contains(word))).collect();
            assert!(said.len() == 1, "{what} {arguments:?}: {words:?} on {} lines of:\n{text}", said.len());
            if arguments[0] == "check" {
                println!("    {}", said[0].trim());
            }
        }
    }
}

fn assert_no_secret(text: &str) {
    assert!(!text.contains("pa55word"), "a secret is in:\n{text}");
}

#[test]
fn rows_land_through_every_way_in_and_what_is_wrong_is_one_clear_error() {
    let Some(world) = World::start() else { return };
    let Secured { sasl, sasl_ssl, ssl, authority, stranger, client } = &world.secured;
    let ca = |file: &Path| format!("ssl.ca.location = '{}'", file.display());
    let store = [
        format!("ssl.keystore.location = '{}'", client.display()),
        format!("ssl.keystore.password = '{STORE_PASSWORD}'"),
    ];
    let plain = |protocol, servers| world.sasl(servers, protocol, "PLAIN", "anna");

    world.lands("SASL_PLAINTEXT, PLAIN", &plain("SASL_PLAINTEXT", sasl));
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        world.lands(mechanism, &world.sasl(sasl, "SASL_PLAINTEXT", mechanism, "anna"));
    }
    world.lands("SASL_SSL, PLAIN", &plain("SASL_SSL", sasl_ssl).with(&ca(authority)));
    let by_variable = world
        .case(sasl_ssl, "SASL_SSL")
        .with(&ca(authority))
        .env("LANDFALL__KAFKA__PROPERTIES__SASL_MECHANISM", "SCRAM-SHA-512")
        .env("LANDFALL__KAFKA__PROPERTIES__SASL_USERNAME", "anna")
        .env("LANDFALL__KAFKA__PROPERTIES__SASL_PASSWORD", &password("anna"));
    world.lands("SASL_SSL, SCRAM by the environment", &by_variable);
    let mutual = || world.case(ssl, "SSL").with(&ca(authority));
    world.lands("SSL with the client's certificate", &mutual().with(&store[0]).with(&store[1]));

    let password_of = |user: &str| format!("sasl.password = '{}'", password(user));
    let user = |protocol, servers, mechanism: &str| {
        world.case(servers, protocol).with(&format!("sasl.mechanism = '{mechanism}'")).with("sasl.username = 'anna'")
    };
    let sasl_words = ["does not let landfall in", "sasl.username and sasl.password of kafka.properties"];
    world.refuses("a wrong password", &user("SASL_PLAINTEXT", sasl, "PLAIN").with(&password_of("bert")), &sasl_words);
    let scram = user("SASL_SSL", sasl_ssl, "SCRAM-SHA-256").with(&password_of("bert")).with(&ca(authority));
    world.refuses("a wrong password, SCRAM over TLS", &scram, &sasl_words);
    let tls_words = ["does not let landfall in", "ssl.ca.location holds the authority"];
    world.refuses("a strange authority", &plain("SASL_SSL", sasl_ssl).with(&ca(stranger)), &tls_words);
    world.refuses("an authority of this machine's", &plain("SASL_SSL", sasl_ssl), &tls_words);
    let by_address = sasl_ssl.replace("localhost", "127.0.0.1");
    world.refuses("another host name", &plain("SASL_SSL", &by_address).with(&ca(authority)), &tls_words);
    // It is let in first, and then put out again: the client cannot tell that from a broker that ends.
    world.ends("no certificate of the client's", &mutual(), 69, &["no Kafka broker of", "alert bad certificate"]);
    let words = ["no Kafka broker of", "connecting to a PLAINTEXT broker listener?"];
    world.ends("TLS where there is none", &plain("SASL_SSL", sasl).with(&ca(authority)), 69, &words);
    let words = ["no Kafka broker of", "answered within 6 s", "kafka.bootstrap_servers"];
    world.ends("no TLS where there is", &world.case(ssl, "PLAINTEXT"), 69, &words);
    let words = [
        "does not allow this user to read topic events",
        "--allow-principal 'User:bert' --operation Read --topic 'events'",
    ];
    world.refuses("no right to the topic", &world.sasl(sasl, "SASL_PLAINTEXT", "PLAIN", "bert"), &words);
    let words = [
        "does not allow this user to read group readers",
        "--allow-principal 'User:cleo' --operation Read --group 'readers'",
    ];
    world.refuses("no right to the group", &world.sasl(sasl, "SASL_PLAINTEXT", "PLAIN", "cleo"), &words);
    // Seen but not read.
    world.stack.acl("--add --allow-principal User:bert --operation Describe --topic events").unwrap();
    let words = ["does not allow this user to read topic events"];
    world.refuses("only Describe on the topic", &world.sasl(sasl, "SASL_PLAINTEXT", "PLAIN", "bert"), &words);

    let (code, text) = world.run(&by_variable, &["config", "show"]);
    assert!(code == Some(0) && text.contains("kafka.properties.\"sasl.password\" = \"(hidden)\""), "{text}");

    a_right_that_is_taken_away_is_told_once_and_waited_for(&world);
}

fn a_right_that_is_taken_away_is_told_once_and_waited_for(world: &World) {
    let case = world.sasl(&world.secured.sasl, "SASL_PLAINTEXT", "SCRAM-SHA-512", "anna");
    let (mut command, own) = world.command(&case, &["run", "--log-format", "json"]);
    let log = own.join("log");
    let mut daemon = Daemon(
        command
            .env("RUST_LOG", "info,librdkafka=off")
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap(),
    );
    let said = || std::fs::read_to_string(&log).unwrap();
    let wait = |words: &str| {
        let begun = Instant::now();
        while !said().contains(words) {
            assert!(begun.elapsed() < Duration::from_secs(60), "`{words}` is not in:\n{}", said());
            std::thread::sleep(Duration::from_millis(100));
        }
        println!("  {:.1} s until `{words}`", begun.elapsed().as_secs_f64());
    };
    wait("batch 0 landed");
    world.stack.acl("--remove --force --allow-principal User:anna --operation Read --topic events").unwrap();
    world.send(10);
    wait("does not allow this user to read topic");
    std::thread::sleep(Duration::from_secs(3));
    world.allow("anna", "--topic events");
    wait("\"events\":10");
    rustix::process::kill_process(rustix::process::Pid::from_child(&daemon.0), rustix::process::Signal::TERM).unwrap();
    assert_eq!(daemon.0.wait().unwrap().code(), Some(0), "{}", said());
    assert_eq!(said().matches("does not allow this user to read topic").count(), 1, "{}", said());
    assert_no_secret(&said());
}

#[test]
fn what_runs_say_that_cannot_start_holds_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("landfall.toml");
    let run = |rest: &str, arguments: &[&str]| {
        let text = format!(
            "[kafka]\nbootstrap_servers = '127.0.0.1:1'\nconnect_timeout = '1s'\n[storage]\nurl = 'file://{0}'\n[metastore]\nuri = ''\n\
             [tables.t]\n[kafka.properties]\nsasl.username = 'anna'\nsasl.password = 'pa55word-1'\nssl.key.password = 'pa55word-2'\n\
             ssl.keystore.password = 'pa55word-3'\n{rest}\n",
            folder.path().display()
        );
        std::fs::write(&config, text).unwrap();
        std::fs::create_dir_all(folder.path().join("migrations")).unwrap();
        let sql = "create external table t (a int) stored as parquet location '/t'";
        std::fs::write(folder.path().join("migrations/0001_t.sql"), sql).unwrap();
        let dead = include_str!("../migrations/0004_dead_letters.sql");
        std::fs::write(folder.path().join("migrations/0002_dead.sql"), dead).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        std::env::vars().filter(|(name, _)| name.starts_with("LANDFALL")).for_each(|(n, _)| _ = command.env_remove(n));
        command.env("LANDFALL__KAFKA__PROPERTIES__SSL_KEY_PEM", "pa55word-4").env("RUST_LOG", "trace");
        let done = command.args(arguments).arg("--config").arg(&config).current_dir(folder.path()).output().unwrap();
        let text = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert_no_secret(&text);
        (done.status.code(), text)
    };
    let plain = "security.protocol = 'SASL_PLAINTEXT'\nsasl.mechanism = 'PLAIN'";
    for arguments in [&["run"][..], &["run", "--log-format", "json"], &["check"], &["check", "--json"]] {
        let (code, text) = run(plain, arguments);
        assert_eq!(code, Some(69), "{arguments:?}: {text}");
    }
    // What the Kafka client refuses, what is no key, and what is no file.
    let refused =
        ["security.protocol = 'SASL_SSL'\nsasl.mechanism = 'PLAIN'", "no.such.property = 'x'", "debug = 'nonsense'"];
    for (properties, arguments) in refused.iter().flat_map(|p| [(p, &["run"][..]), (p, &["check"])]) {
        let (code, text) = run(properties, arguments);
        assert_eq!(code, Some(78), "{properties} {arguments:?}: {text}");
    }
    for wrong in ["'ssl.keystore.password' = { file = 'pa55word-5' }", "'sasl.jaas.config' = ['pa55word-6']"] {
        assert_eq!(run(wrong, &["run"]).0, Some(78));
    }
    let (code, text) = run(plain, &["config", "show"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(text.matches("(hidden)").count(), 4, "{text}");
}

/// Ends with the test, however that ends.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}
