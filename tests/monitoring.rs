//! The Grafana board and the alert rules: every metric, label and value that they name is one that the program exposes.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use common::exposition::sample_names;
use common::promql::{Expression, Type, is_duration, parse};
use landfall::observe::metrics::table::{self, ALL, Kind, Metric};
use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

/// Labels that Prometheus gives to everything that it scrapes.
const SCRAPED: [&str; 2] = ["job", "instance"];

fn file(path: &str) -> String {
    std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The metric that a sample of this name belongs to.
fn metric(sample: &str) -> Option<&'static Metric> {
    ALL.iter().find(|m| sample_names(m).iter().any(|n| n == sample)).copied()
}

/// The values that a label can have, where the program has a list of them.
fn values(label: &str, metric: &Metric) -> Option<Vec<&'static str>> {
    match label {
        "outcome" => Some(table::OUTCOMES.to_vec()),
        "phase" => Some(table::PHASE_NAMES.to_vec()),
        "cause" => Some(table::CAUSES.to_vec()),
        "result" => Some(table::RELOAD_RESULTS.to_vec()),
        "state" => Some(table::STATES.to_vec()),
        "service" => Some(landfall::observe::Service::ALL.map(landfall::observe::Service::name).to_vec()),
        "error" => Some(vec!["not_found", "already_exists", "timed_out", "unavailable", "refused"]),
        "call" if *metric == table::AMBIGUOUS => Some(table::AMBIGUOUS_CALLS.to_vec()),
        _ => None,
    }
}

/// What is wrong with an expression, which is to give a vector.
fn wrong(text: &str) -> Vec<String> {
    let (said, gives) = match parse(text) {
        Ok(parsed) => parsed,
        Err(e) => return vec![e],
    };
    let mut wrong = Vec::new();
    if gives != Type::Vector {
        wrong.push(format!("it gives a {gives:?}"));
    }
    said.uses.iter().for_each(|u| {
        let Some(metric) = metric(&u.name) else { return wrong.push(format!("{} is not exposed", u.name)) };
        let is_bucket = u.name.ends_with("_bucket");
        for (label, value) in &u.matchers {
            if !has(metric, is_bucket, label) {
                wrong.push(format!("{} has no label {label}", u.name));
            }
            if let Some(known) = values(label, metric) {
                let unknown = value.split('|').filter(|v| !known.contains(v)).collect::<Vec<_>>();
                if !unknown.is_empty() {
                    wrong.push(format!("{label} of {} is never {unknown:?}", u.name));
                }
            }
        }
        let counts = metric.kind != Kind::Gauge;
        match u.within.as_deref() {
            Some("rate" | "increase") if !counts => wrong.push(format!("{} is no counter", u.name)),
            None if counts => wrong.push(format!("{} only grows: what does its height say?", u.name)),
            _ => {}
        }
    });
    for list in &said.labels {
        for label in &list.names {
            let known = |name: &String| metric(name).is_some_and(|m| has(m, name.ends_with("_bucket"), label));
            if !list.of.iter().any(known) {
                wrong.push(format!("none of {:?} has the label {label}", list.of));
            }
        }
    }
    wrong
}

fn has(metric: &Metric, is_bucket: bool, label: &str) -> bool {
    SCRAPED.contains(&label) || metric.labels.contains(&label) || is_bucket && label == "le"
}

/// The names between braces of Prometheus' and Grafana's templates: `{{ $labels.topic }}`, `{{topic}}`.
fn template_labels(text: &str) -> Vec<String> {
    let inner = text.split("{{").skip(1).map(|rest| rest.split_once("}}").expect("a template ends").0.trim());
    let names = inner.filter_map(|t| match t.strip_prefix("$labels.") {
        Some(label) => Some(label.split(' ').next().unwrap().to_owned()),
        None if t.starts_with("$value") => None,
        None => Some(t.to_owned()),
    });
    names.collect()
}

