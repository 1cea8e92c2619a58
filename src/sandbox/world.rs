//! The users, organizations and memberships that the sandbox holds.
//!
//! Users of a seed are computed on the fly ([`base`]); memory is spent only on what was changed, created or loaded. A
//! user is addressed by its *slot*: first come those of the seed, then the others.

pub(crate) mod base;
pub(crate) mod id;
pub(crate) mod load;
pub(crate) mod organization;
pub(crate) mod profile;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use base::Base;
use organization::Organizations;
use profile::{Handle, Metadata, Profile};

/// Everything there is.
#[derive(Debug)]
pub(crate) struct World {
    base: Base,
    /// The users that no seed made; slots go on behind those of the base.
    others: Vec<Profile>,
    /// Where those and changed users are found.
    index: HashMap<(Handle, Box<str>), Vec<u32>>,
    ids: HashMap<Box<str>, u32>,
    /// The others, by creation.
    by_creation: BTreeSet<(i64, u32)>,
    changes: HashMap<u32, Change>,
    deleted: HashSet<u32>,
    pub(crate) organizations: Organizations,
}

/// What is no longer as the seed made it.
#[derive(Debug, Default)]
struct Change {
    metadata: Option<Metadata>,
    profile: Option<Box<Profile>>,
    updated_at: i64,
}

impl World {
    /// The world of a seed.
    pub(crate) fn new(seed: u64, users: u32) -> Self {
        Self {
            base: Base { seed, count: users },
            others: Vec::new(),
            index: HashMap::new(),
            ids: HashMap::new(),
            by_creation: BTreeSet::new(),
            changes: HashMap::new(),
            deleted: HashSet::new(),
            organizations: Organizations::new(seed, users),
        }
    }

    /// How many users there are.
    pub(crate) fn len(&self) -> usize {
        self.slots() as usize - self.deleted.len()
    }

    fn slots(&self) -> u32 {
        self.base.count + u32::try_from(self.others.len()).expect("fewer users than 2^32")
    }

    /// The user of an id.
    pub(crate) fn slot(&self, id: &str) -> Option<u32> {
        let slot = self.base.slot(id).or_else(|| self.ids.get(id).copied());
        slot.filter(|slot| !self.deleted.contains(slot))
    }

    /// Whether a slot holds a user.
    pub(crate) fn exists(&self, slot: u32) -> bool {
        slot < self.slots() && !self.deleted.contains(&slot)
    }

