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
    /// What is to be added to the exponent, where that is more than 128 bits hold; two of those are told apart by their
    /// digits, so that numbers which nobody can store are rather taken for different than for the same.
    beyond: &'a str,
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
            return Self { negative: false, digits, exponent: 0, beyond: "" };
        }
        let point = length(whole) - length_of(leading);
        let power = power.strip_prefix('+').unwrap_or(power);
        match power.parse::<i128>().ok().and_then(|power| point.checked_add(power)) {
            Some(exponent) => Self { negative, digits, exponent, beyond: "" },
            None => Self { negative, digits, exponent: point, beyond: power },
        }
    }
}

fn length(text: &str) -> i128 {
    length_of(text.len())
}

fn length_of(n: usize) -> i128 {
    i128::try_from(n).expect("a length fits")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            ("1e99999999999999999999999999999999999999999999", "1e99999999999999999999999999999999999999999998"),
            ("1e-99999999999999999999999999999999999999999999", "1e-99999999999999999999999999999999999999999998"),
            ("1e170141183460469231731687303715884105727", "1e170141183460469231731687303715884105726"),
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

    /// A decimal as a sign and a whole number of 10^-200, written out by hand: an oracle that knows no exponents.
    fn scaled(text: &str) -> (bool, String) {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let power: i32 = power.parse().expect("is small");
        let zeros = 200 + power - i32::try_from(fraction.len()).expect("is short");
        let digits = format!("{whole}{fraction}{}", "0".repeat(usize::try_from(zeros).expect("is positive")));
        let digits = digits.trim_start_matches('0').to_owned();
        (negative && !digits.is_empty(), digits)
    }

    const DECIMAL: &str = "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,2})?";

    proptest! {
        #![proptest_config(crate::json::arbitrary::config(500))]

        #[test]
        fn two_decimals_are_the_same_when_their_digits_written_out_are(a in DECIMAL, b in DECIMAL) {
            prop_assert_eq!(same_decimal(&n(&a), &n(&b)), scaled(&a) == scaled(&b), "{} {}", a, b);
        }

        #[test]
        fn a_decimal_written_otherwise_stays_the_same(whole in 0..1000_u32, fraction in "[0-9]{1,9}", by in 0..40_u32) {
            let plain = format!("{whole}.{fraction}");
            let shifted = format!("{whole}{fraction}{}e-{}", "0".repeat(by as usize), fraction.len() + by as usize);
            let shifted = shifted.trim_start_matches('0');
            let shifted = if shifted.starts_with('e') || shifted.is_empty() { format!("0{shifted}") } else { shifted.to_owned() };
            let tiny = format!("0.{}{whole}{fraction}e{}", "0".repeat(by as usize), by as usize + whole.to_string().len());
            prop_assert!(same_decimal(&n(&plain), &n(&shifted)), "{} {}", plain, shifted);
            prop_assert!(same_decimal(&n(&plain), &n(&tiny)), "{} {}", plain, tiny);
        }

        #[test]
        fn a_float_is_the_rounding_of_whatever_rounds_to_it(exact in DECIMAL) {
            let float: f64 = exact.parse().expect("is a number");
            for text in [format!("{float}"), format!("{float:e}"), format!("{float:.1074}")] {
                prop_assert!(same_after_rounding(&n(&exact), &n(&text)), "{} {}", exact, text);
                prop_assert!(same_after_rounding(&n(&text), &n(&exact)), "{} {}", text, exact);
            }
            let next = format!("{:e}", float.next_up().next_up());
            prop_assert!(!same_after_rounding(&n(&exact), &n(&next)), "{} {}", exact, next);
        }
    }
}
