//! The users that a seed makes: computed when they are looked at, never stored.

use std::fmt::Write as _;

use super::id::{Family, mix};
use super::profile::{Contact, Handle, Metadata, Profile, raw};

/// When the first of them signed up.
const FIRST_DAY: i64 = 1_700_000_000_000;
/// How long it takes until the next one does.
const STEP: i64 = 5_000;

/// The users 0 to `count - 1` of a seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Base {
    pub(crate) seed: u64,
    pub(crate) count: u32,
}

/// What chance has decided about one user.
#[derive(Clone, Copy)]
struct Traits(u64);

impl Traits {
    /// One in `n`; each `salt` decides anew.
    fn one_in(self, n: u64, salt: u64) -> bool {
        self.pick(n, salt) == 0
    }

    fn pick(self, n: u64, salt: u64) -> u64 {
        mix(self.0 ^ salt.wrapping_mul(0x0123_4567_89AB_CDEF)) % n
    }
}

impl Base {
    fn traits(self, slot: u32) -> Traits {
        Traits(mix(self.seed.rotate_left(32) ^ u64::from(slot)))
    }

    /// When a user was created; later users always later.
    pub(crate) fn created_at(self, slot: u32) -> i64 {
        let wobble = i64::try_from(self.traits(slot).pick(4_000, 0)).expect("below 4000");
        FIRST_DAY + i64::from(slot) * STEP + wobble
    }

    /// How many users were created before a moment.
    pub(crate) fn created_before(self, moment: i64) -> u32 {
        let guess = moment.saturating_sub(FIRST_DAY).div_euclid(STEP).clamp(0, i64::from(self.count));
        let guess = u32::try_from(guess).expect("clamped to the count");
        guess + u32::from(guess < self.count && self.created_at(guess) < moment)
    }

    /// The user of an id.
    pub(crate) fn slot(self, id: &str) -> Option<u32> {
        let number = Family::User.number(self.seed, id)?;
        u32::try_from(number).ok().filter(|&slot| slot < self.count)
    }

    /// The users that may have a handle; the caller looks whether they do.
    pub(crate) fn candidates(self, handle: Handle, text: &str) -> Vec<u32> {
        let slot = match handle {
            Handle::ExternalId => number(text, "cust_", ""),
            Handle::Phone => number(text, "+1555", ""),
            Handle::Username => number(text, "sample_", ""),
            Handle::Email => number(text, "user", "@example.com").or_else(|| number(text, "user", ".alt@example.com")),
        };
        let Some(slot) = slot.filter(|&slot| slot < self.count) else { return Vec::new() };
        // The one before may have claimed the address of this one, unverified.
        let claimant = if slot == 0 { self.count - 1 } else { slot - 1 };
        if handle == Handle::Email && claimant != slot { vec![slot, claimant] } else { vec![slot] }
    }

    /// Who a user is.
    pub(crate) fn profile(self, slot: u32) -> Profile {
        let traits = self.traits(slot);
        let created_at = self.created_at(slot);
        let active = traits.pick(3, 1) != 0;
        let seen = created_at + i64::try_from(traits.pick(86_400_000, 2)).expect("below a day");
        let named = traits.pick(5, 3) < 3;
        Profile {
            id: Family::User.id(self.seed, u64::from(slot)),
            external_id: (!traits.one_in(10, 4)).then(|| format!("cust_{slot:06}")),
            username: traits.one_in(4, 5).then(|| format!("sample_{slot:06}")),
            first_name: named.then(|| "Sample".to_owned()),
            last_name: named.then(|| format!("User {slot:06}")),
            emails: self.emails(slot),
            phones: phones(slot, traits),
            created_at,
            last_sign_in_at: active.then_some(seen),
            last_active_at: active.then_some(seen - seen.rem_euclid(86_400_000)),
        }
    }

    fn emails(self, slot: u32) -> Vec<Contact> {
        let traits = self.traits(slot);
        let mut emails = Vec::with_capacity(2);
        if !traits.one_in(29, 10) {
            emails.push(Contact::verified(format!("user{slot:06}@example.com")));
        }
        if traits.one_in(6, 11) {
            emails.push(Contact::verified(format!("user{slot:06}.alt@example.com")));
        }
        if traits.one_in(23, 12) && self.count > 1 {
            emails.push(Contact::unverified(format!("user{:06}@example.com", (slot + 1) % self.count)));
        }
        emails
    }

