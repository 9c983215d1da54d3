//! Uses a real stack: `landfall-stack run -- cargo test -p landfall-stack`. Skipped without one.

use anyhow::{Result, ensure};
use landfall_stack::{Service, Stack};
use serde_json::json;

#[test]
fn a_running_stack_can_be_used_and_broken_and_mended() -> Result<()> {
    let Some(stack) = Stack::attach() else {
        eprintln!("skipped: $LANDFALL_STACK is not set (landfall-stack run -- cargo test -p landfall-stack)");
        return Ok(());
    };
    if !Service::ALL.into_iter().all(|service| stack.has(service)) {
        eprintln!("skipped: the stack in $LANDFALL_STACK has not all services");
        return Ok(());
    }

    let topic = format!("boots_{}", std::process::id());
    stack.create_topic(&topic, 3)?;
    ensure!(stack.create_topic(&topic, 3).is_err(), "a topic was created twice");

    let presto = stack.presto();
    for catalog in ["hive", "hive_by_position"] {
        let answer = presto.query(catalog, "select 1 as one, 'x' as text")?;
        assert_eq!(answer.columns, [("one", "integer"), ("text", "varchar(1)")].map(|(n, t)| (n.into(), t.into())));
        assert_eq!(answer.rows, [[json!(1), json!("x")]]);
    }
    let error = presto.query("hive", "select * from nowhere").expect_err("no such table").to_string();
    assert!(error.contains("nowhere does not exist"), "{error}");

    // A table needs the metastore, HDFS and its DataNodes: it is there after each of them was killed.
    let table = format!("boots_{}", std::process::id());
    presto.query("hive", &format!("create table {table} as select 'kept' as what"))?;
    for part in ["datanode1", "metastore"] {
        stack.kill(part)?;
        let is_down = |name: &str| stack.status().iter().any(|p| p.name == name && p.pid.is_none());
        assert!(is_down(part), "{part} was killed and runs");
        stack.restart(part)?;
        assert!(!is_down(part), "{part} was restarted and does not run");
        assert_eq!(presto.query("hive", &format!("select what from {table}"))?.rows, [[json!("kept")]]);
    }
    stack.pause("datanode1")?;
    stack.resume("datanode1")?;
    presto.query("hive", &format!("drop table {table}"))?;
    Ok(())
}
