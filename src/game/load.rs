//! The seeds' loads, as endless streams of messages. The main one is their Apache Bench loop as data.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::api::{Game, Request};
use super::assessments::Assessments;
use super::batch::BatchEvents;
use super::malformed::malformed;

/// One run of Apache Bench: `ab -n count -H "Host: host" http://localhost:5000path`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// How many requests.
    pub count: usize,
    /// The `Host` header.
    pub host: &'static str,
    /// Path of the URL.
    pub path: &'static str,
}

const fn call(count: usize, host: &'static str, path: &'static str) -> Call {
    Call { count, host, path }
}

/// The calls of one loop: the seeds', in their order, and last a `/` such as the samples have.
pub const CALLS: [Call; 13] = [
    call(2, "user1.comcast.com", "/purchase_a_sword/sabre"),
    call(1, "user1.comcast.com", "/purchase_a_shield/mirror_shield"),
    call(4, "user1.comcast.com", "/join_guild/house_stark"),
    call(3, "user1.comcast.com", "/leave_guild/house_stark"),
    call(2, "anand.comcast.com", "/join_guild/grubs"),
    call(1, "dre.comcast.com", "/join_guild/grubs"),
    call(1, "dre.comcast.com", "/join_guild/secret_club"),
    call(1, "anand.comcast.com", "/join_guild/secret_club"),
    call(3, "user1.comcast.com", "/leave_guild/house_greyjoy"),
    call(1, "user2.att.com", "/purchase_a_sword/katana"),
    call(2, "user2.att.com", "/purchase_a_sword/estoc"),
    call(1, "user2.comcast.com", "/purchase_a_shield/leather_shield"),
    call(1, "user1.comcast.com", "/"),
];

/// Events of one loop: in each, 5 purchases of swords, 2 of shields, 15 of guilds, 1 default.
pub const EVENTS_PER_LOOP: usize = {
    let mut sum = 0;
    let mut at = 0;
    while at < CALLS.len() {
        sum += CALLS[at].count;
        at += 1;
    }
    sum
};

/// One message for Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The message's value.
    pub value: Vec<u8>,
    /// Whether it is broken on purpose; else it is an event.
    pub malformed: bool,
}

/// A load, without end and without pauses. One seed always gives the same sequence.
#[derive(Debug)]
pub struct Load {
    events: Events,
    malformed_share: f64,
    malformed_rng: StdRng,
    malformed_count: usize,
}

#[derive(Debug)]
enum Events {
    Game(GameEvents),
    Batch(BatchEvents),
    Assessments(Assessments),
}

impl Load {
    /// The game's events: loop after loop of [`CALLS`], in each the calls in another order, in each event the fields in
    /// another order. Only good events, without request ids.
    pub fn new(seed: u64) -> Load {
        Load::of(Events::Game(GameEvents::new(seed)), seed)
    }

    /// The events of the seeds' other game: see [`BatchEvents`].
    pub fn batch(seed: u64) -> Load {
        Load::of(Events::Batch(BatchEvents::new(seed)), seed)
    }

    /// Course assessments: see [`Assessments`].
    pub fn assessments(seed: u64) -> Load {
        Load::of(Events::Assessments(Assessments::new(seed)), seed)
    }

    fn of(events: Events, seed: u64) -> Load {
        Load {
            events,
            malformed_share: 0.0,
            // Its own sequence, so that the good events are the same with and without malformed messages.
            malformed_rng: StdRng::seed_from_u64(!seed),
            malformed_count: 0,
        }
    }

    /// With `true`, every event of a game has a header `X-Request-Id: <seed>-<n>`, `n` counting events from 0: no two are
    /// alike. Assessments have no headers and stay as they are.
    pub fn with_request_ids(mut self, yes: bool) -> Load {
        match &mut self.events {
            Events::Game(events) => events.request_ids.on = yes,
            Events::Batch(events) => events.request_ids.on = yes,
            Events::Assessments(_) => {}
        }
        self
    }

    /// About this share of the messages, 0 to 1, is malformed, in all forms in turn; they come between the events and
    /// in place of none. A share that is no number is 0.
    pub fn with_malformed(mut self, share: f64) -> Load {
        self.malformed_share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        self
    }

