//! A condition with its fields resolved.

use std::borrow::Cow;

use crate::config::settings::{FieldTest, When};

/// Gives the text of a field by its index.
pub(super) type TextOf<'f, 't> = dyn FnMut(usize) -> Option<Cow<'t, str>> + 'f;

/// A compiled [`When`].
#[derive(Debug, Clone)]
pub(super) enum Matcher {
    Field { field: usize, test: FieldTest },
    All(Vec<Matcher>),
    Any(Vec<Matcher>),
    Not(Box<Matcher>),
}

impl Matcher {
    /// Compiles `when`; fields are looked up in, or added to, `fields`.
    pub(super) fn new(when: &When, fields: &mut Vec<Vec<String>>) -> Matcher {
        let mut all = |list: &[When]| list.iter().map(|w| Matcher::new(w, fields)).collect();
        match when {
            When::Field { field, test } => {
                let known = fields.iter().position(|f| f == field);
                let field = known.unwrap_or_else(|| {
                    fields.push(field.clone());
                    fields.len() - 1
                });
                Matcher::Field { field, test: test.clone() }
            }
            When::All(list) => Matcher::All(all(list)),
            When::Any(list) => Matcher::Any(all(list)),
            When::Not(when) => Matcher::Not(Box::new(Matcher::new(when, fields))),
        }
    }

    /// Whether it holds for a message whose fields have these texts.
    pub(super) fn holds<'t>(&self, text: &mut TextOf<'_, 't>) -> bool {
        match self {
            Matcher::Field { field, test } => test_holds(test, text(*field).as_deref()),
            Matcher::All(list) => list.iter().all(|m| m.holds(text)),
            Matcher::Any(list) => list.iter().any(|m| m.holds(text)),
            Matcher::Not(m) => !m.holds(text),
        }
    }
}

/// `None` is an absent or null field: only `exists = false` takes it.
fn test_holds(test: &FieldTest, text: Option<&str>) -> bool {
    let Some(text) = text else { return matches!(test, FieldTest::Exists(false)) };
    match test {
        FieldTest::Equals(x) => text == x,
        FieldTest::Contains(x) => text.contains(x.as_str()),
        FieldTest::StartsWith(x) => text.starts_with(x.as_str()),
        FieldTest::EndsWith(x) => text.ends_with(x.as_str()),
        FieldTest::Matches(pattern) => pattern.matches(text),
        FieldTest::In(list) => list.iter().any(|x| x == text),
        FieldTest::Exists(wanted) => *wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Pattern;

    fn field(field: &str, test: FieldTest) -> When {
        When::Field { field: vec![field.to_owned()], test }
    }

    fn holds(when: &When, a: Option<&str>, b: Option<&str>) -> bool {
        let mut fields = vec![vec!["a".to_owned()], vec!["b".to_owned()]];
        let m = Matcher::new(when, &mut fields);
        assert_eq!(fields.len(), 2);
        m.holds(&mut |i| [a, b][i].map(|t| Cow::Owned(t.to_owned())))
    }

    #[test]
    fn each_test() {
        let s = |x: &str| x.to_owned();
        for (test, yes, no) in [
            (FieldTest::Equals(s("ab")), "ab", "abc"),
            (FieldTest::Contains(s("b")), "abc", "ac"),
            (FieldTest::StartsWith(s("ab")), "abc", "cab"),
            (FieldTest::EndsWith(s("ab")), "cab", "abc"),
            (FieldTest::Matches(Pattern::new("^a.b$").unwrap()), "aéb", "xa.b"),
            (FieldTest::Matches(Pattern::new("b").unwrap()), "abc", "ac"),
            (FieldTest::In(vec![s("x"), s("y")]), "y", "xy"),
        ] {
            let when = field("a", test);
            assert!(holds(&when, Some(yes), None), "{when:?}");
            assert!(!holds(&when, Some(no), None), "{when:?}");
            assert!(!holds(&when, None, Some(yes)), "{when:?}");
        }
        assert!(holds(&field("a", FieldTest::Exists(true)), Some(""), None));
        assert!(!holds(&field("a", FieldTest::Exists(true)), None, None));
        assert!(holds(&field("a", FieldTest::Exists(false)), None, None));
        assert!(!holds(&field("a", FieldTest::Exists(false)), Some("x"), None));
    }

    #[test]
    fn all_any_not() {
        let (a, b) = (field("a", FieldTest::Equals("1".into())), field("b", FieldTest::Equals("1".into())));
        for (x, y) in [(false, false), (false, true), (true, false), (true, true)] {
            let text = |on: bool| Some(if on { "1" } else { "0" });
            let of = |when: &When| holds(when, text(x), text(y));
            assert_eq!(of(&When::All(vec![a.clone(), b.clone()])), x && y);
            assert_eq!(of(&When::Any(vec![a.clone(), b.clone()])), x || y);
            assert_eq!(of(&When::Not(Box::new(a.clone()))), !x);
        }
        assert!(holds(&When::All(vec![]), None, None) && !holds(&When::Any(vec![]), None, None));
    }
}
