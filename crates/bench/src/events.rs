//! The events: half of them purchases of swords, a quarter of shields, a quarter guilds joined and left; 10,000 users;
//! about 159 bytes each. The same seed makes the same events, so what must land is known by counting.

use std::io::Write;
use std::ops::AddAssign;

const DOMAINS: [&str; 8] = [
    "comcast.com",
    "att.com",
    "verizon.net",
    "cox.net",
    "spectrum.com",
    "centurylink.net",
    "frontier.com",
    "mediacom.com",
];
const SWORDS: [&str; 12] = [
    "sabre",
    "broadsword",
    "katana",
    "claymore",
    "rapier",
    "gladius",
    "scimitar",
    "longsword",
    "falchion",
    "cutlass",
    "zweihander",
    "dagger",
];
const SHIELDS: [&str; 8] = ["buckler", "heater", "kite", "tower", "round", "targe", "pavise", "scutum"];
const GUILDS: [&str; 10] = [
    "house_greyjoy",
    "house_stark",
    "house_lannister",
    "house_targaryen",
    "house_baratheon",
    "house_tyrell",
    "house_martell",
    "house_arryn",
    "house_tully",
    "nights_watch",
];
const AGENTS: [&str; 5] =
    ["ApacheBench/2.3", "ApacheBench/2.3", "ApacheBench/2.3", "curl/7.68.0", "Mozilla/5.0 (X11; Linux x86_64)"];
/// The first event's time; those of a backlog are about a millisecond apart.
const FIRST_MS: i64 = 1_627_669_098_611;

/// What a table must hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Rows.
    pub rows: u64,
    /// Sum of `cost`; of guilds, of `tot_guild_member_cnt`.
    pub number: u64,
    /// Sum of the lengths of `raw_event`.
    pub bytes: u64,
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Sums) {
        self.rows += other.rows;
        self.number += other.number;
        self.bytes += other.bytes;
    }
}

impl Sums {
    fn times(self, n: u64) -> Sums {
        Sums { rows: self.rows * n, number: self.number * n, bytes: self.bytes * n }
    }
}

/// What the three tables must hold, in the order of [`TABLES`].
pub type Tally = [Sums; 3];

/// The tables, each with its column of numbers.
pub const TABLES: [(&str, &str); 3] =
    [("sword_purchases", "cost"), ("purchases", "cost"), ("guilds", "tot_guild_member_cnt")];

/// One event.
#[derive(Debug, Clone, Default)]
pub struct Event {
    /// The message.
    pub json: Vec<u8>,
    /// Its time in a backlog, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// What it adds to each table.
    pub adds: Tally,
}

/// An endless sequence of events.
#[derive(Debug)]
pub struct Events {
    state: u64,
    timestamp_ms: i64,
}

impl Events {
    /// From the first.
    pub fn new() -> Events {
        Events { state: 42, timestamp_ms: FIRST_MS }
    }

    /// splitmix64
    fn below(&mut self, n: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((z ^ (z >> 31)) >> 32) * n) >> 32
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }

    /// Puts the next event in place of `event`.
    pub fn next_into(&mut self, event: &mut Event) {
        let user = 1 + self.below(10_000);
        let domain = self.one(&DOMAINS);
        let agent = self.one(&AGENTS);
        let kind = self.below(4);
        event.json.clear();
        let json = &mut event.json;
        let head = |json: &mut Vec<u8>, event_type: &str| {
            put(
                json,
                format_args!(
                    "{{\"event_type\": \"{event_type}\", \"Accept\": \"*/*\", \"User-Agent\": \"{agent}\", \"Host\": \"user{user}.{domain}\", "
                ),
            );
        };
        let number = if kind < 3 {
            let cost = 1 + self.below(100);
            let (event_type, item) =
                if kind < 2 { ("purchase_sword", self.one(&SWORDS)) } else { ("purchase_shield", self.one(&SHIELDS)) };
            head(json, event_type);
            put(json, format_args!("\"cost\": {cost}, \"type\": \"{item}\"}}"));
            cost
        } else {
            let guild = self.one(&GUILDS);
            let members = 1 + self.below(50);
            if self.below(2) == 0 {
                head(json, "leave_guild");
                put(json, format_args!("\"guild_member_cnt\": null, "));
            } else {
                let count = 1 + self.below(20);
                head(json, "join_guild");
                put(json, format_args!("\"guild_member_cnt\": {count}, "));
            }
            put(json, format_args!("\"tot_guild_member_cnt\": {members}, \"guild_name\": \"{guild}\"}}"));
            members
        };
        let row = Sums { rows: 1, number, bytes: event.json.len() as u64 };
        let none = Sums::default();
        event.adds = match kind {
            0 | 1 => [row, row, none],
            2 => [none, row, none],
            _ => [none, none, row],
        };
        event.timestamp_ms = self.timestamp_ms;
        self.timestamp_ms += self.below(3) as i64;
    }
}