    fn next_event(&mut self) -> Vec<u8> {
        match &mut self.events {
            Events::Game(events) => events.next_event(),
            Events::Batch(events) => events.next_event(),
            Events::Assessments(assessments) => assessments.next_record(),
        }
    }
}

impl Iterator for Load {
    type Item = Message;

    /// The next message; there always is one.
    fn next(&mut self) -> Option<Message> {
        if self.malformed_share > 0.0 && self.malformed_rng.random_bool(self.malformed_share) {
            let value = malformed(self.malformed_count, &mut self.malformed_rng);
            self.malformed_count += 1;
            return Some(Message { value, malformed: true });
        }
        Some(Message { value: self.next_event(), malformed: false })
    }
}

/// Numbers for the header `X-Request-Id`.
#[derive(Debug)]
pub(super) struct RequestIds {
    seed: u64,
    next: u64,
    pub(super) on: bool,
}

impl RequestIds {
    pub(super) fn new(seed: u64) -> RequestIds {
        RequestIds { seed, next: 0, on: false }
    }

    /// What Apache Bench asks for `path` as `host`, with the next id if ids are wanted.
    pub(super) fn request(&mut self, host: &str, path: &str) -> Request {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut headers = vec![header("Host", host), header("User-Agent", "ApacheBench/2.3"), header("Accept", "*/*")];
        if self.on {
            headers.push(header("X-Request-Id", &format!("{}-{}", self.seed, self.next)));
        }
        self.next += 1;
        Request { path: path.to_owned(), headers }
    }
}

#[derive(Debug)]
struct GameEvents {
    game: Game,
    rng: StdRng,
    /// What is left of the loop, last first.
    calls: Vec<Call>,
    request_ids: RequestIds,
}

impl GameEvents {
    fn new(seed: u64) -> GameEvents {
        let rng = StdRng::seed_from_u64(seed);
        GameEvents { game: Game::new(), rng, calls: Vec::new(), request_ids: RequestIds::new(seed) }
    }

