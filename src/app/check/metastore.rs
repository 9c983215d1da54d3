//! The tables as the metastore has them, and what the registrar would do.

use super::super::App;
use super::report::{Line, Mark, Part};
use crate::catalog::{self, Change, Plan, Wanted};

impl App {
    pub(super) async fn look_at_metastore(&self) -> Vec<Line> {
        let (Some(catalog), Some(settings)) = (&self.catalog, &self.settings.metastore) else {
            let says = "metastore.uri is empty: landfall registers no table, somebody else must";
            return vec![Line::new(Part::Metastore, Mark::Note, "tables", says)];
        };
        let wanted = self.wanted();
        let mut lines = Vec::new();
        match catalog::look(catalog.as_ref(), &wanted).await {
            Ok(plans) => lines.extend(wanted.iter().zip(plans).map(|(table, plan)| line(table, plan))),
            Err(e) => lines.push(Line::failed(Part::Metastore, &settings.uri, e.fault(), &e)),
        }
        for table in &wanted {
            let warnings = catalog::warnings(&table.table).into_iter();
            lines.extend(warnings.map(|w| Line::new(Part::Metastore, Mark::Note, table.full_name(), w)));
        }
        lines
    }
}

fn line(wanted: &Wanted, plan: Plan) -> Line {
    let line = |mark, says: String| Line::new(Part::Metastore, mark, wanted.full_name(), says);
    let columns = |columns: &[(String, String)]| columns.iter().map(|(n, t)| format!("{n} {t}")).collect();
    match plan {
        Plan::UpToDate => line(Mark::Ok, "as declared".to_owned()),
        Plan::Create => {
            let all = [&wanted.table.columns[..], &wanted.table.partition_keys].concat();
            line(Mark::New, format!("would be created at {}, {} columns", wanted.table.location, all.len()))
                .with(columns(&all))
        }
        Plan::Alter(Change { columns: added, .. }) if added.is_empty() => {
            line(Mark::Change, "as declared; would get the record of its migrations".to_owned())
        }
        Plan::Alter(Change { columns: added, .. }) => {
            let files = wanted.files_of_last(added.len()).join(", ");
            let s = if added.len() == 1 { "" } else { "s" };
            line(Mark::Change, format!("would get {} column{s} at its end, of {files}", added.len()))
                .with(columns(&added))
        }
        refused @ (Plan::Newer(_) | Plan::Differs(_)) => {
            line(Mark::Wrong, "a start would be refused".to_owned()).with(refused.refusals())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::migrations;

    #[test]
    fn each_plan_is_a_line_with_what_a_start_would_do() {
        let files = [
            ("0001_a.sql", "create external table d.a (x int) stored as parquet location '/a'"),
            ("0002_b.sql", "alter table d.a add columns (Y array<int>)"),
        ];
        let tables = migrations::load(&files.map(|(n, t)| (n.to_owned(), t.to_owned()))).unwrap();
        let wanted = Wanted::new(&tables[0], "d", "/a", "hdfs://nn/a".to_owned());
        let one = |plan| line(&wanted, plan);
        let created = one(Plan::Create);
        assert_eq!((created.mark, created.details.len()), (Mark::New, 2));
        assert!(created.says.contains("hdfs://nn/a"), "{}", created.says);
        let columns = vec![("y".to_owned(), "array<int>".to_owned())];
        let altered = one(Plan::Alter(Change { columns, ..Change::default() }));
        assert_eq!((altered.mark, &altered.details[..]), (Mark::Change, &["y array<int>".to_owned()][..]));
        assert_eq!(altered.says, "would get 1 column at its end, of 0002_b.sql");
        assert_eq!(one(Plan::Alter(Change::default())).mark, Mark::Change);
        assert_eq!(one(Plan::UpToDate).mark, Mark::Ok);
        assert_eq!(one(Plan::Newer(vec!["0003".into()])).mark, Mark::Wrong);
        assert_eq!(one(Plan::Differs(vec!["x".into()])).details, ["x"]);
    }
}
