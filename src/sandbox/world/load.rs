//! Users from NDJSON, and back into it.

use std::fmt::Write as _;
use std::io::{self, BufRead};

use super::profile::{Contact, FIELDS, Metadata, Profile};
use super::{World, now};
use crate::json::{self, Value};

/// The fields a line may have besides the three of the metadata.
const KNOWN: [&str; 10] = [
    "id",
    "external_id",
    "username",
    "first_name",
    "last_name",
    "email_addresses",
    "phone_numbers",
    "created_at",
    "updated_at",
    "last_sign_in_at",
];

/// Reads a world: one user a line, in the form that [`line`] writes.
pub(crate) fn read(input: impl BufRead, seed: u64) -> io::Result<World> {
    let mut world = World::new(seed, 0);
    for (number, text) in input.lines().enumerate() {
        let text = text?;
        if text.trim().is_empty() {
            continue;
        }
        let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, format!("line {}: {what}", number + 1));
        let value = json::parse(&text).map_err(|error| wrong(error.to_string()))?;
        let (profile, metadata, updated_at) = user(&value).map_err(wrong)?;
        if world.slot(&profile.id).is_some() {
            return Err(wrong(format!("the id {} stands there twice", profile.id)));
        }
        world.add(profile, Some(metadata), updated_at);
    }
    world.organizations = super::Organizations::new(seed, world.slots());
    Ok(world)
}

fn user(value: &Value) -> Result<(Profile, Metadata, Option<i64>), String> {
    let members = value.as_object().ok_or("not an object")?;
    if let Some(key) = members.keys().find(|key| !KNOWN.contains(&key.as_str()) && !FIELDS.contains(&key.as_str())) {
        return Err(format!("a user has no {key}"));
    }
    let text = |name: &str| match value.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("{name} is not a string")),
    };
    let moment = |name: &str| match value.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(other) => other.as_i64().map(Some).ok_or_else(|| format!("{name} is not a number of milliseconds")),
    };
    let profile = Profile {
        id: text("id")?.unwrap_or_default(),
        external_id: text("external_id")?,
        username: text("username")?,
        first_name: text("first_name")?,
        last_name: text("last_name")?,
        emails: contacts(value, "email_addresses", "email_address")?,
        phones: contacts(value, "phone_numbers", "phone_number")?,
        created_at: moment("created_at")?.unwrap_or_else(now),
        last_sign_in_at: moment("last_sign_in_at")?,
        // The day of it, as the API has it.
        last_active_at: moment("last_sign_in_at")?.map(|moment| moment - moment.rem_euclid(86_400_000)),
    };
    let mut metadata = Metadata::default();
    metadata.take_fields(value);
    Ok((profile, metadata, moment("updated_at")?))
}

/// A list of plain texts, which are verified, or of objects that say whether they are.
fn contacts(value: &Value, list: &str, name: &str) -> Result<Vec<Contact>, String> {
    let wrong = || format!("{list} is not a list of texts, or of objects with {name} and verified");
    let items = match value.get(list) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(items) => items.as_array().ok_or_else(wrong)?,
    };
    let contact = |item: &Value| match item {
        Value::String(text) => Some(Contact::verified(text)),
        other => {
            let verified = other.get("verified").is_none_or(|flag| flag != &Value::Bool(false));
            Some(Contact { text: other.get(name)?.as_str()?.to_owned(), verified })
        }
    };
    items.iter().map(|item| contact(item).ok_or_else(wrong)).collect()
}

/// Writes one user as a line: id, external id and metadata, and all that [`read`] takes where `full`.
pub(crate) fn line(world: &World, slot: u32, full: bool) -> String {
    let profile = world.profile(slot);
    let optional = |text: &Option<String>| text.clone().map_or(Value::Null, Value::String);
    let mut members = vec![("id", Value::String(profile.id.clone())), ("external_id", optional(&profile.external_id))];
    if full {
        members.extend([
            ("username", optional(&profile.username)),
            ("first_name", optional(&profile.first_name)),
            ("last_name", optional(&profile.last_name)),
            ("email_addresses", listed(&profile.emails, "email_address")),
            ("phone_numbers", listed(&profile.phones, "phone_number")),
            ("created_at", profile.created_at.into()),
            ("updated_at", world.updated_at(slot).into()),
            ("last_sign_in_at", profile.last_sign_in_at.map_or(Value::Null, Value::from)),
        ]);
    }
    let mut text = "{".to_owned();
    for (name, value) in &members {
        let _ = write!(text, r#""{name}":{value},"#);
    }
    let metadata = world.metadata(slot);
    let fields = FIELDS.iter().zip(&metadata.0).map(|(name, field)| format!(r#""{name}":{field}"#));
    let _ = writeln!(text, "{}}}", fields.collect::<Vec<_>>().join(","));
    text
}

fn listed(contacts: &[Contact], name: &str) -> Value {
    let one = |contact: &Contact| serde_json::json!({ name: contact.text, "verified": contact.verified });
    contacts.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(world: &World, full: bool) -> String {
        world.by_creation(false, None).map(|slot| line(world, slot, full)).collect()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut world = World::new(1, 40);
        world.set_metadata(3, Metadata::default());
        let text = lines(&world, true);
        let again = read(text.as_bytes(), 1).expect("is a world");
        assert!(lines(&again, true).lines().eq(text.lines()));
        assert_eq!(again.len(), 40);
    }

    #[test]
    fn little_is_needed() {
        let world = read(&b"{}\n\n{\"email_addresses\":[\"a@example.com\"]}\n"[..], 1).expect("is a world");
        assert_eq!(world.len(), 2);
        assert!(lines(&world, false).contains(r#""public_metadata":{}"#));
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        for (text, told) in [
            ("{}\n[]", "line 2: not an object"),
            ("{\"mail\":1}", "line 1: a user has no mail"),
            ("{\"id\":\"a\"}\n{\"id\":\"a\"}", "line 2: the id a stands there twice"),
            ("{\"created_at\":\"x\"}", "line 1: created_at is not a number of milliseconds"),
        ] {
            assert_eq!(read(text.as_bytes(), 1).expect_err("is wrong").to_string(), told);
        }
    }
}
