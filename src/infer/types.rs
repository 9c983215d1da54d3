//! What was seen to a Hive type that holds it.

use super::shape::Shape;
use crate::schema::{HiveType, StructField};

/// More keys than this, each in few of the objects, are values rather than names.
const NAMES: usize = 20;

/// The narrowest type of those that need no widening later: `bigint` and `double`, never `int` and `float`; `string`
/// where nothing else holds everything.
pub(super) fn hive_type(shape: &Shape) -> HiveType {
    let all = shape.values();
    match shape {
        _ if all == 0 => HiveType::String,
        s if s.booleans == all => HiveType::Boolean,
        s if s.integers == all => HiveType::BigInt,
        // Integers beyond a bigint are identifiers more often than measures: a double would round them.
        s if s.integers + s.fractions == all => HiveType::Double,
        s if s.arrays == all => HiveType::Array(Box::new(s.element.as_deref().map_or(HiveType::String, hive_type))),
        s if s.objects == all => object(s),
        _ => HiveType::String,
    }
}

fn object(shape: &Shape) -> HiveType {
    let each = shape.fields.iter().map(|(_, f)| f.seen()).sum::<u64>();
    let sparse = shape.fields.len() > NAMES && each * 5 < shape.objects * shape.fields.len() as u64;
    let fits = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let clash = |i: usize| shape.fields[..i].iter().any(|(n, _)| n.eq_ignore_ascii_case(&shape.fields[i].0));
    let named = |i: usize| fits(&shape.fields[i].0) && !clash(i);
    if shape.fields.is_empty() || sparse || shape.more_fields > 0 || !(0..shape.fields.len()).all(named) {
        return HiveType::Map(Box::new(hive_type(&shape.merged_fields())));
    }
    let field = |(name, shape): &(String, Shape)| StructField { name: name.clone(), hive_type: hive_type(shape) };
    HiveType::Struct(shape.fields.iter().map(field).collect())
}
