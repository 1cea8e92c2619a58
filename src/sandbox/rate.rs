//! How much is allowed in how long: `1000/10s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A number of requests in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many requests.
    pub count: u32,
    /// In any window of this length.
    pub period: Duration,
}

impl Rate {
    /// A number of requests in a period.
    pub const fn new(count: u32, period: Duration) -> Self {
        Self { count, period }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a rate such as 1000/10s");
        let (count, period) = text.split_once('/').ok_or_else(wrong)?;
        let count = count.parse().map_err(|_| wrong())?;
        let period = duration(period)?;
        if count == 0 || period.is_zero() {
            return Err(format!("`{text}`: neither the count nor the period can be zero"));
        }
        Ok(Self { count, period })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:?}", self.count, self.period)
    }
}

/// The limit of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quota {
    /// As Clerk does it: 100 in 10 s for test keys, 1000 in 10 s for all others.
    #[default]
    ByKey,
    /// No limit.
    Off,
    /// This limit for every key.
    Fixed(Rate),
}

impl Quota {
    /// The limit that holds for a key.
    pub fn rate(self, key: &str) -> Option<Rate> {
        match self {
            Self::Off => None,
            Self::Fixed(rate) => Some(rate),
            Self::ByKey if is_test_key(key) => Some(Rate::new(100, Duration::from_secs(10))),
            Self::ByKey => Some(Rate::new(1000, Duration::from_secs(10))),
        }
    }
}

/// Whether a key belongs to a development instance.
pub(super) fn is_test_key(key: &str) -> bool {
    key.starts_with("sk_test_") || key.starts_with("test_")
}

/// Reads `20ms`, `1.5s`, `2m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration such as 300ms or 10s");
    let signed: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    signed.try_into().map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        assert_eq!("50/300ms".parse(), Ok(Rate::new(50, Duration::from_millis(300))));
        assert_eq!("1000/10s".parse(), Ok(Rate::new(1000, Duration::from_secs(10))));
        for wrong in ["", "10", "10/", "/10s", "0/1s", "5/0s", "-1/1s", "5/-1s"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_key_decides_the_limit() {
        assert_eq!(Quota::ByKey.rate("sk_test_x").map(|rate| rate.count), Some(100));
        assert_eq!(Quota::ByKey.rate("sk_live_x").map(|rate| rate.count), Some(1000));
        assert_eq!(Quota::Off.rate("sk_live_x"), None);
    }
}