    /// What a user holds before anybody writes.
    pub(crate) fn metadata(self, slot: u32) -> Metadata {
        let traits = self.traits(slot);
        Metadata([raw(&public(traits)), raw(&private(traits)), raw(unsafe_field(traits))])
    }
}

fn phones(slot: u32, traits: Traits) -> Vec<Contact> {
    let text = || format!("+1555{slot:07}");
    // Whoever has no email address has a phone number.
    if traits.one_in(3, 13) || traits.one_in(29, 10) {
        vec![Contact::verified(text())]
    } else if traits.one_in(17, 14) {
        vec![Contact::unverified(text())]
    } else {
        Vec::new()
    }
}

/// The keys stand in the order in which they are written after a change, so that a read and a write look alike.
fn public(traits: Traits) -> String {
    if traits.one_in(20, 20) {
        return "{}".to_owned();
    }
    let role = ["member", "member", "member", "viewer", "editor", "admin"][index(traits.pick(6, 21))];
    let plan = ["free", "free", "pro", "team"][index(traits.pick(4, 22))];
    let mut text = "{".to_owned();
    if traits.one_in(9, 27) {
        text.push_str(r#""legacy":true,"#);
    }
    if traits.one_in(7, 25) {
        let _ = write!(text, r#""onboarding":{{"done":false,"step":{}}},"#, traits.pick(5, 26));
    }
    let _ = write!(text, r#""plan":"{plan}","role":"{role}""#);
    if plan == "team" {
        let _ = write!(text, r#","seats":{}"#, 1 + traits.pick(50, 23));
    }
    if traits.one_in(5, 24) {
        text.push_str(r#","tags":["beta","early"]"#);
    }
    text.push('}');
    text
}

fn private(traits: Traits) -> String {
    match traits.pick(10, 30) {
        0 => "null".to_owned(),
        1..=4 => format!(r#"{{"stripe":{{"customer_id":"cus_{:014x}"}}}}"#, traits.pick(1 << 56, 31)),
        5 => format!(r#"{{"notes":"Größe {}","score":{}.50}}"#, traits.pick(100, 32), traits.pick(10, 33)),
        _ => "{}".to_owned(),
    }
}

fn unsafe_field(traits: Traits) -> &'static str {
    match traits.pick(4, 40) {
        0 => r#"{"theme":"dark"}"#,
        1 => r#"{"newsletter":true,"theme":"light"}"#,
        _ => "{}",
    }
}

fn index(pick: u64) -> usize {
    usize::try_from(pick).expect("a pick from a short list")
}

fn number(text: &str, before: &str, behind: &str) -> Option<u32> {
    let digits = text.strip_prefix(before)?.strip_suffix(behind)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Base = Base { seed: 1, count: 2_000 };

    #[test]
    fn every_user_is_found_by_everything_it_has() {
        for slot in 0..BASE.count {
            let profile = BASE.profile(slot);
            assert_eq!(BASE.slot(&profile.id), Some(slot));
            assert!(profile.emails.len() + profile.phones.len() > 0);
            for (handle, text) in profile.handles() {
                assert!(BASE.candidates(handle, text).contains(&slot), "{text}");
            }
        }
    }

    #[test]
    fn the_world_has_the_variety_of_a_real_one() {
        let profiles: Vec<_> = (0..BASE.count).map(|slot| BASE.profile(slot)).collect();
        let some = |test: &dyn Fn(&Profile) -> bool| {
            let count = profiles.iter().filter(|profile| test(profile)).count();
            assert!(count > 0 && count < profiles.len());
        };
        some(&|user| user.external_id.is_none());
        some(&|user| user.username.is_none());
        some(&|user| user.first_name.is_none());
        some(&|user| user.emails.len() > 1);
        some(&|user| user.emails.iter().any(|email| !email.verified));
        some(&|user| user.phones.is_empty());
    }

    #[test]
    fn creation_moves_forward_and_is_found_by_search() {
        for slot in 0..BASE.count {
            let at = BASE.created_at(slot);
            assert!(slot == 0 || BASE.created_at(slot - 1) < at);
            assert_eq!(BASE.created_before(at), slot);
            assert_eq!(BASE.created_before(at + 1), slot + 1);
        }
        assert_eq!(BASE.created_before(0), 0);
        assert_eq!(BASE.created_before(i64::MAX), BASE.count);
    }
}
