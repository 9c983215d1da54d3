//! The examples as they stand in the repository, and the answers that the seeds know, asked through Presto. Only the
//! servers' addresses are told, by environment.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use landfall::game::{CALLS, Load};
use serde_json::{Map, Value, json};

use crate::api::{Api, assert_status};
use crate::job::{Job, landfall, repository};
use crate::topic::Topic;
use crate::world::{CATALOGS, World, assert_same_rows, world};

/// An example on a stack: its topic, and what it makes there.
struct Example<'w> {
    world: &'w World,
    /// Of its database and of its directory below `/tmp`.
    name: &'static str,
    topic: &'static str,
    tables: &'static [&'static str],
}

impl<'w> Example<'w> {
    fn new(world: &'w World, name: &'static str, topic: &'static str, tables: &'static [&'static str]) -> Example<'w> {
        let example = Example { world, name, topic, tables };
        // What a failed run has left.
        example.clear();
        Topic::create(world, topic, 3);
        example
    }

    fn clear(&self) {
        for table in self.tables.iter().chain(&["dead_letters"]) {
            _ = self.world.stack.presto().query("hive", &format!("drop table if exists {}.{table}", self.name));
        }
        self.world.presto("hive", &format!("drop schema if exists {}", self.name));
        self.world.delete(&format!("/tmp/{}", self.name));
        self.world.delete(&format!("/tmp/checkpoints_for_{}", self.name));
        Topic::delete(self.world, self.topic);
    }

    /// Runs one of the commands of the README to its end.
    fn run(&self, args: &[&str]) {
        let done = self.with_servers(landfall()).args(args).output().unwrap();
        let says = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert_eq!(done.status.code(), Some(0), "{args:?}: {says}");
    }

    fn with_servers(&self, mut command: Command) -> Command {
        let env = self.world.stack.env().into_iter().filter(|(name, _)| name.starts_with("LANDFALL__"));
        command.envs(env).env("HADOOP_USER_NAME", self.world.stack.user());
        command
    }

    fn folder(&self) -> String {
        format!("examples/{}", self.name.replace('_', "-"))
    }

    /// Produces with these arguments more, and lands it.
    fn land(&self, load: &[&str]) {
        self.run(&[&["produce", "--topic", self.topic], load].concat());
        let config = format!("{}/landfall.toml", self.folder());
        self.run(&["run", "--available-now", "--success-files", "--config", &config]);
        for table in self.tables.iter().chain(&["dead_letters"]) {
            let listed = self.world.list(&format!("/tmp/{}/{table}", self.name)).unwrap();
            assert!(listed.iter().any(|entry| entry.name == "_SUCCESS" && entry.len == 0), "{table}: {listed:?}");
        }
        self.run(&["verify", "--deep", "--config", &config]);
    }

    /// The queries of the README run, and give something.
    fn readme_is_right(&self) {
        let text = std::fs::read_to_string(repository().join(self.folder()).join("README.md")).unwrap();
        let blocks = text.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap());
        let queries: Vec<_> =
            blocks.flat_map(|block| block.split(';')).map(str::trim).filter(|q| !q.is_empty()).collect();
        assert!(queries.len() >= 2, "{text}");
        for catalog in CATALOGS {
            for query in &queries {
                assert!(!self.world.presto(catalog, query).is_empty(), "{catalog}: {query}");
            }
        }
    }

    /// In both catalogs the query has this answer, in whatever order.
    fn asks(&self, sql: &str, rows: &[Vec<Value>]) {
        for catalog in CATALOGS {
            let sql = sql.replace("$", &format!("{}.", self.name));
            assert_same_rows(format!("{catalog}: {sql}"), &self.world.presto(catalog, &sql), rows);
        }
    }
}

fn objects(load: Load, count: usize) -> Vec<Value> {
    load.take(count).map(|message| serde_json::from_slice(&message.value).unwrap()).collect()
}

/// How often each key comes, as rows of the key's parts and the count.
fn counted(keys: impl Iterator<Item = Vec<String>>) -> Vec<Vec<Value>> {
    let mut counts: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    keys.for_each(|key| *counts.entry(key).or_default() += 1);
    let row = |(key, count): (Vec<String>, usize)| key.into_iter().map(Value::from).chain([json!(count)]).collect();
    counts.into_iter().map(row).collect()
}

#[test]
fn the_batch_of_game_events_is_counted_by_event_type_and_provider() {
    let Some(world) = world() else { return };
    let example = Example::new(&world, "game_events_batch", "game_events_batch", &["purchases", "join_guild"]);
    example.land(&["--load", "game-events-batch", "--events", "5000", "--seed", "3"]);
    let events = objects(Load::batch(3), 5000);
    let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
    let provider = |event: &Value| text(event, "Host").split('.').nth(1).unwrap().to_owned();
    let (joined, purchases): (Vec<&Value>, Vec<&Value>) = events.iter().partition(|e| e["event_type"] == "join_guild");

    example.asks("select count(*) from $join_guild", &[vec![json!(joined.len())]]);
    let by_type = counted(purchases.iter().map(|e| vec![text(e, "event_type")]));
    assert_eq!(by_type.len(), 5);
    example.asks("select event_type, count(*) from $purchases group by 1", &by_type);
    let by_both = counted(purchases.iter().map(|e| vec![provider(e), text(e, "event_type")]));
    assert_eq!(by_both.len(), 30);
    example.asks(
        r"select regexp_extract(host, '^[^.]+\.([^.]+)\.com', 1), event_type, count(*) from $purchases group by 1, 2",
        &by_both,
    );
    let comcast = joined.iter().filter(|e| text(e, "Host").contains("comcast")).count();
    example.asks("select count(*) from $join_guild where host like '%comcast%'", &[vec![json!(comcast)]]);
    example.asks(
        "select count(*), count(distinct \"timestamp\") > 0, min(accept), min(\"user-agent\") from $purchases",
        &[vec![json!(purchases.len()), json!(true), json!("*/*"), json!("ApacheBench/2.3")]],
    );
    example.readme_is_right();
    example.clear();
}

/// What the seeds know of the full set, asked with these expressions over a table.
fn known_answers(example: &Example<'_>, from: &str, [exam_name, keen_id, all_correct, correct, total]: [&str; 5]) {
    example.asks(
        &format!("select {exam_name}, count(*) from {from} group by 1 order by 2 desc limit 1"),
        &[vec![json!("Learning Git"), json!(394)]],
    );
    example.asks(
        &format!(
            "select count(*), count(distinct {exam_name}), count_if({exam_name} = 'Introduction to Apache Spark'), \
             count(distinct {keen_id}), count_if({all_correct}), round(avg(1e2 * {correct} / {total}), 1) from {from}"
        ),
        &[vec![json!(3280), json!(103), json!(9), json!(3242), json!(841), json!(62.6)]],
    );
}

const LOAD: [&str; 2] = ["--load", "assessments"];

fn assessments() -> Vec<Value> {
    objects(Load::assessments(1), 3280)
}

#[test]
fn the_raw_assessments_give_the_known_answers() {
    let Some(world) = world() else { return };
    let example = Example::new(&world, "assessments_raw", "assessments", &["assessments"]);
    example.land(&LOAD);
    let path = |path: &str| format!("json_extract_scalar(raw_event, '$.{path}')");
    let of_counts = |name: &str, to: &str| format!("cast({} as {to})", path(&format!("sequences.counts.{name}")));
    let rows: Vec<Vec<Value>> =
        assessments().iter().map(|a| vec![a["keen_id"].clone(), a["exam_name"].clone()]).collect();
    let table = "assessments_raw.assessments";
    for catalog in CATALOGS {
        let sql = format!("select {}, {} from {table}", path("keen_id"), path("exam_name"));
        assert_same_rows(catalog, &world.presto(catalog, &sql), &rows);
        let sql = format!(
            "select count(distinct {}), count(distinct {}), count_if({}), round(avg(1e2 * {} / {}), 1) from {table}",
            path("exam_name"),
            path("keen_id"),
            of_counts("all_correct", "boolean"),
            of_counts("correct", "bigint"),
            of_counts("total", "bigint"),
        );
        let known = [vec![json!(103), json!(3242), json!(841), json!(62.6)]];
        assert_same_rows(catalog, &world.presto(catalog, &sql), &known);
    }
    example.readme_is_right();
    example.clear();
}

/// Questions with their options, each beside its record.
fn questions(records: &[Value]) -> impl Iterator<Item = (&Value, &Value)> {
    records
        .iter()
        .flat_map(|r| r["sequences"]["questions"].as_array().into_iter().flatten().map(move |question| (r, question)))
}

const UNNESTED: &str = "cross join unnest(QUESTIONS) as q (incomplete, is_right, options, submitted, question, result)";

#[test]
fn the_flattened_assessments_give_the_known_answers_and_unnest() {
    let Some(world) = world() else { return };
    let example = Example::new(&world, "assessments_flat", "assessments", &["assessments"]);
    example.land(&LOAD);
    let columns = ["all_correct", "correct", "total"].map(|name| format!("sequences_counts_{name}"));
    known_answers(&example, "$assessments", ["exam_name", "keen_id", &columns[0], &columns[1], &columns[2]]);

    let records = assessments();
    let flat = |r: &Value| {
        let (s, c) = (&r["sequences"], &r["sequences"]["counts"]);
        [&r["keen_id"], &r["started_at"], &s["id"], &s["attempt"], &c["incomplete"], &c["correct"], &c["unanswered"]]
            .map(Value::clone)
            .into()
    };
    example.asks(
        "select keen_id, started_at, sequences_id, sequences_attempt, sequences_counts_incomplete, \
         sequences_counts_correct, sequences_counts_unanswered from $assessments",
        &records.iter().map(flat).collect::<Vec<_>>(),
    );
    unnested_is_right(&example, "questions", &records);
    example.readme_is_right();
    example.clear();
}

/// `unnest` over the questions in this column, and over their options.
fn unnested_is_right(example: &Example<'_>, column: &str, records: &[Value]) {
    let questions_of = UNNESTED.replace("QUESTIONS", column);
    let results = questions(records).map(|(_, q)| vec![q["user_result"].as_str().unwrap().to_owned()]);
    example.asks(&format!("select result, count(*) from $assessments {questions_of} group by 1"), &counted(results));
    let options = questions(records).flat_map(|(r, q)| {
        q["options"].as_array().into_iter().flatten().map(move |o| {
            vec![
                r["keen_id"].clone(),
                o["checked"].clone(),
                o["at"].clone(),
                o["id"].clone(),
                o["submitted"].clone(),
                o["correct"].clone(),
            ]
        })
    });
    let options: Vec<_> = options.collect();
    assert!(options.len() > 30_000);
    example.asks(
        &format!(
            "select keen_id, checked, at_time, option, sent, o.is_right from $assessments {questions_of} \
             cross join unnest(options) as o (checked, at_time, option, sent, is_right)"
        ),
        &options,
    );
    let lacking = questions(records).filter(|(_, q)| q.get("options").is_none()).count();
    assert!(lacking > 0);
    example.asks(
        &format!("select count(*) from $assessments {questions_of} where options is null"),
        &[vec![json!(lacking)]],
    );
}

#[test]
fn the_narrow_and_nested_assessments_give_the_known_answers_by_name() {
    let Some(world) = world() else { return };
    let tables = &["exams", "scores", "assessments"];
    let example = Example::new(&world, "assessments_narrow", "assessments", tables);
    example.land(&LOAD);
    let counts = ["all_correct", "correct", "total"].map(|name| format!("sequences.counts.{name}"));
    known_answers(&example, "$assessments", ["exam_name", "keen_id", &counts[0], &counts[1], &counts[2]]);
    example.asks(
        "select count(*), count(distinct exam_name), count(distinct keen_id) from $exams",
        &[vec![json!(3280), json!(103), json!(3242)]],
    );
    example.asks(
        "select count_if(all_correct), round(avg(1e2 * correct / total), 1) from $scores",
        &[vec![json!(841), json!(62.6)]],
    );

    let records = assessments();
    // The whole of `sequences`: as JSON, Presto gives a row as a list of its fields in the order of the migration.
    let as_text = |value: Value| if value.is_null() { value } else { Value::from(value.to_string()) };
    let whole: Vec<Vec<Value>> =
        records.iter().map(|r| vec![r["keen_id"].clone(), as_text(sequences(r.get("sequences")))]).collect();
    example.asks("select keen_id, json_format(cast(sequences as json)) from $assessments", &whole);
    let by_name = |r: &Value| {
        let first = &r["sequences"]["questions"][0];
        [&r["keen_id"], &r["sequences"]["counts"]["incorrect"], &first["user_result"], &first["options"][0]["id"]]
            .map(Value::clone)
            .into()
    };
    example.asks(
        "select keen_id, sequences.counts.incorrect, element_at(sequences.questions, 1).user_result, \
         element_at(element_at(sequences.questions, 1).options, 1).id from $assessments",
        &records.iter().map(by_name).collect::<Vec<_>>(),
    );
    unnested_is_right(&example, "sequences.questions", &records);
    example.readme_is_right();
    example.clear();
}

fn sequences(value: Option<&Value>) -> Value {
    let list =
        |value: &Value, names: &[&str]| -> Vec<Value> { names.iter().map(|name| value[*name].clone()).collect() };
    let each = |value: &Value, row: &dyn Fn(&Value) -> Value| match value.as_array() {
        Some(values) => values.iter().map(row).collect(),
        None => Value::Null,
    };
    let option = |o: &Value| json!(list(o, &["checked", "at", "id", "submitted", "correct"]));
    let question = |q: &Value| {
        let options = each(&q["options"], &option);
        json!([q["user_incomplete"], q["user_correct"], options, q["user_submitted"], q["id"], q["user_result"]])
    };
    let counts = ["incomplete", "submitted", "incorrect", "all_correct", "correct", "total", "unanswered"];
    let Some(s) = value else { return Value::Null };
    let counts = s.get("counts").map(|c| list(c, &counts));
    json!([each(&s["questions"], &question), s["attempt"], s["id"], counts])
}

#[test]
fn what_apache_bench_asks_of_the_game_answers_the_seeds_queries() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "game_api", 1, "1s");
    job.declare_positions();
    let mut api = Api::start(&world.stack.kafka(), &job.name, &[]);
    for call in CALLS {
        (0..call.count).for_each(|_| assert_status(&api.bench(call.host, call.path), "200"));
    }
    let rest = api.terminate();
    assert!(rest.contains("23 events logged, 0 requests refused"), "{rest}");
    job.drain(Duration::from_secs(60));
    let bigint = |rows: &[(&str, i64)]| rows.iter().map(|(key, n)| vec![json!(key), json!(n)]).collect::<Vec<_>>();
    let (one, two, three) = ("user1.comcast.com", "user2.att.com", "user2.comcast.com");
    let (anand, dre) = ("anand.comcast.com", "dre.comcast.com");
    let guilds = |rows: &[(&str, &str, i64)]| rows.iter().map(|(h, e, n)| vec![json!(h), json!(e), json!(n)]).collect();
    let newest = "select guild_name, guild_member_cnt from (select *, row_number() over (partition by guild_name order by \
                  \"_kafka_offset\" desc) as n from guilds) where n = 1";
    let mut sizes = bigint(&[("house_stark", 1), ("grubs", 3), ("secret_club", 2)]);
    sizes.push(vec![json!("house_greyjoy"), Value::Null]);
    let distinct = "select host, event_type, count(distinct guild_name) from guilds group by 1, 2";
    for (sql, rows) in [
        ("select host, count(*) from purchases group by 1", bigint(&[(one, 3), (two, 3), (three, 1)])),
        ("select host, sum(cost) from purchases group by 1", bigint(&[(one, 54), (two, 24), (three, 5)])),
        (
            "select type, count(*) from purchases group by 1",
            bigint(&[("sabre", 2), ("mirror_shield", 1), ("katana", 1), ("estoc", 2), ("leather_shield", 1)]),
        ),
        ("select 'swords', count(*) from sword_purchases", bigint(&[("swords", 5)])),
        ("select 'all', count(*) from guilds", bigint(&[("all", 15)])),
        ("select 'known', count(*) from guilds where guild_member_cnt is not null", bigint(&[("known", 12)])),
        ("select \"user-agent\", count(*) from guilds group by 1", bigint(&[("ApacheBench/2.3", 15)])),
        (newest, sizes),
        (
            distinct,
            guilds(&[
                (one, "join_guild", 1),
                (one, "leave_guild", 2),
                (anand, "join_guild", 2),
                (dre, "join_guild", 2),
            ]),
        ),
    ] {
        let table = |name: &str| (format!("from {name}"), format!("from {}.{name}", job.name));
        let tables = ["sword_purchases", "purchases", "guilds"].map(table);
        let sql = tables.iter().fold(sql.to_owned(), |sql, (bare, full)| sql.replace(bare, full));
        for catalog in CATALOGS {
            assert_same_rows(format!("{catalog}: {sql}"), &world.presto(catalog, &sql), &rows);
        }
    }
    let raw = world.presto("hive", &format!("select raw_event from {}.guilds", job.name));
    let fields = |row: &Vec<Value>| serde_json::from_str::<Map<String, Value>>(row[0].as_str().unwrap()).unwrap().len();
    assert!(raw.iter().all(|row| fields(row) == 7), "four fields of the event and three headers: {raw:?}");
}
