//! The load of the seeds' other game: who purchases items and joins the guild, at random.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::api::{Game, ITEMS};
use super::load::RequestIds;

/// Whose customers the players are: the second part of their host's name.
pub const PROVIDERS: [&str; 6] = ["comcast", "att", "google", "frontier", "cox", "earthlink"];

/// Hosts are `user1` to this one, at each provider.
const USERS: u32 = 50;

/// Events without end. Each call of Apache Bench is of a random host and purchases a random item or joins the guild, one
/// to nine times: once in three calls out of ten, nine times in one out of twenty-two (the logarithmic law of first
/// digits). In each event the fields are in another order.
#[derive(Debug)]
pub struct BatchEvents {
    game: Game,
    rng: StdRng,
    host: String,
    path: String,
    /// Requests left of the call.
    left: u32,
    pub(super) request_ids: RequestIds,
}

impl BatchEvents {
    /// The events of this seed.
    pub fn new(seed: u64) -> BatchEvents {
        BatchEvents {
            game: Game::new(),
            rng: StdRng::seed_from_u64(seed),
            host: String::new(),
            path: String::new(),
            left: 0,
            request_ids: RequestIds::new(seed),
        }
    }

    pub(super) fn next_event(&mut self) -> Vec<u8> {
        if self.left == 0 {
            self.call();
        }
        self.left -= 1;
        let request = self.request_ids.request(&self.host, &self.path);
        let mut event = self.game.handle(&request).event.expect("every call has an endpoint: a test makes them all");
        event.shuffle(&mut self.rng);
        event.to_json().into_bytes()
    }

    fn call(&mut self) {
        let provider = PROVIDERS[self.rng.random_range(0..PROVIDERS.len())];
        self.host = format!("user{}.{provider}.com", self.rng.random_range(1..=USERS));
        self.path = match ITEMS.get(self.rng.random_range(0..=ITEMS.len())) {
            Some(item) => format!("/purchase/{item}"),
            None => "/join_a_guild".to_owned(),
        };
        self.left = (10f64.powf(self.rng.random()) as u32).clamp(1, 9);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::{Map, Value};

    use super::*;

    fn events(seed: u64, count: usize) -> Vec<Map<String, Value>> {
        let mut events = BatchEvents::new(seed);
        (0..count).map(|_| serde_json::from_slice(&events.next_event()).unwrap()).collect()
    }

    #[test]
    fn all_items_and_providers_come_up_and_nothing_else() {
        let events = events(1, 5000);
        let all = |name: &str| events.iter().map(|e| e[name].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>();
        let mut types: Vec<String> = ITEMS.iter().map(|item| format!("{item} purchased")).collect();
        types.push("join_guild".to_owned());
        assert_eq!(all("event_type"), types.into_iter().collect());
        let providers: BTreeSet<String> = all("Host")
            .iter()
            .map(|host| {
                let parts: Vec<&str> = host.split('.').collect();
                let [user, provider, "com"] = parts[..] else { panic!("{host}") };
                assert!(user.strip_prefix("user").unwrap().parse::<u32>().is_ok(), "{host}");
                provider.to_owned()
            })
            .collect();
        assert_eq!(providers, PROVIDERS.map(str::to_owned).into());
        assert!(events.iter().all(|event| event.len() == 4), "event_type and three headers");
    }

    #[test]
    fn calls_are_short_more_often_than_long() {
        let mut events = BatchEvents::new(7);
        let mut calls: BTreeMap<u32, u32> = BTreeMap::new();
        for _ in 0..10_000 {
            events.call();
            *calls.entry(events.left).or_default() += 1;
        }
        assert_eq!(calls.keys().copied().collect::<Vec<_>>(), (1..=9).collect::<Vec<_>>());
        let counts: Vec<u32> = calls.into_values().collect();
        assert!(counts.is_sorted_by(|a, b| a > b) && (2800..3200).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn a_seed_gives_the_same_sequence_and_another_seed_another() {
        assert_eq!(events(1, 200), events(1, 200));
        assert_ne!(events(1, 200), events(2, 200));
    }
}
