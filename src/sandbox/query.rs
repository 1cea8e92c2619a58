//! The parameters of a request, decoded as a form is.

use super::error::ApiError;

/// What happens to `limit` above 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum OverLimit {
    /// It counts as if it were absent: 10 rows, as seen in 2025.
    #[default]
    Ignore,
    /// It counts as 500.
    Clamp,
    /// 422.
    Refuse,
}

/// How many values a filter takes.
pub(super) const MOST_VALUES: usize = 100;
const DEFAULT_LIMIT: usize = 10;
const MOST_ROWS: usize = 500;

/// The query of a request.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query; `+` is a space in it.
    pub(super) fn parse(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// The first value of a name.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a name, refused beyond 100.
    pub(super) fn all(&self, name: &str) -> Result<Vec<&str>, ApiError> {
        let values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let values: Vec<_> = values.collect();
        if values.len() > MOST_VALUES { Err(ApiError::too_many_values(name, MOST_VALUES)) } else { Ok(values) }
    }

    /// A whole number.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let wrong = |_| ApiError::format_invalid(name, format!("{name} must be an integer."));
        self.first(name).map(|text| text.parse().map_err(wrong)).transpose()
    }

    /// How many rows are wanted.
    pub(super) fn limit(&self, over: OverLimit) -> Result<usize, ApiError> {
        let Some(number) = self.number("limit")? else { return Ok(DEFAULT_LIMIT) };
        let wrong = || ApiError::value_invalid("limit", "limit must be between 1 and 500.");
        let number = usize::try_from(number).ok().filter(|&number| number > 0).ok_or_else(wrong)?;
        match over {
            _ if number <= MOST_ROWS => Ok(number),
            OverLimit::Ignore => Ok(DEFAULT_LIMIT),
            OverLimit::Clamp => Ok(MOST_ROWS),
            OverLimit::Refuse => Err(wrong()),
        }
    }

    /// How many rows are to be left out.
    pub(super) fn offset(&self) -> Result<usize, ApiError> {
        let number = self.number("offset")?.unwrap_or(0);
        let wrong = |_| ApiError::value_invalid("offset", "offset must be zero or more.");
        usize::try_from(number).map_err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_plus_is_a_space_and_keys_repeat() {
        let params = Params::parse(Some("user_id=a&user_id=%2Bb&user_id=+c&user_id[0]=d"));
        assert_eq!(params.all("user_id").expect("few"), ["a", "+b", " c"]);
    }

    #[test]
    fn limits_have_their_bounds() {
        let limit = |query, over| Params::parse(Some(query)).limit(over).ok();
        assert_eq!(limit("", OverLimit::Ignore), Some(10));
        assert_eq!(limit("limit=500", OverLimit::Refuse), Some(500));
        assert_eq!(limit("limit=501", OverLimit::Ignore), Some(10));
        assert_eq!(limit("limit=501", OverLimit::Clamp), Some(500));
        for query in ["limit=501", "limit=0", "limit=-1", "limit=x"] {
            assert_eq!(limit(query, OverLimit::Refuse), None);
        }
    }

    #[test]
    fn a_hundred_values_are_taken() {
        let query = |n: usize| vec!["user_id=x"; n].join("&");
        assert!(Params::parse(Some(&query(100))).all("user_id").is_ok());
        assert!(Params::parse(Some(&query(101))).all("user_id").is_err());
    }
}
