//! How many requests in how long, how much of that one run may take, and how long a number of requests takes then.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest period that a rate may have.
const MAX_PERIOD: Duration = Duration::from_hours(24);

/// How many requests may fall into any stretch of time of a given length: `1000/10s`.
///
/// The count is at least 1, the period between a millisecond and a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    count: u32,
    period: Duration,
}

impl Rate {
    /// What Clerk allows a production instance.
    pub const LIVE: Self = Self { count: 1000, period: Duration::from_secs(10) };
    /// What Clerk allows a development instance.
    pub const TEST: Self = Self { count: 100, period: Duration::from_secs(10) };
    /// What Clerk allows for writes of one user.
    pub const PER_USER: Self = Self { count: 10, period: Duration::from_secs(10) };

    /// A rate of `count` requests in `period`, which is rounded down to milliseconds.
    pub fn new(count: u32, period: Duration) -> Result<Self, RateError> {
        let shown = || format!("{count}/{period:?}");
        let period_ms = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
        if count == 0 {
            return Err(RateError::Zero(shown()));
        }
        if period_ms == 0 || period > MAX_PERIOD {
            return Err(RateError::Period(shown()));
        }
        Ok(Self { count, period: Duration::from_millis(period_ms) })
    }

    /// How many requests.
    pub const fn count(self) -> u32 {
        self.count
    }

    /// In how long.
    pub const fn period(self) -> Duration {
        self.period
    }

    /// How many requests a share of this rate is in one period: at least one, or nothing would ever be sent.
    pub fn budget(self, share: Share) -> u32 {
        let part = u64::from(self.count) * u64::from(share.0) / u64::from(Share::FULL.0);
        u32::try_from(part).unwrap_or(self.count).max(1)
    }

    /// How many requests a second that is.
    pub fn per_second(self, share: Share) -> f64 {
        f64::from(self.budget(share)) / self.period.as_secs_f64()
    }
}

/// Why a text is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// Not of the form `N/PERIOD`.
    #[error("`{0}` is no rate; write a count and a period, as in `1000/10s`, `100/1s` or `10/500ms`")]
    Form(String),
    /// The count is zero.
    #[error("the rate `{0}` would never send anything; the count must be 1 or more, as in `100/10s`")]
    Zero(String),
    /// The period is nothing or longer than a day.
    #[error("the period of the rate `{0}` must lie between `1ms` and `24h`, as in `1000/10s`")]
    Period(String),
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let form = || RateError::Form(text.to_owned());
        let (count, period) = text.split_once('/').ok_or_else(form)?;
        let letters = period.find(|c: char| !c.is_ascii_digit()).ok_or_else(form)?;
        let (number, unit) = period.split_at(letters);
        let ms_per_unit = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(form()),
        };
        let number = digits(number).ok_or_else(form)?;
        let count = digits(count).and_then(|count| u32::try_from(count).ok()).ok_or_else(form)?;
        let period = Duration::from_millis(number.saturating_mul(ms_per_unit));
        Self::new(count, period).map_err(|error| match error {
            RateError::Zero(_) => RateError::Zero(text.to_owned()),
            _ => RateError::Period(text.to_owned()),
        })
    }
}

/// Digits alone: the standard parser would take a sign, too.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.period.as_millis();
        if ms.is_multiple_of(1000) {
            write!(f, "{}/{}s", self.count, ms / 1000)
        } else {
            write!(f, "{}/{ms}ms", self.count)
        }
    }
}

impl TryFrom<String> for Rate {
    type Error = RateError;

    fn try_from(text: String) -> Result<Self, RateError> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

/// A part of a rate, in percent: more than nothing, at most all of it, to a hundredth of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Share(u16);

/// Why a text is no share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no share; write a percentage above 0 and up to 100, as in `50%`")]
pub struct ShareError(pub String);

impl Share {
    /// All of it.
    pub const FULL: Self = Self(10_000);
    /// What a run takes of a live instance's rate unless told otherwise.
    pub const HALF: Self = Self(5_000);

    /// The share in percent.
    pub fn percent(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// The part `factor` of this share, but never nothing.
    pub(super) fn scaled(self, factor: Self) -> Self {
        let part = u32::from(self.0) * u32::from(factor.0) / u32::from(Self::FULL.0);
        Self(u16::try_from(part).unwrap_or(self.0).max(1))
    }

    /// This share and another together, but never more than all.
    pub(super) fn plus(self, other: Self, times: u32) -> Self {
        let sum = u32::from(self.0).saturating_add(u32::from(other.0).saturating_mul(times));
        Self(u16::try_from(sum).unwrap_or(u16::MAX)).min(Self::FULL)
    }

    /// A share of so many whole percent.
    pub(super) const fn of_percent(percent: u8) -> Self {
        assert!(percent > 0 && percent <= 100, "a share lies above 0 and up to 100 %");
        Self(percent as u16 * 100)
    }
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let refuse = || ShareError(text.to_owned());
        let number = text.strip_suffix('%').unwrap_or(text);
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        if whole.is_empty() || whole.len() > 3 || part.is_empty() || part.len() > 2 {
            return Err(refuse());
        }
        let hundredths = digits(part).ok_or_else(refuse)? * if part.len() == 1 { 10 } else { 1 };
        let all = digits(whole).ok_or_else(refuse)? * 100 + hundredths;
        let share = u16::try_from(all).map(Self).map_err(|_| refuse())?;
        if share.0 == 0 || share > Self::FULL { Err(refuse()) } else { Ok(share) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.percent())
    }
}

impl TryFrom<String> for Share {
    type Error = ShareError;

