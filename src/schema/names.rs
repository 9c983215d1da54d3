//! Which column names every reader can take.

/// Presto's filters fail on the first four, Hive's and Spark's Parquet schema on the others and on white space.
const UNFIT: &str = ",`'\";{}()=";

/// Room for a column's name in the metastore's database, in characters.
const MAX_NAME: usize = 767;

/// What is wrong with the name of a column: the end of a sentence that begins with it.
pub fn unfit_column(name: &str) -> Option<String> {
    let bad = |c: &char| UNFIT.contains(*c) || c.is_whitespace() || c.is_control();
    let bad: String = name.chars().filter(bad).collect();
    if name.is_empty() {
        Some("is empty".to_owned())
    } else if !bad.is_empty() {
        Some(format!("holds {bad:?}, on which readers of the table fail: leave it out"))
    } else if name.chars().count() > MAX_NAME {
        Some(format!("is longer than {MAX_NAME} characters: the metastore has no room for it"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_names_pass_and_others_are_told_what_is_wrong() {
        for good in ["user-agent", "größe", "select", "@timestamp", "a.b", "a/b", "a:b", "1a", "_a", "$a"] {
            assert_eq!(unfit_column(good), None, "{good}");
        }
        for bad in ["", "a,b", "a`b", "a\"b", "a'b", "a b", " a", "a;b", "a{", "a(b)", "a=b", "a\tb", &"é".repeat(768)]
        {
            assert!(unfit_column(bad).is_some(), "{bad}");
        }
        assert_eq!(unfit_column("a, b").unwrap(), "holds \", \", on which readers of the table fail: leave it out");
    }
}
