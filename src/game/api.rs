//! The seeds' HTTP game APIs without the HTTP: a request in, an answer and an event out. One seed has items to purchase
//! and one guild, another swords, shields and many guilds; their endpoints do not clash.

use std::collections::BTreeMap;

use serde_json::Value;

use super::event::Event;

/// A GET request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Path as sent, percent-encoded; a query is ignored.
    pub path: String,
    /// All headers, with names as they are to appear in the event.
    pub headers: Vec<(String, String)>,
}

/// What the game answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// The body, with a newline at its end.
    pub answer: String,
    /// What is to be logged; `None` where there is no such endpoint: then the status is 404, else 200.
    pub event: Option<Event>,
}

const SWORDS: [(&str, u64); 16] = [
    ("copper_sword", 4),
    ("iron_sword", 5),
    ("long_sword", 9),
    ("rapier", 7),
    ("short_sword", 5),
    ("master_sword", 77),
    ("scimatar", 8),
    ("katana", 10),
    ("hook_sword", 4),
    ("machete", 5),
    ("falcion", 5),
    ("sabre", 6),
    ("great_sword", 15),
    ("moonlight_great_sword", 75),
    ("wood_sword", 1),
    ("estoc", 7),
];

const SHIELDS: [(&str, u64); 9] = [
    ("great_shield", 14),
    ("buckler", 6),
    ("mirror_shield", 42),
    ("spiked_shield", 9),
    ("golden_shield", 40),
    ("wood_shield", 3),
    ("leather_shield", 5),
    ("copper_shield", 4),
    ("iron_shield", 7),
];

/// What `/purchase/<item>` has.
pub(super) const ITEMS: [&str; 5] = ["sword", "shield", "helmet", "knife", "gauntlet"];

const GUILDS: [&str; 5] = ["house_stark", "grubs", "ucbears", "joestars", "winden_caves"];

/// The game: prices, and the guilds with their members.
#[derive(Debug, Clone, PartialEq)]
pub struct Game {
    /// Members by guild.
    guilds: BTreeMap<String, u64>,
    /// Members of all guilds.
    total: u64,
}

impl Default for Game {
    fn default() -> Game {
        Game::new()
    }
}

impl Game {
    /// The game at its start: five guilds without members.
    pub fn new() -> Game {
        Game { guilds: GUILDS.iter().map(|guild| (guild.to_string(), 0)).collect(), total: 0 }
    }

    /// Members of `guild`; `None`: there is no such guild.
    pub fn members(&self, guild: &str) -> Option<u64> {
        self.guilds.get(guild).copied()
    }

    /// Answers a request. The event has its own fields and then every header; a header of the same name wins, as in the
    /// seeds' code.
    pub fn handle(&mut self, request: &Request) -> Response {
        let path = request.path.split(['?', '#']).next().unwrap_or_default();
        let parts: Vec<String> = path.trim_start_matches('/').split('/').map(decode).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (answer, event) = match parts.as_slice() {
            [""] => ("This is the default response!".to_owned(), Event::new("default")),
            ["purchase_a_sword", name] if !name.is_empty() => {
                (format!("Sword Purchased! {name}"), purchase("purchase_sword", name, &SWORDS))
            }
            ["purchase_a_shield", name] if !name.is_empty() => {
                (format!("Shield Purchased! {name}"), purchase("purchase_shield", name, &SHIELDS))
            }
            ["purchase", item] if ITEMS.contains(item) => {
                (format!("{} Purchased!", capitalized(item)), Event::new(&format!("{item} purchased")))
            }
            ["join_a_guild"] => ("Joined Guild!".to_owned(), Event::new("join_guild")),
            ["join_guild", name] if !name.is_empty() => self.join(name),
            ["leave_guild", name] if !name.is_empty() => self.leave(name),
            _ => return Response { answer: "404 Not Found\n".to_owned(), event: None },
        };
        let event = request.headers.iter().fold(event, |event, (name, value)| event.with(name, value.as_str()));
        Response { answer: format!("{answer}\n"), event: Some(event) }
    }

    fn join(&mut self, guild: &str) -> (String, Event) {
        let members = self.guilds.entry(guild.to_owned()).or_insert(0);
        *members += 1;
        self.total += 1;
        let answer = format!("Joined Guild: {guild}! Total members:{members}");
        let event = guild_event("join_guild", guild, (*members).into(), self.total);
        (answer, event)
    }

    fn leave(&mut self, guild: &str) -> (String, Event) {
        let Some(members) = self.guilds.get_mut(guild) else {
            let answer = format!("Can not leave Guild: {guild}! This guild does not exist.");
            return (answer, guild_event("leave_guild", guild, Value::Null, self.total));
        };
        // Whoever leaves an empty guild was in none.
        if *members > 0 {
            *members -= 1;
            self.total -= 1;
        }
        let answer = format!("Left Guild: {guild}! Total members:{members}");
        let event = guild_event("leave_guild", guild, (*members).into(), self.total);
        (answer, event)
    }
}

fn purchase(event_type: &str, name: &str, prices: &[(&str, u64)]) -> Event {
    let cost = prices.iter().find(|(thing, _)| *thing == name).map(|(_, cost)| *cost);
    Event::new(event_type).with("type", name).with("cost", cost)
}