    fn try_from(text: String) -> Result<Self, ShareError> {
        text.parse()
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.to_string()
    }
}

/// How many requests may go at once below a full share: a fortieth of the budget, at least one.
///
/// Anything burstier takes its permits again one period later, in one burst again, and starves whoever else uses the
/// same key, without ever being refused itself.
pub(super) const fn burst(budget: u32) -> u32 {
    let burst = budget / 40;
    if burst == 0 { 1 } else { burst }
}

/// How long a number of requests will take at a rate, the latency of the API left out.
///
/// With a full share each budget goes at once and the next one a period later; below, requests are evenly spaced.
pub fn how_long(requests: u64, rate: Rate, share: Share) -> Duration {
    let budget = rate.budget(share);
    let nanos = rate.period().as_nanos();
    let nanos = if share == Share::FULL {
        nanos * u128::from(requests.div_ceil(u64::from(budget)).saturating_sub(1))
    } else {
        let paced = requests.saturating_sub(u64::from(burst(budget)));
        nanos.saturating_mul(u128::from(paced)) / u128::from(budget)
    };
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rate {
        text.parse().expect("is a rate")
    }

    fn share(text: &str) -> Share {
        text.parse().expect("is a share")
    }

    #[test]
    fn rates_are_read_and_shown() {
        for (text, count, ms, shown) in [
            ("1000/10s", 1000, 10_000, "1000/10s"),
            ("100/1s", 100, 1000, "100/1s"),
            ("10/500ms", 10, 500, "10/500ms"),
            ("60/1m", 60, 60_000, "60/60s"),
            ("1/24h", 1, 86_400_000, "1/86400s"),
            ("5/1500ms", 5, 1500, "5/1500ms"),
        ] {
            assert_eq!((rate(text).count(), rate(text).period()), (count, Duration::from_millis(ms)), "{text}");
            assert_eq!(rate(text).to_string(), shown);
            let stored = serde_json::to_string(&rate(text)).expect("is written");
            assert_eq!(stored, format!("\"{shown}\""));
            assert_eq!(serde_json::from_str::<Rate>(&stored).expect("is read back"), rate(text));
        }
    }

    #[test]
    fn what_is_no_rate_is_refused_with_an_example() {
        for bad in [
            "",
            "1000",
            "1000/",
            "/10s",
            "1000/10",
            "1000/s",
            "-1/10s",
            "+1/10s",
            "1.5/10s",
            "1000/10 s",
            " 1000/10s",
            "1000/10d",
            "0/10s",
            "10/0s",
            "10/25h",
            "99999999999/1s",
            "1/99999999999999999999s",
            "1/18446744073709551615h",
            "1/1s/1s",
        ] {
            let error = bad.parse::<Rate>().expect_err(bad).to_string();
            assert!(error.contains("0/10s`") && error.contains(&format!("`{bad}`")), "{bad}: {error}");
        }
        assert!(Rate::new(1, Duration::from_micros(999)).is_err());
    }

    #[test]
    fn shares_are_percentages_above_nothing() {
        for (text, shown) in
            [("50%", "50%"), ("50", "50%"), ("100%", "100%"), ("12.5%", "12.5%"), ("0.01", "0.01%"), ("7.05%", "7.05%")]
        {
            assert_eq!(share(text).to_string(), shown);
        }
        for bad in
            ["", "%", "0", "0%", "0.00", "100.01%", "101", "-5", "+5", "5%%", "1e1", "nan", "50 %", ".5", "5.", "1.234"]
        {
            let error = bad.parse::<Share>().expect_err(bad).to_string();
            assert!(error.contains("`50%`"), "{error}");
        }
    }

    #[test]
    fn a_budget_is_the_floor_of_the_share_but_never_nothing() {
        for (rate_text, share_text, budget) in [
            ("1000/10s", "50%", 500),
            ("1000/10s", "29%", 290),
            ("100/10s", "0.5%", 1),
            ("3/1s", "50%", 1),
            ("7/1s", "99%", 6),
        ] {
            assert_eq!(rate(rate_text).budget(share(share_text)), budget, "{rate_text} {share_text}");
        }
        assert_eq!(rate("4294967295/1s").budget(Share::FULL), u32::MAX);
    }

    #[test]
    fn the_estimate_counts_periods_at_a_full_share_and_spaces_below() {
        for (requests, percent, seconds) in [
            (0, 100, 0),
            (1, 100, 0),
            (1000, 100, 0),
            (1001, 100, 10),
            (2929, 100, 20),
            (12, 50, 0),
            (512, 50, 10),
            (40_400, 50, 807),
        ] {
            let took = how_long(requests, Rate::LIVE, Share::of_percent(percent));
            assert_eq!(took.as_secs(), seconds, "{requests} at {percent}");
        }
        assert!(how_long(u64::MAX, rate("1/24h"), share("1%")) > Duration::from_hours(24));
    }
}