fn put(json: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing into a Vec cannot fail.
    _ = json.write_fmt(text);
}

/// Adds one tally to another.
pub fn add(to: &mut Tally, more: &Tally) {
    to.iter_mut().zip(more).for_each(|(a, b)| *a += *b);
}

/// What the first `n` events make of the tables.
pub fn tally(n: u64) -> Tally {
    let (mut events, mut event, mut sum) = (Events::new(), Event::default(), Tally::default());
    for _ in 0..n {
        events.next_into(&mut event);
        add(&mut sum, &event.adds);
    }
    sum
}

/// The first events, again and again: a load that costs nothing to make.
#[derive(Debug)]
pub struct Ring {
    events: Vec<Event>,
}

impl Ring {
    /// Of so many distinct events.
    pub fn new(distinct: usize) -> Ring {
        let mut all = Events::new();
        let make = |_| {
            let mut event = Event::default();
            all.next_into(&mut event);
            event
        };
        Ring { events: (0..distinct).map(make).collect() }
    }

    /// The message at this place of the load.
    pub fn message(&self, at: u64) -> &[u8] {
        &self.events[(at % self.events.len() as u64) as usize].json
    }

    /// What the first `n` of the load make of the tables.
    pub fn tally(&self, n: u64) -> Tally {
        let whole = n / self.events.len() as u64;
        let (mut all, mut rest) = (Tally::default(), Tally::default());
        self.events.iter().for_each(|e| add(&mut all, &e.adds));
        self.events.iter().take((n % self.events.len() as u64) as usize).for_each(|e| add(&mut rest, &e.adds));
        add(&mut rest, &all.map(|sums| sums.times(whole)));
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mix_and_the_length_are_as_said() {
        let n = 100_000;
        let [swords, purchases, guilds] = tally(n);
        assert_eq!(purchases.rows + guilds.rows, n);
        let share = |rows: u64| rows as f64 / n as f64;
        assert!((share(swords.rows) - 0.5).abs() < 0.01 && (share(guilds.rows) - 0.25).abs() < 0.01);
        let length = (purchases.bytes + guilds.bytes) as f64 / n as f64;
        assert!((158.0..161.0).contains(&length), "{length}");
    }

    #[test]
    fn every_event_is_json_and_adds_what_it_says() {
        let (mut events, mut event) = (Events::new(), Event::default());
        for _ in 0..1000 {
            events.next_into(&mut event);
            let json: serde_json::Value = serde_json::from_slice(&event.json).expect("JSON");
            let kind = json["event_type"].as_str().expect("a text");
            let wanted = [kind == "purchase_sword", kind.contains("purchase"), kind.contains("guild")];
            for (i, (sums, (_, column))) in event.adds.iter().zip(TABLES).enumerate() {
                assert_eq!(sums.rows, u64::from(wanted[i]), "{json}");
                assert_eq!(sums.number, if wanted[i] { json[column].as_u64().expect("a number") } else { 0 });
            }
        }
    }

    #[test]
    fn a_ring_counts_as_its_events_do() {
        let ring = Ring::new(100);
        assert_eq!(ring.tally(70), tally(70));
        let mut three = ring.tally(100).map(|sums| sums.times(3));
        add(&mut three, &ring.tally(7));
        assert_eq!(ring.tally(307), three);
        assert_eq!(ring.message(205), ring.message(5));
    }
}
