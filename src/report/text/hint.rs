//! The way out for each known cause, in one sentence.

use std::borrow::Cow;

use super::quoted;
use crate::outcome::Outcome;

/// What to do about a cause. Codes that say more than the outcome come first.
pub(super) fn hint(outcome: Outcome, code: &str) -> Option<Cow<'static, str>> {
    // The code of a guard is its name.
    if outcome == Outcome::Blocked && code.starts_with("forbid:") {
        return Some(format!("if this is meant, lift the guard with --allow {}", quoted(code)).into());
    }
    by_code(code).or_else(|| by_outcome(outcome)).map(Cow::Borrowed)
}

fn by_code(code: &str) -> Option<&'static str> {
    Some(match code {
        "authorization_header_format_invalid" | "clerk_key_invalid" | "authentication_invalid" => {
            "the key was refused: check that it is whole, not revoked, and of this instance, then resume"
        }
        "authorization_invalid" | "authorization_missing_scopes" | "quota_exceeded" => {
            "the key may not do this: check its permissions and the instance's plan, then resume"
        }
        "too_many_requests" => "other traffic uses up the limit: retry with a smaller --share, or at a quieter time",
        "resource_locked" => "something else kept changing these users: retry",
        "timeout" | "gateway_timeout" | "service_unavailable" | "internal_clerk_error" => {
            "Clerk did not answer well for too long: retry once it does"
        }
        "attribute_managed_by_scim" | "user_managed_by_scim" => {
            "a directory manages these users: change them there, or leave their rows out"
        }
        "not_applied" => "the answer did not hold what was sent: compare with a new plan before trying again",
        _ => return None,
    })
}

const fn by_outcome(outcome: Outcome) -> Option<&'static str> {
    Some(match outcome {
        Outcome::Rejected => "mend these rows in the file of failed rows and feed it back",
        Outcome::NotFound => "check the identities, and that the key is of the right instance",
        Outcome::Ambiguous => "name each of these users by user_id instead",
        Outcome::TooLarge => "shrink or remove values: a field holds 8,192 bytes at most",
        Outcome::Blocked => "if this is meant, lift the guard with --allow",
        Outcome::Drifted => "somebody else changed these users meanwhile: a retry compares them anew",
        Outcome::Failed => "the file of failed rows says what was refused; retry where the cause is gone",
        Outcome::Applied | Outcome::Unchanged | Outcome::Planned | Outcome::Pending => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_went_wrong_has_a_way_out() {
        for outcome in Outcome::ALL {
            let has_hint = hint(outcome, "never heard of").is_some();
            assert_eq!(has_hint, outcome.is_final() && !outcome.is_good(), "{outcome}");
        }
        let guard = hint(Outcome::Blocked, "forbid:public_metadata.plan").expect("is known");
        assert!(guard.ends_with("--allow forbid:public_metadata.plan"), "{guard}");
        assert!(hint(Outcome::Blocked, "forbid:a b").expect("is known").ends_with("--allow 'forbid:a b'"));
        assert!(hint(Outcome::Failed, "clerk_key_invalid").expect("is known").starts_with("the key was refused"));
    }
}
