//! Which users a list shows: filters, order, cursor and offset.

use std::collections::HashSet;

use super::super::error::ApiError;
use super::super::query::Params;
use super::super::world::World;
use super::super::world::profile::{Handle, Profile};
use super::Ask;
use super::page::{Signed, order_by};

/// What `starting_after` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Cursor {
    /// The page begins behind that user.
    #[default]
    Honour,
    /// Nothing, as on a server from before August 2026.
    Ignore,
}

const ORDERS: [&str; 10] = [
    "created_at",
    "updated_at",
    "email_address",
    "web3wallet",
    "first_name",
    "last_name",
    "phone_number",
    "username",
    "last_active_at",
    "last_sign_in_at",
];

/// The users of one page, in order.
pub(super) fn page(world: &World, ask: &Ask<'_>) -> Result<Vec<u32>, ApiError> {
    let params = ask.params;
    let (limit, offset) = (params.limit(ask.config.over_limit)?, params.offset()?);
    let (descending, order) = order_by(params, &ORDERS)?;
    let behind = cursor(world, ask, order, offset)?;
    let filter = if ask.surplus { Filter::default() } else { Filter::read(world, params)? };
    if order != "created_at" {
        return Ok(ordered(world, &filter, order, descending).into_iter().skip(offset).take(limit).collect());
    }
    let slots: Box<dyn Iterator<Item = u32> + '_> = match &filter.only {
        Some(only) => Box::new(by_creation_among(world, only, descending, behind).into_iter()),
        None => world.by_creation(descending, behind),
    };
    Ok(if filter.passes_all() {
        slots.skip(offset).take(limit).collect()
    } else {
        slots.filter(|&slot| filter.passes(world, slot)).skip(offset).take(limit).collect()
    })
}

/// How many users the filters of a request leave.
pub(super) fn count(world: &World, params: &Params) -> Result<usize, ApiError> {
    let filter = Filter::read(world, params)?;
    Ok(if filter.passes_all() { world.len() } else { filter.slots(world).len() })
}

fn cursor(world: &World, ask: &Ask<'_>, order: &str, offset: usize) -> Result<Option<u32>, ApiError> {
    let Some(id) = ask.params.first("starting_after").filter(|_| ask.config.cursor == Cursor::Honour) else {
        return Ok(None);
    };
    let name = "starting_after";
    if order != "created_at" {
        return Err(ApiError::disallowed(name, "starting_after can only be used when ordering by created_at."));
    }
    if offset != 0 {
        return Err(ApiError::disallowed(name, "starting_after cannot be used together with offset."));
    }
    let unknown = || ApiError::value_invalid(name, format!("No user was found with id {id}"));
    world.slot(id).map(Some).ok_or_else(unknown)
}

fn by_creation_among(world: &World, only: &HashSet<u32>, descending: bool, behind: Option<u32>) -> Vec<u32> {
    let place = |slot: u32| (world.created_at(slot), slot);
    let mut slots: Vec<_> = only.iter().copied().collect();
    slots.sort_unstable_by_key(|&slot| place(slot));
    if descending {
        slots.reverse();
    }
    let mark = behind.map(place);
    slots.retain(|&slot| mark.is_none_or(|mark| if descending { place(slot) < mark } else { place(slot) > mark }));
    slots
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(i64),
    Text(String),
    Nothing,
}

fn ordered(world: &World, filter: &Filter, order: &str, descending: bool) -> Vec<u32> {
    let mut slots = filter.slots(world);
    slots.sort_by_cached_key(|&slot| (key(world, slot, order), slot));
    if descending {
        slots.reverse();
    }
    slots
}

fn key(world: &World, slot: u32, order: &str) -> Key {
    let profile = world.profile(slot);
    let text = |text: Option<&str>| text.map_or(Key::Nothing, |text| Key::Text(text.to_owned()));
    let number = |number: Option<i64>| number.map_or(Key::Nothing, Key::Number);
    match order {
        "updated_at" => Key::Number(world.updated_at(slot)),
        "email_address" => text(profile.emails.first().map(|contact| contact.text.as_str())),
        "phone_number" => text(profile.phones.first().map(|contact| contact.text.as_str())),
        "first_name" => text(profile.first_name.as_deref()),
        "last_name" => text(profile.last_name.as_deref()),
        "username" => text(profile.username.as_deref()),
        "last_active_at" => number(profile.last_active_at),
        "last_sign_in_at" => number(profile.last_sign_in_at),
        _ => Key::Nothing,
    }
}

/// Whom a list is about; filters of different kinds must all hold.
#[derive(Default)]
struct Filter {
    only: Option<HashSet<u32>>,
    except: HashSet<u32>,
    tests: Vec<Test>,
}

