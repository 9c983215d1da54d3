//! What becomes of a daemon under steady load when the world around it breaks, for seconds and for a minute: how long
//! until it goes on, what is lost and what is there twice (nothing), what its log says, and what a person has to do.
//!
//! `make outages` runs all of it, some 40 minutes, and writes target/outages.md. `OUTAGES=all` is the long form,
//! `OUTAGES_ONLY=kafka,quota` runs the cases whose name contains one of these, `OUTAGES_REPORT` names a file for the table.

mod line;
mod people;
mod report;
mod services;
mod soak;

use std::io::Write;

use report::Case;

use crate::world::world;

fn wanted(name: &str) -> bool {
    let only = std::env::var("OUTAGES_ONLY").unwrap_or_default().to_lowercase();
    only.split(',').any(|o| name.to_lowercase().contains(o))
}

fn all() -> bool {
    std::env::var("OUTAGES").is_ok_and(|form| form == "all")
}

fn tell(title: &str, table: &str) {
    tell_to("OUTAGES_REPORT", title, table);
}

/// On the terminal, and to the file that the variable names.
fn tell_to(variable: &str, title: &str, table: &str) {
    println!("\n{title}\n\n{table}");
    if let Some(path) = std::env::var_os(variable) {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "{title}\n\n{table}").unwrap();
    }
}

fn assert_landed_once(cases: &[Case]) {
    let wrong: Vec<_> = cases.iter().filter(|case| case.rows.lost != 0 || case.rows.twice != 0).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn services_that_are_away_lose_nothing_repeat_nothing_and_need_nobody() {
    let Some(world) = world() else { return };
    let outages: Vec<_> = services::outages(!all()).into_iter().filter(|o| wanted(&o.name())).collect();
    if outages.is_empty() {
        return;
    }
    let cases = services::run(&world, &outages);
    tell("## Services away", &report::services(&cases));
    assert_landed_once(&cases);
}

#[test]
fn what_needs_a_person_stops_only_what_it_is_about_and_goes_on_by_the_command_in_the_log() {
    let Some(world) = world() else { return };
    let cases = people::run(&world);
    tell("## What people do", &report::people(&cases));
    assert_landed_once(&cases);
}
