//! Decimals from JSON numbers and strings, exactly: no step goes through a float.

use super::coerce::{Coerced, Mismatch, string};

/// `decimal(precision,scale)` as its digits without the point: from a number, or from a string that holds one, with
/// commas anywhere (`"1,234.50"`). Rounded half up; what has more digits than the precision is no such decimal.
pub fn decimal(raw: &str, precision: u8, scale: u8) -> Coerced<i128> {
    match raw.as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'-' | b'0'..=b'9') => exact(raw, precision, scale).map(Some),
        Some(b'"') => {
            let text = string(raw).ok_or(Mismatch)?;
            let text = if text.contains(',') { text.replace(',', "").into() } else { text };
            exact(&text, precision, scale).map(Some)
        }
        _ => Err(Mismatch),
    }
}

/// `[+-]digits[.digits][e[+-]digits]`, with a digit before or behind the point.
fn exact(text: &str, precision: u8, scale: u8) -> Result<i128, Mismatch> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        // Java's limit too.
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| Mismatch)?),
        None => (text, 0),
    };
    let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return Err(Mismatch);
    }
    let digits = || whole.bytes().chain(fraction.bytes()).skip_while(|b| *b == b'0');
    let count = digits().count() as i64;
    // The value is these digits times ten to the power of this; wanted is a whole number of 10^-scale.
    let power = i64::from(exponent) - fraction.len() as i64 + i64::from(scale);
    // A number as long as the precision is read in full, anything longer is refused before it could overflow.
    let kept = count + power.min(0);
    if count == 0 || kept < 0 {
        return Ok(0);
    }
    if count + power > i64::from(precision) {
        return Err(Mismatch);
    }
    let mut value = digits().take(kept as usize).fold(0i128, |sum, b| sum * 10 + i128::from(b - b'0'));
    if power < 0 && digits().nth(kept as usize).is_some_and(|b| b >= b'5') {
        value += 1;
    }
    value *= 10i128.pow(power.max(0) as u32);
    if value >= 10i128.pow(u32::from(precision)) {
        return Err(Mismatch);
    }
    Ok(if mantissa.starts_with('-') { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_and_rounded_half_up() {
        for (raw, precision, scale, want) in [
            ("1.25", 5, 2, 125),
            ("-1.25", 5, 2, -125),
            ("1.245", 5, 2, 125),
            ("-1.245", 5, 2, -125),
            ("1.2449999999999999999999999999999999999999999", 5, 2, 124),
            ("0.1", 38, 38, 10i128.pow(37)),
            ("999.994", 5, 2, 99999),
            ("7", 5, 2, 700),
            ("1e2", 5, 2, 10000),
            ("1.5E-1", 5, 2, 15),
            ("0.004", 5, 2, 0),
            ("0.005", 5, 2, 1),
            ("0.0004999", 5, 2, 0),
            ("5e-3", 5, 2, 1),
            ("5e-4", 5, 2, 0),
            ("-0.0", 5, 2, 0),
            ("0e2147483647", 5, 2, 0),
            ("1e-2147483648", 5, 2, 0),
            ("000.1", 1, 1, 1),
            ("0.95", 1, 0, 1),
            ("9.4", 1, 0, 9),
            ("99999999999999999999999999999999999999", 38, 0, 10i128.pow(38) - 1),
            ("-99999999999999999999999999999.999999999", 38, 9, 1 - 10i128.pow(38)),
            ("\"1.25\"", 5, 2, 125),
            ("\"+1,0.2,5\"", 5, 2, 1025),
            ("\"1\\u0031\"", 5, 2, 1100),
            ("\".5\"", 5, 2, 50),
            ("\"5.\"", 5, 2, 500),
        ] {
            assert_eq!(decimal(raw, precision, scale), Ok(Some(want)), "{raw} as decimal({precision},{scale})");
        }
        assert_eq!(decimal("null", 5, 2), Ok(None));
    }

    #[test]
    fn what_does_not_fit_is_refused_at_once() {
        for (raw, precision, scale) in [
            ("999.995", 5, 2),
            ("1000", 5, 2),
            ("9.5", 1, 0),
            ("1e38", 38, 0),
            ("1e2147483647", 38, 0),
            ("1e99999999999", 38, 0),
            ("1e-99999999999", 38, 0),
            ("1", 38, 38),
            ("true", 5, 2),
            ("[1]", 5, 2),
            ("{}", 5, 2),
            ("\"\"", 5, 2),
            ("\"x\"", 5, 2),
            ("\" 1\"", 5, 2),
            ("\"1e\"", 5, 2),
            ("\".\"", 5, 2),
            ("\"-\"", 5, 2),
            ("\"--1\"", 5, 2),
            ("\"1.2.3\"", 5, 2),
            ("\"NaN\"", 5, 2),
            ("\"٣\"", 5, 2),
            ("", 5, 2),
        ] {
            assert_eq!(decimal(raw, precision, scale), Err(Mismatch), "{raw} as decimal({precision},{scale})");
        }
        let long = format!("{}.5", "9".repeat(1_000_000));
        assert_eq!(decimal(&long, 38, 0), Err(Mismatch));
        assert_eq!(decimal(&format!("{}1", "0.".to_owned() + &"0".repeat(1_000_000)), 38, 2), Ok(Some(0)));
    }
}