    /// Who a user is.
    pub(crate) fn profile(&self, slot: u32) -> Cow<'_, Profile> {
        if let Some(profile) = self.changes.get(&slot).and_then(|change| change.profile.as_deref()) {
            return Cow::Borrowed(profile);
        }
        match slot.checked_sub(self.base.count) {
            None => Cow::Owned(self.base.profile(slot)),
            Some(place) => Cow::Borrowed(&self.others[place as usize]),
        }
    }

    /// What a user holds.
    pub(crate) fn metadata(&self, slot: u32) -> Cow<'_, Metadata> {
        match self.changes.get(&slot).and_then(|change| change.metadata.as_ref()) {
            Some(metadata) => Cow::Borrowed(metadata),
            None if slot < self.base.count => Cow::Owned(self.base.metadata(slot)),
            None => Cow::Owned(Metadata::default()),
        }
    }

    /// When a user was created.
    pub(crate) fn created_at(&self, slot: u32) -> i64 {
        match slot.checked_sub(self.base.count) {
            None => self.base.created_at(slot),
            Some(place) => self.others[place as usize].created_at,
        }
    }

    /// When a user was changed last.
    pub(crate) fn updated_at(&self, slot: u32) -> i64 {
        self.changes.get(&slot).map_or_else(|| self.created_at(slot), |change| change.updated_at)
    }

    fn change(&mut self, slot: u32) -> &mut Change {
        let before = self.updated_at(slot);
        let change = self.changes.entry(slot).or_default();
        change.updated_at = now().max(before + 1);
        change
    }

    /// Gives a user other metadata.
    pub(crate) fn set_metadata(&mut self, slot: u32, metadata: Metadata) {
        self.change(slot).metadata = Some(metadata);
    }

    /// Makes a user somebody else.
    pub(crate) fn set_profile(&mut self, slot: u32, profile: Profile) {
        for (handle, text) in profile.handles() {
            let slots = self.index.entry((handle, text.into())).or_default();
            if !slots.contains(&slot) {
                slots.push(slot);
            }
        }
        self.change(slot).profile = Some(Box::new(profile));
    }

    /// All users that can be found so, verified or not.
    pub(crate) fn find(&self, handle: Handle, text: &str) -> Vec<u32> {
        let mut slots = self.base.candidates(handle, text);
        if !self.index.is_empty() {
            slots.extend(self.index.get(&(handle, text.into())).into_iter().flatten());
        }
        slots.retain(|&slot| self.exists(slot) && self.profile(slot).has(handle, text));
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// Adds a user; one without an id gets one.
    pub(crate) fn add(&mut self, mut profile: Profile, metadata: Option<Metadata>, updated_at: Option<i64>) -> u32 {
        let slot = self.slots();
        if profile.id.is_empty() {
            profile.id = id::user_id(self.base.seed, u64::from(slot));
        }
        for (handle, text) in profile.handles() {
            self.index.entry((handle, text.into())).or_default().push(slot);
        }
        self.ids.insert(profile.id.as_str().into(), slot);
        self.by_creation.insert((profile.created_at, slot));
        if metadata.is_some() || updated_at.is_some() {
            let updated_at = updated_at.unwrap_or(profile.created_at);
            self.changes.insert(slot, Change { metadata, profile: None, updated_at });
        }
        self.others.push(profile);
        slot
    }

    /// Removes a user.
    pub(crate) fn delete(&mut self, slot: u32) -> bool {
        self.changes.remove(&slot);
        if let Some(place) = slot.checked_sub(self.base.count).filter(|_| self.exists(slot)) {
            self.by_creation.remove(&(self.others[place as usize].created_at, slot));
        }
        self.exists(slot) && self.deleted.insert(slot)
    }

    /// All users by creation, newest or oldest first, those behind a given one only.
    pub(crate) fn by_creation(&self, newest_first: bool, behind: Option<u32>) -> Box<dyn Iterator<Item = u32> + '_> {
        let mark = behind.map(|slot| (self.created_at(slot), slot));
        let base = self.base_range(newest_first, mark);
        if self.by_creation.is_empty() && self.deleted.is_empty() {
            return if newest_first { Box::new(base.rev()) } else { Box::new(base) };
        }
        let base: Box<dyn Iterator<Item = u32>> = if newest_first { Box::new(base.rev()) } else { Box::new(base) };
        let base = base.filter(|slot| !self.deleted.contains(slot)).map(|slot| (self.base.created_at(slot), slot));
        let others: Box<dyn Iterator<Item = &(i64, u32)>> = match (newest_first, mark) {
            (true, Some(mark)) => Box::new(self.by_creation.range(..mark).rev()),
            (true, None) => Box::new(self.by_creation.iter().rev()),
            (false, Some(mark)) => Box::new(self.by_creation.range((mark.0, mark.1 + 1)..)),
            (false, None) => Box::new(self.by_creation.iter()),
        };
        Box::new(interleave(base, others.copied(), newest_first))
    }

    fn base_range(&self, newest_first: bool, mark: Option<(i64, u32)>) -> std::ops::Range<u32> {
        let count = self.base.count;
        match mark {
            None => 0..count,
            Some((_, slot)) if slot < count => {
                if newest_first {
                    0..slot
                } else {
                    slot + 1..count
                }
            }
            // Another user that was created in the same millisecond stands before, for its slot is lower.
            Some((at, _)) if newest_first => 0..self.base.created_before(at + 1),
            Some((at, _)) => self.base.created_before(at + 1)..count,
        }
    }
}

/// Merges two ordered sequences into one.
fn interleave(
    one: impl Iterator<Item = (i64, u32)>,
    two: impl Iterator<Item = (i64, u32)>,
    descending: bool,
) -> impl Iterator<Item = u32> {
    let (mut one, mut two) = (one.peekable(), two.peekable());
    std::iter::from_fn(move || {
        let first = match (one.peek(), two.peek()) {
            (Some(a), Some(b)) => (a < b) != descending,
            (a, _) => a.is_some(),
        };
        if first { one.next() } else { two.next() }.map(|(_, slot)| slot)
    })
}

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests;