type Test = Box<dyn Fn(&Profile) -> bool>;

impl Filter {
    fn read(world: &World, params: &Params) -> Result<Self, ApiError> {
        let mut filter = Self::default();
        let signed = [("user_id", None), ("external_id", Some(Handle::ExternalId))];
        for (name, handle) in signed {
            let find = |text: &str| match handle {
                Some(handle) => world.find(handle, text),
                None => world.slot(text).into_iter().collect(),
            };
            filter.take(&Signed::of(params, name)?, find);
        }
        filter.take(&Signed::of(params, "organization_id")?, |id| members(world, id));
        let plain = [("email_address", Handle::Email), ("phone_number", Handle::Phone), ("username", Handle::Username)];
        for (name, handle) in plain {
            let signed = Signed { include: params.all(name)?, exclude: Vec::new() };
            filter.take(&signed, |text| world.find(handle, text));
        }
        // Nobody here has a wallet or an account elsewhere, and nobody is banned.
        let nobody = Signed { include: params.all("web3_wallet")?, exclude: Vec::new() };
        filter.take(&nobody, |_| Vec::new());
        if params.first("provider").is_some() || params.first("banned") == Some("true") {
            filter.only = Some(HashSet::new());
        }
        filter.take_moments(params)?;
        filter.take_queries(params);
        Ok(filter)
    }

    fn take(&mut self, signed: &Signed<'_>, find: impl Fn(&str) -> Vec<u32>) {
        if !signed.include.is_empty() {
            let found: HashSet<_> = signed.include.iter().flat_map(|text| find(text)).collect();
            self.only = Some(match self.only.take() {
                Some(only) => &only & &found,
                None => found,
            });
        }
        self.except.extend(signed.exclude.iter().flat_map(|text| find(text)));
    }

    fn take_moments(&mut self, params: &Params) -> Result<(), ApiError> {
        type Moment = fn(&Profile) -> Option<i64>;
        let moments: [(&str, Moment); 3] = [
            ("created_at", |user| Some(user.created_at)),
            ("last_active_at", |user| user.last_active_at),
            ("last_sign_in_at", |user| user.last_sign_in_at),
        ];
        for (name, of) in moments {
            if let Some(bound) = params.number(&format!("{name}_before"))? {
                self.tests.push(Box::new(move |user| of(user).is_some_and(|moment| moment < bound)));
            }
            for suffix in ["after", "since"] {
                if let Some(bound) = params.number(&format!("{name}_{suffix}"))? {
                    self.tests.push(Box::new(move |user| of(user).is_some_and(|moment| moment > bound)));
                }
            }
        }
        Ok(())
    }

    fn take_queries(&mut self, params: &Params) {
        let queries = ["query", "email_address_query", "phone_number_query", "username_query", "name_query"];
        for name in queries {
            let Some(needle) = params.first(name).map(str::to_lowercase).filter(|needle| !needle.is_empty()) else {
                continue;
            };
            self.tests.push(Box::new(move |user| texts(user, name).any(|text| text.to_lowercase().contains(&needle))));
        }
    }

    fn passes_all(&self) -> bool {
        self.only.is_none() && self.except.is_empty() && self.tests.is_empty()
    }

    fn passes(&self, world: &World, slot: u32) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&slot))
            && !self.except.contains(&slot)
            && (self.tests.is_empty() || self.tests.iter().all(|test| test(&world.profile(slot))))
    }

    fn slots(&self, world: &World) -> Vec<u32> {
        match &self.only {
            Some(only) => only.iter().copied().filter(|&slot| self.passes(world, slot)).collect(),
            None => world.by_creation(false, None).filter(|&slot| self.passes(world, slot)).collect(),
        }
    }
}

fn members(world: &World, id: &str) -> Vec<u32> {
    let organizations = &world.organizations;
    let number = organizations.number(id);
    number.map_or_else(Vec::new, |number| organizations.members(number).filter(|&slot| world.exists(slot)).collect())
}

/// The texts of a user that a query of this name looks into.
fn texts<'u>(user: &'u Profile, query: &str) -> impl Iterator<Item = &'u str> {
    let all = query == "query";
    let emails = user.emails.iter().filter(move |_| all || query == "email_address_query");
    let phones = user.phones.iter().filter(move |_| all || query == "phone_number_query");
    let names = [&user.first_name, &user.last_name].into_iter().filter(move |_| all || query == "name_query");
    let username = user.username.iter().filter(move |_| all || query == "username_query");
    let contacts = emails.chain(phones).map(|contact| &contact.text);
    contacts.chain(names.flatten()).chain(username).chain(all.then_some(&user.id)).map(String::as_str)
}