/// The labels that what an expression gives may have.
fn given(said: &Expression) -> BTreeSet<String> {
    let mut labels: BTreeSet<String> = SCRAPED.map(str::to_owned).into();
    for u in &said.uses {
        labels.extend(metric(&u.name).iter().flat_map(|m| m.labels).map(|l| (*l).to_owned()));
    }
    labels
}

fn no_macros(expr: &str) -> String {
    expr.replace("$__rate_interval", "5m").replace("$job", ".*").replace("$instance", ".*")
}

#[test]
fn the_board_shows_what_the_program_exposes() {
    let board: Value = serde_json::from_str(&file("deploy/grafana/landfall.json")).unwrap();
    let mut shown = BTreeSet::new();
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    let mut check = |title: &str, expr: &str, legend: &str| {
        let expr = no_macros(expr);
        assert_eq!(wrong(&expr), Vec::<String>::new(), "{title}: {expr}");
        let said = parse(&expr).unwrap().0;
        let labels = given(&said);
        for label in template_labels(legend) {
            assert!(labels.contains(&label), "{title}: the legend names {label}: {expr}");
        }
        shown.extend(said.names().into_iter().map(|name| metric(name).unwrap().name));
    };
    let panels = board["panels"].as_array().unwrap();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id comes twice");
        let of = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(of("x") + of("w") <= 24, "{title} is wider than the board");
        for x in of("x")..of("x") + of("w") {
            for y in of("y")..of("y") + of("h") {
                assert!(places.insert((x, y)), "{title} lies over another panel");
            }
        }
        if panel["type"] == "row" {
            continue;
        }
        assert!(panel["description"].as_str().unwrap().ends_with('.'), "{title} says what it shows");
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} has a unit");
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty());
        for target in targets {
            check(title, target["expr"].as_str().unwrap(), target["legendFormat"].as_str().unwrap());
        }
    }
    for note in board["annotations"]["list"].as_array().unwrap() {
        check("annotation", note["expr"].as_str().unwrap(), note["titleFormat"].as_str().unwrap());
    }
    for variable in board["templating"]["list"].as_array().unwrap().iter().filter(|v| v["type"] == "query") {
        let query = no_macros(variable["query"].as_str().unwrap());
        let inner = query.strip_prefix("label_values(").and_then(|q| q.strip_suffix(')')).unwrap();
        let (series, label) = inner.rsplit_once(", ").unwrap();
        check("variable", series, &format!("{{{{{label}}}}}"));
    }
    let missing: Vec<_> = ALL.iter().map(|m| m.name).filter(|name| !shown.contains(name)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "the board shows all there is");
    assert!(panels.len() > 30);
}

