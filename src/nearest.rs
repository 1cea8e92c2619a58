//! The nearest valid name, for errors about a name that is not valid.

/// How alike two names must be for one to be offered in place of the other; 1 is the same name.
const ALIKE: f64 = 0.85;

/// The candidate that `name` most likely was meant to be, if any is near.
///
/// Case, spaces and dashes are no difference: `Email Address` is `email_address`.
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // A name longer than this is no slip of the finger, and comparing takes time that grows with its square.
    let name: String = name.chars().take(256).map(plain).collect();
    let scored = candidates.into_iter().map(|candidate| {
        let plain: String = candidate.chars().map(plain).collect();
        (strsim::jaro_winkler(&name, &plain), candidate)
    });
    scored.filter(|(score, _)| *score >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, candidate)| candidate)
}

fn plain(letter: char) -> char {
    match letter {
        ' ' | '-' => '_',
        _ => letter.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_name_that_was_meant() {
        let names = ["user_id", "external_id", "email_address", "phone_number", "username", "public_metadata"];
        for (slip, meant) in [
            ("userid", Some("user_id")),
            ("User ID", Some("user_id")),
            ("email", Some("email_address")),
            ("phone", Some("phone_number")),
            ("pubic_metadata", Some("public_metadata")),
            ("role", None),
            ("", None),
            ("plan", None),
        ] {
            assert_eq!(nearest(slip, names), meant, "{slip}");
        }
    }
}
