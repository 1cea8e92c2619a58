//! Lists with an envelope: organizations and memberships.

use serde::Serialize;

use super::super::error::ApiError;
use super::super::query::Params;
use super::Ask;

/// Writes `{"data": […], "total_count": n}` with the rows that were asked for.
pub(super) fn enveloped<T: Copy>(
    ask: &Ask<'_>,
    rows: &[T],
    mut write: impl FnMut(&mut Vec<u8>, T),
) -> Result<Vec<u8>, ApiError> {
    let (limit, offset) = (ask.params.limit(ask.config.over_limit)?, ask.params.offset()?);
    let mut out = b"{\"data\":".to_vec();
    array(&mut out, rows.iter().copied().skip(offset).take(limit), &mut write);
    out.extend_from_slice(format!(",\"total_count\":{}}}", rows.len()).as_bytes());
    Ok(out)
}

/// Writes a JSON array.
pub(super) fn array<T>(out: &mut Vec<u8>, rows: impl Iterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (place, row) in rows.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write(out, row);
    }
    out.push(b']');
}

/// Values of which some are to be in and some are to be out (`+` and `-` before them).
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Signed<'p> {
    pub(super) include: Vec<&'p str>,
    pub(super) exclude: Vec<&'p str>,
}

impl<'p> Signed<'p> {
    /// Reads all values of a name.
    pub(super) fn of(params: &'p Params, name: &str) -> Result<Self, ApiError> {
        let mut signed = Self::default();
        for value in params.all(name)? {
            match value.strip_prefix('-') {
                Some(value) => signed.exclude.push(value),
                None => signed.include.push(value.strip_prefix('+').unwrap_or(value)),
            }
        }
        Ok(signed)
    }

    /// Whether a value passes.
    pub(super) fn passes(&self, value: &str) -> bool {
        (self.include.is_empty() || self.include.contains(&value)) && !self.exclude.contains(&value)
    }
}

/// The sign and the name of an `order_by`, which must be one of those that are known.
pub(super) fn order_by<'p>(params: &'p Params, known: &[&str]) -> Result<(bool, &'p str), ApiError> {
    let text = params.first("order_by").filter(|text| !text.is_empty()).unwrap_or("-created_at");
    let descending = text.starts_with('-');
    // A raw `+` has become a space on the way.
    let name = text.strip_prefix(['-', '+', ' ']).unwrap_or(text);
    let wrong = || ApiError::value_invalid("order_by", format!("{text} is not a value to order by."));
    if known.contains(&name) { Ok((descending, name)) } else { Err(wrong()) }
}

#[derive(Serialize)]
struct TotalCount {
    object: &'static str,
    total_count: usize,
}

/// Writes a number of things.
pub(super) fn total_count(total_count: usize) -> Vec<u8> {
    let count = TotalCount { object: "total_count", total_count };
    serde_json::to_vec(&count).expect("a number always serialises")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_read() {
        let params = Params::parse(Some("id=a&id=%2Bb&id=-c&id=+d"));
        let signed = Signed::of(&params, "id").expect("few");
        assert_eq!(signed, Signed { include: vec!["a", "b", " d"], exclude: vec!["c"] });
        assert!(signed.passes("a") && !signed.passes("c") && !signed.passes("x"));
    }

    #[test]
    fn orders_are_read() {
        let order =
            |query| order_by(&Params::parse(Some(query)), &["created_at"]).ok().map(|(descending, _)| descending);
        assert_eq!(order(""), Some(true));
        assert_eq!(order("order_by=created_at"), Some(false));
        assert_eq!(order("order_by=+created_at"), Some(false));
        assert_eq!(order("order_by=%2Bcreated_at&order_by=nope"), Some(false));
        assert_eq!(order("order_by=name"), None);
    }
}
