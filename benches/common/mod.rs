//! The messages of the benches: the game's events, always the same for a number of them.

pub mod naive;
pub mod open_files;

use std::fmt::Write;

use bytes::Bytes;

const DOMAINS: [&str; 8] =
    ["comcast.com", "att.com", "verizon.net", "cox.net", "gmx.de", "orange.fr", "web.de", "bt.com"];
const AGENTS: [&str; 4] =
    ["ApacheBench/2.3", "ApacheBench/2.3", "curl/7.68.0", "Mozilla/5.0 (X11; Linux x86_64; rv:91.0)"];
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
    "estoc",
    "dagger",
];
const SHIELDS: [&str; 8] = ["buckler", "heater", "kite", "tower", "round", "targe", "pavise", "scutum"];
const GUILDS: [&str; 10] = [
    "house_greyjoy",
    "house_stark",
    "house_lannister",
    "house_tyrell",
    "house_arryn",
    "house_tully",
    "house_martell",
    "house_baratheon",
    "house_targaryen",
    "nights_watch",
];
const USERS: u64 = 10_000;

/// Files by the names of their tables.
pub type Files = Vec<(String, Bytes)>;

/// Messages side by side in one allocation, as a chunk of the source holds them, and what they add up to.
pub struct Messages {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Kafka timestamps, about a millisecond apart.
    pub timestamps: Vec<i64>,
    /// Sum of the costs of all purchases.
    pub costs: i64,
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 32) * n) >> 32
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len() as u64) as usize]
    }
}

impl Messages {
    /// `n` messages, rounded up to whole fours: of each four, in any order, two buy a sword, one buys a shield, and one
    /// joins or leaves a guild. So half as many as there are messages are swords, exactly.
    pub fn new(n: usize) -> Messages {
        let mut random = Random(42);
        let mut all = Messages { bytes: Vec::new(), ends: vec![0], timestamps: Vec::new(), costs: 0 };
        let (mut text, mut now) = (String::new(), 1_627_669_098_611);
        for _ in 0..n.div_ceil(4) {
            let mut kinds = [0, 0, 1, 2];
            (1..4).rev().for_each(|i| kinds.swap(i, random.below(i as u64 + 1) as usize));
            for kind in kinds {
                text.clear();
                all.costs += write_event(&mut text, kind, &mut random);
                all.bytes.extend_from_slice(text.as_bytes());
                all.ends.push(all.bytes.len());
                all.timestamps.push(now);
                now += random.below(3) as i64;
            }
        }
        all
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// Bytes of all messages.
    pub fn byte_size(&self) -> usize {
        self.bytes.len()
    }

    /// The values with their timestamps.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], i64)> {
        let values = self.ends.windows(2).map(|ends| &self.bytes[ends[0]..ends[1]]);
        values.zip(self.timestamps.iter().copied())
    }
}

/// Writes an event; its cost, or 0.
fn write_event(out: &mut String, kind: u32, random: &mut Random) -> i64 {
    let (user, domain, agent) = (1 + random.below(USERS), random.of(&DOMAINS), random.of(&AGENTS));
    let mut put = |event: &str, rest: std::fmt::Arguments<'_>| {
        write!(
            out,
            "{{\"event_type\": \"{event}\", \"Accept\": \"*/*\", \"User-Agent\": \"{agent}\", \
             \"Host\": \"user{user}.{domain}\", {rest}}}"
        )
        .expect("writing to a string cannot fail");
    };
    if kind < 2 {
        let (cost, items) = (1 + random.below(100), if kind == 0 { &SWORDS[..] } else { &SHIELDS[..] });
        let event = if kind == 0 { "purchase_sword" } else { "purchase_shield" };
        put(event, format_args!("\"cost\": {cost}, \"type\": \"{}\"", random.of(items)));
        return cost as i64;
    }
    let (total, guild) = (1 + random.below(50), random.of(&GUILDS));
    let tail = format!("\"tot_guild_member_cnt\": {total}, \"guild_name\": \"{guild}\"");
    match random.below(2) {
        0 => put("leave_guild", format_args!("\"guild_member_cnt\": null, {tail}")),
        _ => put("join_guild", format_args!("\"guild_member_cnt\": {}, {tail}", 1 + random.below(20))),
    }
    0
}
