//! Numbers in words that people read: `1,000 users`, `1 min 40 s`.

use std::time::Duration;

/// A number with separators: `1,012`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut written = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            written.push(',');
        }
        written.push(digit);
    }
    written
}

/// A number of things, the noun in the right number: `1 user`, `1,000 users`.
pub fn count(n: u64, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(n))
}

/// A time as people say it, to its two greatest units: `0.4 s`, `12 s`, `1 min 40 s`, `2 h 47 min`, `3 d 4 h`.
pub fn duration(time: Duration) -> String {
    let tenths = time.as_millis().saturating_add(50) / 100;
    if tenths < 100 {
        return match (tenths / 10, tenths % 10) {
            (whole, 0) => format!("{whole} s"),
            (whole, tenth) => format!("{whole}.{tenth} s"),
        };
    }
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_millis() >= 500));
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// The smaller unit is left out where there is none of it.
fn two(great: u64, unit: &str, small: u64, smaller: &str) -> String {
    match small {
        0 => format!("{} {unit}", thousands(great)),
        _ => format!("{} {unit} {small} {smaller}", thousands(great)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        for (n, written) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(thousands(n), written);
        }
    }

    #[test]
    fn only_one_is_singular() {
        assert_eq!([0, 1, 2].map(|n| count(n, "row")), ["0 rows", "1 row", "2 rows"]);
    }

    #[test]
    fn times_are_said_in_their_two_greatest_units() {
        for (millis, said) in [
            (0, "0 s"),
            (40, "0 s"),
            (50, "0.1 s"),
            (449, "0.4 s"),
            (3_000, "3 s"),
            (9_949, "9.9 s"),
            (9_950, "10 s"),
            (59_499, "59 s"),
            (59_500, "1 min"),
            (100_000, "1 min 40 s"),
            (10_020_000, "2 h 47 min"),
            (7_200_000, "2 h"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), said, "{millis}");
        }
        assert!(!duration(Duration::MAX).is_empty());
    }
}