fn guild_event(event_type: &str, guild: &str, members: Value, total: u64) -> Event {
    Event::new(event_type)
        .with("guild_name", guild)
        .with("guild_member_cnt", members)
        .with("tot_guild_member_cnt", total)
}

fn capitalized(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}

/// Undoes percent-encoding; what is then no UTF-8 becomes replacement characters.
fn decode(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        let byte = hex.filter(|two| !two.starts_with('+')).and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(game: &mut Game, path: &str) -> (String, String) {
        let response = game.handle(&Request { path: path.to_owned(), headers: Vec::new() });
        (response.answer, response.event.map(|event| event.to_json()).unwrap_or_default())
    }

    #[test]
    fn each_endpoint_answers_and_logs() {
        let mut game = Game::new();
        for (path, answer, event) in [
            ("/", "This is the default response!", r#"{"event_type": "default"}"#),
            ("/?x=1", "This is the default response!", r#"{"event_type": "default"}"#),
            (
                "/purchase_a_sword/sabre",
                "Sword Purchased! sabre",
                r#"{"event_type": "purchase_sword", "type": "sabre", "cost": 6}"#,
            ),
            (
                "/purchase_a_sword/spoon",
                "Sword Purchased! spoon",
                r#"{"event_type": "purchase_sword", "type": "spoon", "cost": null}"#,
            ),
            (
                "/purchase_a_shield/mirror_shield",
                "Shield Purchased! mirror_shield",
                r#"{"event_type": "purchase_shield", "type": "mirror_shield", "cost": 42}"#,
            ),
            (
                "/purchase_a_shield/sabre",
                "Shield Purchased! sabre",
                r#"{"event_type": "purchase_shield", "type": "sabre", "cost": null}"#,
            ),
            ("/purchase/sword", "Sword Purchased!", r#"{"event_type": "sword purchased"}"#),
            ("/purchase/gauntlet", "Gauntlet Purchased!", r#"{"event_type": "gauntlet purchased"}"#),
            ("/join_a_guild", "Joined Guild!", r#"{"event_type": "join_guild"}"#),
            (
                "/join_guild/grubs",
                "Joined Guild: grubs! Total members:1",
                r#"{"event_type": "join_guild", "guild_name": "grubs", "guild_member_cnt": 1, "tot_guild_member_cnt": 1}"#,
            ),
            (
                "/join_guild/grubs",
                "Joined Guild: grubs! Total members:2",
                r#"{"event_type": "join_guild", "guild_name": "grubs", "guild_member_cnt": 2, "tot_guild_member_cnt": 2}"#,
            ),
            (
                "/join_guild/secret_club",
                "Joined Guild: secret_club! Total members:1",
                r#"{"event_type": "join_guild", "guild_name": "secret_club", "guild_member_cnt": 1, "tot_guild_member_cnt": 3}"#,
            ),
            (
                "/leave_guild/grubs",
                "Left Guild: grubs! Total members:1",
                r#"{"event_type": "leave_guild", "guild_name": "grubs", "guild_member_cnt": 1, "tot_guild_member_cnt": 2}"#,
            ),
            (
                "/leave_guild/x",
                "Can not leave Guild: x! This guild does not exist.",
                r#"{"event_type": "leave_guild", "guild_name": "x", "guild_member_cnt": null, "tot_guild_member_cnt": 2}"#,
            ),
            (
                "/leave_guild/ucbears",
                "Left Guild: ucbears! Total members:0",
                r#"{"event_type": "leave_guild", "guild_name": "ucbears", "guild_member_cnt": 0, "tot_guild_member_cnt": 2}"#,
            ),
            (
                "/join_guild/caf%C3%A9%zz%",
                "Joined Guild: café%zz%! Total members:1",
                r#"{"event_type": "join_guild", "guild_name": "caf\u00e9%zz%", "guild_member_cnt": 1, "tot_guild_member_cnt": 3}"#,
            ),
        ] {
            assert_eq!(get(&mut game, path), (format!("{answer}\n"), event.to_owned()), "{path}");
        }
        assert_eq!(game.members("grubs"), Some(1));
        assert_eq!(game.members("x"), None, "leaving must not found a guild");
    }

    #[test]
    fn other_paths_are_not_found_and_log_nothing() {
        for path in [
            "/nothing",
            "/purchase/spoon",
            "/purchase",
            "/join_a_guild/x",
            "/join_guild",
            "/join_guild/",
            "/join_guild/a/b",
            "/purchase_a_sword/",
        ] {
            assert_eq!(get(&mut Game::new(), path), ("404 Not Found\n".to_owned(), String::new()), "{path}");
        }
    }

    #[test]
    fn every_header_becomes_a_field_and_wins() {
        let headers = [("Host", "h"), ("type", "mine"), ("X-A", "1"), ("X-A", "2")];
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let response = Game::new().handle(&Request { path: "/purchase_a_sword/estoc".to_owned(), headers });
        let json = response.event.unwrap().to_json();
        assert_eq!(json, r#"{"event_type": "purchase_sword", "type": "mine", "cost": 7, "Host": "h", "X-A": "2"}"#);
    }
}
