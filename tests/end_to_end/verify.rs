//! The audit on the real servers: clean beside a running daemon and after it; every planted fault is found and named.

use std::time::Duration;

use bytes::Bytes;
use landfall::catalog::{Catalog, CatalogTable, HiveCatalog};
use landfall::config::settings::Metastore;
use landfall::game::Load;
use landfall::storage::{Parents, Storage};

use crate::job::{Job, wait_until_landed};
use crate::world::{World, wait_for, world};

const LIMIT: Duration = Duration::from_secs(60);

impl World {
    fn read(&self, path: &str) -> Bytes {
        self.runtime.block_on(self.hdfs.read(path)).unwrap()
    }

    fn create(&self, path: &str, data: Bytes) {
        self.runtime.block_on(self.hdfs.create(path, data)).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        self.runtime.block_on(self.hdfs.rename(from, to)).unwrap();
    }
}

/// A job that has landed, in epochs of 3 slots, verified beside its daemon.
fn landed(world: &World) -> Job<'_> {
    let job = Job::new(world, "verify", 2, "1s");
    job.write_config(&job.config("300ms").replace("[metastore]", "[log]\nslots_per_epoch = 3\n[metastore]"));
    let mut daemon = job.start(&[]);
    let producing = job.topic.produce_on(Load::new(5).with_request_ids(true).with_malformed(0.02), 200);
    wait_for(LIMIT, "batches", || (job.slots() > 0).then_some(()));
    while job.slots() < 12 {
        job.command(&["verify"]).assert(0, &["no findings", "lengths of files only"]);
    }
    producing.stop();
    wait_until_landed(&job.topic, &[&daemon], LIMIT);
    daemon.terminate(LIMIT);
    job
}

#[test]
fn verify_is_clean_beside_a_daemon_and_names_every_planted_fault_on_hdfs() {
    let Some(world) = world() else { return };
    let job = landed(&world);
    let clean = job.command(&["verify", "--deep", "--json"]);
    clean.assert(0, &[]);
    let report: serde_json::Value = serde_json::from_str(&clean.text).unwrap();
    assert_eq!(report["findings"], serde_json::json!([]), "{report}");
    assert!(report["epochs"].as_u64() > Some(1), "{report}");
    for table in report["tables"].as_array().unwrap() {
        let name = table["name"].as_str().unwrap();
        let seen = world.number(&format!("select count(*) from {}.{name}", job.name)).unwrap();
        assert_eq!((table["rows"].as_i64(), table["rows_read"].as_i64()), (Some(seen), Some(seen)), "{name}");
    }

    let dir = job.table_dir("guilds");
    let files = world.visible(&dir);
    let file = format!("{dir}/{}", files[1]);
    let slot: u64 = files[1].split('-').next().unwrap().parse().unwrap();
    let (of_slot, bytes, aside) = (format!("slot {slot}\n"), world.read(&file), format!("{}/aside", job.base()));
    let copy = format!("{dir}/part-00000.parquet");

    world.rename(&file, &aside);
    job.command(&["verify"])
        .assert(65, &["missing_file  table guilds", &of_slot, &file, "restore the file", "1 finding"]);
    world.create(&file, bytes.slice(..bytes.len() / 2));
    let half = format!("the file has {} bytes, {} were landed", bytes.len() / 2, bytes.len());
    job.command(&["verify"]).assert(65, &["truncated_file  table guilds", &of_slot, &file, &half, "1 finding"]);
    world.delete(&file);
    let mut bent = bytes.to_vec();
    bent[bytes.len() / 3] ^= 1;
    world.create(&file, bent.into());
    job.command(&["verify"]).assert(0, &["no findings"]);
    job.command(&["verify", "--deep"])
        .assert(65, &["wrong_content  table guilds", &of_slot, &file, "CRC-32C", "1 finding"]);
    world.delete(&file);
    world.rename(&aside, &file);

    world.create(&copy, bytes.clone());
    let rows = format!("it has the bytes of {file}");
    job.command(&["verify"]).assert(65, &["doubled_file  table guilds", &copy, &rows, "delete this copy", "1 finding"]);
    world.delete(&copy);
    world.create(&copy, Bytes::from_static(b"not landfall's"));
    job.command(&["verify"])
        .assert(65, &["foreign_file  table guilds", &copy, "(14 bytes)", "move it elsewhere", "1 finding"]);
    world.delete(&copy);

    let log = format!("{}/checkpoint/log", job.base());
    let epochs = world.list(&log).unwrap().into_iter().filter(|e| e.name != "epochs").map(|e| e.name);
    let place = epochs.map(|e| format!("{log}/{e}/{slot:012}")).find(|path| world.list(path).is_some()).unwrap();
    world.rename(&place, &aside);
    let says = [&format!("missing_slot  slot {slot}\n"), &*place, "and the log goes on behind it", "1 finding"];
    job.command(&["verify"]).assert(65, &says.map(|s| s));
    world.rename(&aside, &place);
    job.command(&["verify", "--deep"]).assert(0, &["no findings", "every file read"]);
}

#[test]
fn verify_names_a_table_that_was_moved_in_the_metastore_and_one_that_is_away() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "moved", 1, "1s");
    let sender = job.topic.sender();
    Load::new(3).take(50).for_each(|message| sender.send(Some(&message.value)));
    sender.flush();
    job.drain(LIMIT);
    let uri = world.stack.metastore();
    let settings = Metastore { uri: uri.clone(), database: job.name.clone(), call_timeout: LIMIT, framed: false };
    let catalog = HiveCatalog::new(&settings, Some(world.stack.user().to_owned())).unwrap();
    let elsewhere = format!("{}/elsewhere", job.base());
    world.runtime.block_on(world.hdfs.mkdir(&elsewhere, Parents::Create)).unwrap();
    let swap = |table: &CatalogTable| {
        world.runtime.block_on(async {
            assert!(catalog.drop_table(&job.name, "guilds").await.unwrap());
            catalog.create_table(table).await.unwrap();
        });
    };
    let right = world.runtime.block_on(catalog.get_table(&job.name, "guilds")).unwrap().unwrap();
    let wrong = CatalogTable { location: format!("{}{elsewhere}", world.stack.hdfs()), ..right.clone() };
    swap(&wrong);
    let says =
        ["wrong_location  table guilds", &*wrong.location, &*right.location, "set the location back", "1 finding"];
    job.command(&["verify"]).assert(65, &says);
    swap(&right);
    job.command(&["verify"]).assert(0, &["no findings"]);

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    job.write_config(&job.config("1s").replace(&uri, &format!("thrift://{nobody}")));
    job.command(&["verify"]).assert(69, &["not_checked", "does not answer", "1 finding"]);
    world.rename(
        &format!("{}/{}", job.table_dir("guilds"), world.visible(&job.table_dir("guilds"))[0]),
        &format!("{elsewhere}/x"),
    );
    job.command(&["verify"]).assert(65, &["not_checked", "missing_file  table guilds", "2 findings"]);
}
