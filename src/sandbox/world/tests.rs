use super::profile::Contact;
use super::*;

fn extra(created_at: i64, email: &str) -> Profile {
    Profile { created_at, emails: vec![Contact::verified(email)], ..Profile::default() }
}

#[test]
fn users_of_both_kinds_stand_in_one_order() {
    let mut world = World::new(3, 50);
    let middle = world.add(extra(world.created_at(20) + 1, "a@example.com"), None, None);
    let newest = world.add(extra(world.created_at(49) + 9_000, "b@example.com"), None, None);
    assert!(world.delete(30) && !world.delete(30));
    let oldest_first: Vec<_> = world.by_creation(false, None).collect();
    let newest_first: Vec<_> = world.by_creation(true, None).collect();
    assert_eq!(oldest_first.len(), world.len());
    assert!(oldest_first.iter().rev().eq(&newest_first));
    assert_eq!(newest_first[0], newest);
    assert_eq!(oldest_first[21], middle);
    for (place, &slot) in oldest_first.iter().enumerate() {
        assert!(world.by_creation(false, Some(slot)).eq(oldest_first[place + 1..].iter().copied()));
        let behind = newest_first.iter().position(|&other| other == slot).expect("is there") + 1;
        assert!(world.by_creation(true, Some(slot)).eq(newest_first[behind..].iter().copied()));
    }
}

#[test]
fn a_user_is_found_by_what_it_has_now() {
    let mut world = World::new(3, 50);
    let slot = (0..50).find(|&slot| world.profile(slot).external_id.is_some()).expect("most have one");
    let before = world.profile(slot).external_id.clone().expect("has one");
    let profile = Profile { external_id: Some("other".to_owned()), ..world.profile(slot).into_owned() };
    world.set_profile(slot, profile);
    assert!(world.find(Handle::ExternalId, &before).is_empty());
    assert_eq!(world.find(Handle::ExternalId, "other"), [slot]);
    world.delete(slot);
    assert!(world.find(Handle::ExternalId, "other").is_empty());
}

#[test]
fn an_unverified_address_may_be_that_of_another() {
    let world = World::new(1, 500);
    let both = (0..500).map(|slot| world.find(Handle::Email, &format!("user{slot:06}@example.com")));
    assert!(both.into_iter().any(|slots| slots.len() == 2));
}

#[test]
fn updates_always_move_forward() {
    let mut world = World::new(1, 5);
    let mut before = world.updated_at(2);
    for _ in 0..5 {
        world.set_metadata(2, Metadata::default());
        assert!(world.updated_at(2) > before);
        before = world.updated_at(2);
    }
}
