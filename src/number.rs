//! When two JSON numbers are the same number.
//!
//! Nothing here goes through a 64-bit float unless the question is about 64-bit floats: a billing id of twenty digits
//! must not become another one.

use std::borrow::Cow;

use serde_json::Number;

/// Whether two numbers denote the same decimal: `1`, `1.0` and `10e-1` do, `-0` and `0` do.
pub fn same_decimal(a: &Number, b: &Number) -> bool {
    Decimal::of(a.as_str()) == Decimal::of(b.as_str())
}

/// Whether one number is the other rounded to a 64-bit float, as an API that stores floats would give it back.
///
/// True as well where the two are the same decimal. A float is recognised in its shortest form and in its exact one.
pub fn same_after_rounding(a: &Number, b: &Number) -> bool {
    same_decimal(a, b) || is_rounding_of(a.as_str(), b.as_str()) || is_rounding_of(b.as_str(), a.as_str())
}

/// Whether `float` is what a 64-bit float makes of `exact`.
fn is_rounding_of(float: &str, exact: &str) -> bool {
    let Some(rounded) = exact.parse::<f64>().ok().filter(|f| f.is_finite()) else {
        return false;
    };
    let wanted = Decimal::of(float);
    wanted == Decimal::of(&format!("{rounded:e}")) || wanted == Decimal::of(&format!("{rounded:.1074}"))
}

/// A decimal in its one normal form: `digits` has no zero at either end, and the value is `0.digits × 10^exponent`.
#[derive(Debug, PartialEq, Eq)]
struct Decimal<'a> {
    negative: bool,
    digits: Cow<'a, str>,
    exponent: i128,
}

impl<'a> Decimal<'a> {
    /// Reads a JSON number, or what Rust prints for a finite float.
    fn of(text: &'a str) -> Self {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all: Cow<'a, str> = if fraction.is_empty() { whole.into() } else { format!("{whole}{fraction}").into() };
        let leading = all.len() - all.trim_start_matches('0').len();
        let digits: Cow<'a, str> = match all {
            Cow::Borrowed(all) => all.trim_matches('0').into(),
            Cow::Owned(all) => all.trim_matches('0').to_owned().into(),
        };
        if digits.is_empty() {
            return Self { negative: false, digits, exponent: 0 };
        }
        let point = length(whole) - length_of(leading);
        Self { negative, digits, exponent: point.saturating_add(exponent(power)) }
    }
}

fn length(text: &str) -> i128 {
    length_of(text.len())
}

fn length_of(n: usize) -> i128 {
    i128::try_from(n).expect("a length fits")
}

/// An exponent beyond what 128 bits hold differs from every other only by its sign; saturating keeps the order.
fn exponent(text: &str) -> i128 {
    let digits = text.trim_start_matches('+');
    digits.parse().unwrap_or(if digits.starts_with('-') { i128::MIN / 2 } else { i128::MAX / 2 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Number {
        text.parse().expect("is a number")
    }

    #[test]
    fn the_same_decimal_however_it_is_written() {
        for (a, b) in [("1", "1.0"), ("1", "10e-1"), ("0", "-0.0"), ("1200", "1.2e3"), ("0.001", "1E-3"), ("0e5", "0")]
        {
            assert!(same_decimal(&n(a), &n(b)), "{a} {b}");
        }
    }

    #[test]
    fn different_decimals_however_close() {
        for (a, b) in [
            ("1", "-1"),
            ("12345678901234567890", "12345678901234567000"),
            ("0.1", "0.10000000000000000001"),
            ("1e400", "1e401"),
            ("10", "1"),
        ] {
            assert!(!same_decimal(&n(a), &n(b)), "{a} {b}");
        }
    }

    #[test]
    fn a_float_in_either_form_is_recognised_as_the_rounding() {
        for (a, b) in [
            ("12345678901234567890", "12345678901234567000"),
            ("12345678901234567890", "12345678901234567168"),
            ("12345678901234567890", "1.2345678901234567e19"),
            ("0.1000000000000000055511151231257827", "0.1"),
        ] {
            assert!(same_after_rounding(&n(a), &n(b)), "{a} {b}");
            assert!(same_after_rounding(&n(b), &n(a)), "{b} {a}");
        }
        assert!(!same_after_rounding(&n("12345678901234567890"), &n("12345678901234567891")));
        assert!(!same_after_rounding(&n("1e400"), &n("1e401")));
    }
}