    fn next_event(&mut self) -> Vec<u8> {
        if self.calls.is_empty() {
            let mut calls = CALLS;
            calls.shuffle(&mut self.rng);
            self.calls = calls.iter().flat_map(|call| std::iter::repeat_n(*call, call.count)).collect();
        }
        let call = self.calls.pop().expect("a loop has calls");
        let request = self.request_ids.request(call.host, call.path);
        let mut event = self.game.handle(&request).event.expect("every call has an endpoint: a test makes them all");
        event.shuffle(&mut self.rng);
        event.to_json().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::{Map, Value};

    use super::*;

    /// `tests/data/game_events.jsonl`.
    const SAMPLES: &str = r#"{"event_type": "leave_guild", "Accept": "*/*", "User-Agent": "ApacheBench/2.3", "Host": "user1.comcast.com", "guild_member_cnt": null, "tot_guild_member_cnt": 6, "guild_name": "house_greyjoy"}
{"event_type": "purchase_sword", "Accept": "*/*", "User-Agent": "ApacheBench/2.3", "Host": "user2.att.com", "cost": 10, "type": "katana"}
{"event_type": "purchase_sword", "Accept": "*/*", "User-Agent": "ApacheBench/2.3", "Host": "user2.att.com", "cost": 7, "type": "estoc"}
{"event_type": "purchase_sword", "Accept": "*/*", "User-Agent": "ApacheBench/2.3", "Host": "user2.att.com", "cost": 7, "type": "estoc"}
{"event_type": "purchase_shield", "Accept": "*/*", "User-Agent": "ApacheBench/2.3", "Host": "user2.comcast.com", "cost": 5, "type": "leather_shield"}
{"event_type": "purchase_sword", "Accept": "*/*", "User-Agent": "ApacheBench/2.3", "Host": "user1.comcast.com", "cost": 6, "type": "sabre"}
{"event_type": "purchase_shield", "Accept": "*/*", "User-Agent": "ApacheBench/2.3", "Host": "user1.comcast.com", "cost": 42, "type": "mirror_shield"}
{"event_type": "join_guild", "Accept": "*/*", "User-Agent": "ApacheBench/2.3", "Host": "anand.comcast.com", "tot_guild_member_cnt": 1, "guild_name": "grubs", "guild_member_cnt": 1}
{"event_type": "default", "Accept": "*/*", "User-Agent": "ApacheBench/2.3", "Host": "user1.comcast.com"}"#;

    fn object(message: &[u8]) -> Map<String, Value> {
        serde_json::from_slice(message).unwrap()
    }

    /// Everything but the guilds' counts, of which the kind is kept.
    fn shape(event: Map<String, Value>) -> String {
        let shape: BTreeMap<String, String> = event
            .into_iter()
            .map(|(name, value)| {
                let is_count = name.ends_with("_cnt") && value.is_u64();
                (name, if is_count { "a count".to_owned() } else { value.to_string() })
            })
            .collect();
        format!("{shape:?}")
    }

    #[test]
    fn the_samples_come_up_in_every_loop_but_for_their_counts() {
        let made: Vec<Message> = Load::new(1).take(EVENTS_PER_LOOP).collect();
        let made: BTreeSet<String> = made.iter().map(|message| shape(object(&message.value))).collect();
        for sample in SAMPLES.lines() {
            let sample = shape(object(sample.as_bytes()));
            assert!(made.contains(&sample), "{sample} is not in {made:#?}");
        }
    }

    #[test]
    fn each_loop_has_exactly_the_seeds_calls() {
        let mut load = Load::new(3);
        assert_eq!(EVENTS_PER_LOOP, 23);
        for _ in 0..5 {
            let mut seen: BTreeMap<(String, String, String), usize> = BTreeMap::new();
            for message in load.by_ref().take(EVENTS_PER_LOOP) {
                let event = object(&message.value);
                let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                let thing = text("type") + &text("guild_name");
                *seen.entry((text("Host"), text("event_type"), thing)).or_default() += 1;
            }
            let counts: Vec<usize> = seen.values().copied().collect();
            assert_eq!(seen.len(), CALLS.len());
            assert_eq!(counts.iter().sum::<usize>(), EVENTS_PER_LOOP);
            for call in CALLS {
                let thing = call.path.rsplit('/').next().unwrap();
                let of_call = seen
                    .iter()
                    .find(|((host, _, name), count)| host == call.host && name == thing && **count == call.count);
                assert!(of_call.is_some(), "{call:?} in {seen:?}");
            }
        }
    }

    #[test]
    fn a_seed_gives_the_same_sequence_and_another_seed_another() {
        let first = |seed, share| -> Vec<Message> {
            Load::new(seed).with_request_ids(true).with_malformed(share).take(500).collect()
        };
        assert_eq!(first(1, 0.1), first(1, 0.1));
        assert_ne!(first(1, 0.0), first(2, 0.0));
        let good: Vec<Message> = first(1, 0.3).into_iter().filter(|message| !message.malformed).collect();
        assert_eq!(good, first(1, 0.0)[..good.len()], "malformed messages must not change the events");
    }

    #[test]
    fn fields_have_no_fixed_order_but_pythons_separators() {
        let firsts: BTreeSet<String> = Load::new(1)
            .take(200)
            .map(|message| {
                let text = String::from_utf8(message.value).unwrap();
                assert!(text.contains("\": \"") && text.contains(", \"") && !text.contains("\":\""), "{text}");
                text.split('"').nth(1).unwrap().to_owned()
            })
            .collect();
        assert!(firsts.len() > 5, "{firsts:?}");
    }

    #[test]
    fn request_ids_tell_every_event_from_every_other() {
        let ids: BTreeSet<String> = Load::new(9)
            .with_request_ids(true)
            .take(1000)
            .map(|message| object(&message.value)["X-Request-Id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.contains("9-0") && ids.contains("9-999"));
    }

    #[test]
    fn the_share_of_malformed_messages_is_kept() {
        for (share, expected) in
            [(0.0, 0..=0), (0.1, 800..=1200), (1.0, 10_000..=10_000), (7.0, 10_000..=10_000), (f64::NAN, 0..=0)]
        {
            let messages = Load::new(5).with_malformed(share).take(10_000);
            let malformed = messages.filter(|message| message.malformed).count();
            assert!(expected.contains(&malformed), "{share}: {malformed}");
        }
    }
}