#[test]
fn the_alert_rules_ask_for_what_the_program_exposes() {
    let documents = YamlLoader::load_from_str(&file("deploy/prometheus/alerts.yml")).unwrap();
    let docs = file("docs/metrics.md");
    let mut alerts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    assert_eq!(documents.len(), 1);
    for group in documents[0]["groups"].as_vec().unwrap() {
        only(group, &["name", "rules"], &[]);
        for rule in group["rules"].as_vec().unwrap() {
            only(rule, &["alert", "expr", "labels", "annotations"], &["for"]);
            let name = rule["alert"].as_str().unwrap();
            let expr = rule["expr"].as_str().unwrap();
            assert_eq!(wrong(expr), Vec::<String>::new(), "{name}: {expr}");
            let said = parse(expr).unwrap().0;
            if let Some(wait) = rule["for"].as_str() {
                assert!(is_duration(wait), "{name}: for {wait}");
            }
            only(&rule["labels"], &["severity"], &[]);
            assert!(["critical", "warning", "info"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
            only(&rule["annotations"], &["summary", "description", "runbook"], &[]);
            let labels = given(&said);
            for text in ["summary", "description"].map(|key| rule["annotations"][key].as_str().unwrap()) {
                assert!(text.len() > 20, "{name}");
                for label in template_labels(text) {
                    assert!(labels.contains(&label), "{name} names the label {label}");
                }
            }
            let runbook = rule["annotations"]["runbook"].as_str().unwrap();
            let heading = runbook.strip_prefix("docs/metrics.md#").unwrap();
            let found = docs.lines().any(|l| l.strip_prefix("### ").is_some_and(|h| h.to_lowercase() == heading));
            assert!(found, "{name}: {runbook} is no heading");
            let names = said.names().into_iter().map(str::to_owned).collect();
            assert!(alerts.insert(name.to_owned(), names).is_none(), "{name} comes twice");
        }
    }
    for heading in docs.lines().filter_map(|l| l.strip_prefix("### Landfall")) {
        assert!(alerts.contains_key(&format!("Landfall{heading}")), "docs/metrics.md tells of Landfall{heading}");
    }
    // What a person at night must hear of.
    for needed in [
        "landfall_not_landed_seconds",
        "landfall_lag_seconds",
        "landfall_lag_messages",
        "landfall_dead_letters_total",
        "landfall_table_unregistered_seconds",
        "landfall_partition_stopped",
        "landfall_outage_seconds",
        "landfall_memory_held_bytes",
        "process_start_time_seconds",
    ] {
        assert!(alerts.values().any(|names| names.contains(needed)), "no alert asks for {needed}");
    }
}

/// A mapping has these keys, and perhaps some of the others.
fn only(mapping: &Yaml, needed: &[&str], allowed: &[&str]) {
    let keys: Vec<_> = mapping.as_hash().unwrap().keys().map(|k| k.as_str().unwrap()).collect();
    assert!(needed.iter().all(|k| keys.contains(k)), "{needed:?} of {keys:?}");
    assert!(keys.iter().all(|k| needed.contains(k) || allowed.contains(k)), "{keys:?}: {mapping:?}");
}

#[test]
fn the_check_itself_sees_what_it_must() {
    for (expression, said) in [
        ("rate(landfall_rows_total[5m])", "landfall_rows_total is not exposed"),
        ("sum by (tabel) (rate(landfall_table_rows_total[5m]))", "has the label tabel"),
        ("landfall_lag_seconds{topik=\"a\"}", "landfall_lag_seconds has no label topik"),
        ("landfall_outage_seconds{service=\"hdfs\"}", "service of landfall_outage_seconds is never [\"hdfs\"]"),
        ("rate(landfall_lag_messages[5m])", "landfall_lag_messages is no counter"),
        ("landfall_batches_total > 5", "landfall_batches_total only grows"),
        ("rate(landfall_batches_total)", "rate takes Range and is given Vector"),
        ("landfall_lag_seconds[5m]", "it gives a Range"),
        ("sum(landfall_lag_seconds", ") expected"),
        ("landfall_lag_seconds > ", "an expression expected"),
        ("landfall_lag_seconds{topic=a}", "topic is not compared with a string"),
        ("rate(landfall_batches_total[5x])", "5x is neither a number nor a duration"),
        ("landfall_lag_seconds on (topic) 5", "follows the end"),
        ("landfall_lag_seconds and 5", "and between"),
        ("quantile(landfall_lag_seconds)", "follows the end"),
        ("histogram_quantile(0.5, landfall_storage_call_seconds)", "is not exposed"),
        ("sum by (le) (landfall_lag_seconds)", "has the label le"),
    ] {
        let found = wrong(expression);
        assert!(found.iter().any(|w| w.contains(said)), "{expression}: {found:?}");
    }
    let good =
        "sum by (le, call) (rate(landfall_storage_call_seconds_bucket{call!=\"list\"}[1h30m] offset 1d)) > bool 1e3";
    assert_eq!(wrong(good), Vec::<String>::new());
    assert_eq!(template_labels("{{ $labels.a }} x {{ $value | humanize }} {{b}}"), ["a", "b"]);
}
