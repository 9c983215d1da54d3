//! A small client of Presto's HTTP interface.

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};

/// A client of one Presto server. Every query is on its own: there is no session (no `use`, no prepared statements).
#[derive(Clone, Debug)]
pub struct Presto {
    url: String,
    user: String,
    zone: String,
    limit: Duration,
}

/// A query's result.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// The columns' names and Presto types, as in `("count", "bigint")`.
    pub columns: Vec<(String, String)>,
    /// The values as Presto's JSON has them: numbers, strings (also decimals, dates, timestamps), arrays (also rows).
    pub rows: Vec<Vec<Value>>,
}

/// One of Presto's answers about a running query.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    next_uri: Option<String>,
    columns: Option<Vec<Column>>,
    data: Option<Vec<Vec<Value>>>,
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
    r#type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    message: Option<String>,
    error_name: Option<String>,
}

impl Presto {
    /// A client of the server at `http://host:port`, for that user of HDFS.
    pub fn new(url: &str, user: &str) -> Presto {
        let (url, user) = (url.trim_end_matches('/').to_owned(), user.to_owned());
        Presto { url, user, zone: "UTC".to_owned(), limit: Duration::from_secs(300) }
    }

    /// The server's address, `http://host:port`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sets how long a query may take; 300 s if not set.
    pub fn with_limit(self, limit: Duration) -> Presto {
        Presto { limit, ..self }
    }

    /// Sets the time zone of the queries, in which Presto shows timestamps; UTC if not set.
    pub fn with_zone(self, zone: &str) -> Presto {
        Presto { zone: zone.to_owned(), ..self }
    }

    /// Runs a statement to its end, in the schema `default`. A statement that fails gives Presto's message.
    pub fn query(&self, catalog: &str, sql: &str) -> Result<Rows> {
        let end = Instant::now() + self.limit;
        let mut answer = self.answer(end, |agent| {
            let request = agent.post(format!("{}/v1/statement", self.url)).header("X-Presto-User", &self.user);
            let request = request.header("X-Presto-Source", "landfall-stack").header("X-Presto-Catalog", catalog);
            request.header("X-Presto-Schema", "default").header("X-Presto-Time-Zone", &self.zone).send(sql)
        })?;
        let mut rows = Rows::default();
        loop {
            if let Some(error) = answer.error {
                let message = error.message.unwrap_or_default();
                return Err(anyhow!("{message} ({})", error.error_name.unwrap_or_default()));
            }
            if let Some(columns) = answer.columns.filter(|_| rows.columns.is_empty()) {
                rows.columns = columns.into_iter().map(|c| (c.name, c.r#type)).collect();
            }
            rows.rows.extend(answer.data.unwrap_or_default());
            let Some(next) = answer.next_uri else { return Ok(rows) };
            if Instant::now() > end {
                agent(Duration::from_secs(5)).delete(&next).call().ok(); // cancels it; if not, the failure is the same
                bail!("Presto has not ended the query in {} s: {sql}", self.limit.as_secs());
            }
            answer = self.answer(end, |agent| agent.get(&next).header("X-Presto-User", &self.user).call())?;
        }
    }

    /// Makes a request, again while the server says that it is busy.
    fn answer(
        &self,
        end: Instant,
        request: impl Fn(&ureq::Agent) -> Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Answer> {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match request(&agent(left.max(Duration::from_secs(1)))) {
                Err(ureq::Error::StatusCode(503)) if !left.is_zero() => thread::sleep(Duration::from_millis(100)),
                response => {
                    let mut response = response.with_context(|| format!("no answer from Presto at {}", self.url))?;
                    let body = response.body_mut().with_config().limit(u64::MAX);
                    return body.read_json().context("cannot understand Presto's answer");
                }
            }
        }
    }
}

/// A client for HTTP with our own servers.
pub(crate) fn agent(limit: Duration) -> ureq::Agent {
    // No proxy: the servers are on this machine, whatever $http_proxy says.
    ureq::Agent::config_builder().timeout_global(Some(limit)).proxy(None).build().into()
}

/// The text at an address of one of our servers, if it answers within two seconds.
pub(crate) fn get(url: &str) -> Option<String> {
    agent(Duration::from_secs(2)).get(url).call().ok()?.body_mut().read_to_string().ok()
}

impl Rows {
    /// The rows as a table for a person to read.
    pub fn to_table(&self) -> String {
        let text = |value: &Value| match value {
            Value::Null => "NULL".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let mut lines: Vec<Vec<String>> = vec![self.columns.iter().map(|(name, _)| name.clone()).collect()];
        lines.extend(self.rows.iter().map(|row| row.iter().map(text).collect()));
        let widest = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(widest).collect();
        lines.insert(1, widths.iter().map(|width| "-".repeat(*width)).collect());
        let pad = |(cell, width): (&String, &usize)| format!("{cell:width$}");
        let line = |cells: &Vec<String>| cells.iter().zip(&widths).map(pad).collect::<Vec<_>>().join("  ");
        lines.iter().map(|cells| line(cells).trim_end().to_owned() + "\n").collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_is_aligned() {
        let columns = vec![("id".to_owned(), "bigint".to_owned()), ("name".to_owned(), "varchar".to_owned())];
        let rows = vec![vec![json!(12345), json!("é")], vec![json!(1), Value::Null]];
        let table = Rows { columns, rows }.to_table();
        assert_eq!(table, "id     name\n-----  ----\n12345  é\n1      NULL\n");
    }
}
