//! Identifiers that can be computed from a number and read back, so that no user costs memory before it is changed.

/// The digits of base 62, in the order KSUIDs use.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// How many digits hold any 64-bit number.
const HEAD: usize = 11;
/// How many digits stand behind the underscore.
const LENGTH: usize = 27;
/// An odd number, to spread seeds apart.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// What an identifier names; each kind has identifiers of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    User,
    Organization,
    Membership,
    Identification,
    Instance,
}

impl Family {
    fn prefix(self) -> &'static str {
        match self {
            Self::User => "user_",
            Self::Organization => "org_",
            Self::Membership => "orgmem_",
            Self::Identification => "idn_",
            Self::Instance => "ins_",
        }
    }

    fn offset(self, seed: u64) -> u64 {
        mix(seed.wrapping_add((self as u64) << 56)).wrapping_mul(GOLDEN)
    }

    /// The identifier of number `n` in the world of a seed.
    pub(crate) fn id(self, seed: u64, n: u64) -> String {
        let head = mix(n.wrapping_add(self.offset(seed)));
        let mut id = String::with_capacity(self.prefix().len() + LENGTH);
        id.push_str(self.prefix());
        push_digits(&mut id, head, HEAD);
        push_digits(&mut id, mix(head ^ GOLDEN), 8);
        push_digits(&mut id, mix(head ^ GOLDEN.rotate_left(17)), LENGTH - HEAD - 8);
        id
    }

    /// The number that an identifier was made from; `None` for one that was not.
    pub(crate) fn number(self, seed: u64, id: &str) -> Option<u64> {
        let digits = id.strip_prefix(self.prefix()).filter(|digits| digits.len() == LENGTH && digits.is_ascii())?;
        let head = digits.bytes().take(HEAD).try_fold(0u64, |sum, byte| {
            let digit = DIGITS.iter().position(|&known| known == byte)?;
            sum.checked_mul(62)?.checked_add(u64::try_from(digit).ok()?)
        })?;
        let n = unmix(head).wrapping_sub(self.offset(seed));
        (self.id(seed, n) == id).then_some(n)
    }
}

/// The identifier of user `n`, counted from 0, in the world of a seed.
pub fn user_id(seed: u64, n: u64) -> String {
    Family::User.id(seed, n)
}

/// Scatters a number over all 64 bits; no two numbers fall together.
pub(crate) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Takes [`mix`] back.
fn unmix(mut x: u64) -> u64 {
    x = (x ^ (x >> 31) ^ (x >> 62)).wrapping_mul(0x3196_42B2_D24D_8EC3);
    x = (x ^ (x >> 27) ^ (x >> 54)).wrapping_mul(0x96DE_1B17_3F11_9089);
    x ^ (x >> 30) ^ (x >> 60)
}

fn push_digits(id: &mut String, mut number: u64, count: usize) {
    let mut digits = [b'0'; HEAD];
    for digit in digits[..count].iter_mut().rev() {
        *digit = DIGITS[usize::try_from(number % 62).expect("below 62")];
        number /= 62;
    }
    id.extend(digits[..count].iter().map(|&digit| char::from(digit)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_from_their_ids() {
        for seed in [0, 1, 42, u64::MAX] {
            for n in [0, 1, 99, 1_000_000, u64::MAX] {
                let id = user_id(seed, n);
                assert_eq!(id.len(), 32);
                assert_eq!(Family::User.number(seed, &id), Some(n));
                assert_ne!(Family::User.number(seed ^ 5, &id), Some(n));
                assert_eq!(Family::Organization.number(seed, &id), None);
            }
        }
    }

    #[test]
    fn an_id_that_was_altered_names_nobody() {
        let id = user_id(1, 7);
        let last = if id.ends_with('x') { 'y' } else { 'x' };
        assert_eq!(Family::User.number(1, &format!("{}{last}", &id[..31])), None);
        for id in ["", "user_", "user_123", "user_ÄÄÄÄÄÄÄÄÄÄÄÄÄ1", "user_zzzzzzzzzzzzzzzzzzzzzzzzzzz"] {
            assert_eq!(Family::User.number(1, id), None, "{id}");
        }
    }
}
