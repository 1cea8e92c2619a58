//! Small random worlds, one a seed: runs that fail, are throttled, cut and killed at any moment end as they should.
//!
//! A seed that fails is named; `try_world(SEED)` or `try_world_with_others(SEED)` in a test of its own plays it again.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use fastrand::Rng;
use serde_json::Map;

use super::*;
use crate::path::Field;

/// What the rows of one user come to, by rules written down a second time.
#[derive(Debug, Default)]
struct Expected {
    patches: Vec<Value>,
    rows: Vec<usize>,
}

/// A world with its rows, and what each row speaks of.
struct Plan {
    rig: Rig,
    spec: Spec,
    before: BTreeMap<String, Value>,
    users: BTreeMap<String, Expected>,
    /// The rows that nobody answers to, with their codes.
    nobody: BTreeMap<usize, &'static str>,
    /// The users whose writes come to a bad end, and how they are told.
    doomed: BTreeMap<String, Outcome>,
    kills: Vec<u64>,
    identities: Vec<Identity>,
}

fn object(rng: &mut Rng, depth: u32, nulls: bool) -> Value {
    let members = (0..rng.usize(0..4)).map(|_| {
        let key = ["a", "b", "c", ""][rng.usize(0..4)].to_owned();
        let value = match rng.u8(0..8) {
            0..=2 if depth > 0 => object(rng, depth - 1, nulls),
            3 | 4 if nulls => Value::Null,
            5 => json!([null, {"x": null}]),
            _ => json!(rng.u8(0..3)),
        };
        (key, value)
    });
    Value::Object(members.collect::<Map<_, _>>())
}

fn account(rng: &mut Rng, n: usize) -> Account {
    let stores_nulls = rng.u8(0..4) == 0;
    let mut account = Account::new(&format!("u{n}"), object(rng, 2, stores_nulls));
    if rng.bool() {
        account = account.external(&format!("e{n}"));
    }
    if rng.bool() {
        account = account.email(&format!("Mail{n}@x.test"), true);
    }
    if rng.u8(0..4) == 0 {
        account = account.email("shared@x.test", false);
    }
    account
}

/// Some identifier of an account, written in some way.
fn identifier(rng: &mut Rng, account: &Account) -> (IdentityKind, String) {
    let mail = account.user.email_addresses.iter().find(|address| address.verified);
    match (rng.u8(0..3), &account.user.external_id, mail) {
        (0, Some(external), _) => (IdentityKind::ExternalId, external.clone()),
        (1, _, Some(mail)) if rng.bool() => (IdentityKind::EmailAddress, mail.value.to_uppercase()),
        (1, _, Some(mail)) => (IdentityKind::EmailAddress, mail.value.clone()),
        _ => (IdentityKind::UserId, account.user.id.clone()),
    }
}

fn stranger(rng: &mut Rng, accounts: &[Account]) -> ((IdentityKind, String), &'static str) {
    if rng.bool() && accounts.iter().any(|account| account.user.email_addresses.iter().any(|mail| !mail.verified)) {
        return ((IdentityKind::EmailAddress, "Shared@x.test".to_owned()), "unverified");
    }
    let kind = IdentityKind::ALL[rng.usize(0..4)];
    ((kind, format!("nobody{}", rng.u8(0..3))), "no_such_user")
}

/// What a user's writes come to: a few failures that pass, or one that does not.
fn script(rng: &mut Rng, may_be_without_effect: bool) -> (Vec<Step>, Option<Outcome>) {
    use FailureKind::{Ambiguous, Locked, NotFound, NotSent, Refused, Throttled, TooLarge};
    let mut steps: Vec<Step> = Vec::new();
    for _ in 0..rng.usize(0..4) {
        steps.push(Step::fails([Throttled, Locked, NotSent, Ambiguous][rng.usize(0..4)]));
    }
    match rng.u8(0..10) {
        0 => steps.push(Step::fails(Refused)),
        1 => steps.push(Step::fails(TooLarge)),
        2 => steps.push(Step::fails(NotFound)),
        3 if may_be_without_effect => steps.push(Step::without_effect()),
        4..=6 => steps.push(Step::cut_after()),
        _ => {}
    }
    let outcome = steps.last().and_then(|step| match step.answer {
        Err(Refused) | Ok(()) => Some(Outcome::Failed),
        Err(TooLarge) => Some(Outcome::TooLarge),
        Err(NotFound) => Some(Outcome::NotFound),
        Err(_) => None,
    });
    (steps, outcome)
}

fn plan(seed: u64) -> Plan {
    let rng = &mut Rng::with_seed(seed);
    let size = if rng.u8(0..12) == 0 { 100..140 } else { 1..25 };
    let accounts: Vec<Account> = (0..rng.usize(size)).map(|n| account(rng, n)).collect();
    let before = accounts.iter().map(|one| (one.user.id.clone(), one.metadata[&Field::Public].clone())).collect();
    let mut users: BTreeMap<String, Expected> = BTreeMap::new();
    let (mut rows, mut nobody) = (Vec::new(), BTreeMap::new());
    for n in 0..rng.usize(1..=accounts.len() * 2) {
        let patch = object(rng, 3, true);
        let (kind, value) = if rng.u8(0..8) == 0 {
            let (identity, code) = stranger(rng, &accounts);
            nobody.insert(n, code);
            identity
        } else {
            let account = &accounts[rng.usize(0..accounts.len())];
            let user = users.entry(account.user.id.clone()).or_default();
            user.patches.push(patch.clone());
            user.rows.push(n);
            identifier(rng, account)
        };
        rows.push(row(kind, &value, &patch));
    }
    let spec = Spec {
        mode: if rng.u8(0..4) == 0 { Mode::Replace } else { Mode::Merge },
        duplicates: if rng.u8(0..4) == 0 { Duplicates::Error } else { Duplicates::Fold },
        ..spec()
    };
    let identities = rows.iter().map(|row| row.identity.clone()).collect();
    let mut rig = Rig::new(accounts, spec.clone(), &rows);
    rig.pacing.max_in_flight = rng.usize(1..20);
    // Every kill may undo one attempt's record, never more; six attempts are enough for three failures.
    rig.pacing.retry.max_attempts = 6;
    rig.world.state().latency_ms = rng.u64(0..2_000);
    if rng.u8(0..4) == 0 {
        let rate = "60/10s".parse().expect("is a rate");
        rig.limits = Some(LimitConfig { rate: Some(rate), user_rate: None, share: crate::limit::Share::HALF });
    }
    let mut doomed = BTreeMap::new();
    let mut without_effect = 0;
    for user in users.keys().filter(|_| rng.u8(0..3) == 0).cloned().collect::<Vec<_>>() {
        let (steps, outcome) = script(rng, without_effect < 2);
        without_effect += u32::from(steps.last().is_some_and(|step| step.answer.is_ok()));
        rig.world.script(&user, steps);
        doomed.extend(outcome.map(|outcome| (user, outcome)));
    }
    let kills = (0..rng.usize(0..4)).map(|_| rng.u64(0..120)).collect();
    Plan { rig, spec, before, users, nobody, doomed, kills, identities }
}

impl Plan {
    /// What a user will hold, by merges that know nothing of ours.
    fn after(&self, user: &str) -> Value {
        self.after_from(user, &self.before[user])
    }

    fn after_from(&self, user: &str, held: &Value) -> Value {
        let mut value = held.clone();
        for patch in &self.users[user].patches {
            match self.spec.mode {
                Mode::Merge => json_patch::merge(&mut value, patch),
                Mode::Replace => value = patch.clone(),
            }
        }
        value
    }

    /// What becomes of a user, and what it holds then; the killed may have luck where the others have not.
    fn check_user(&self, user: &str, told: &[Told], was_killed: bool) {
        let expected = &self.users[user];
        let (before, after) = (&self.before[user], self.after(user));
        let tellings: BTreeSet<&str> = expected.rows.iter().map(|row| told[*row].outcome.word()).collect();
        assert_eq!(tellings.len(), 1, "{user}: the rows of one user end alike: {tellings:?}");
        let outcome = told[expected.rows[0]].outcome;
        let wanted = if self.spec.duplicates == Duplicates::Error && expected.rows.len() > 1 {
            Outcome::Rejected
        } else if *before == after {
            Outcome::Unchanged
        } else {
            self.doomed.get(user).copied().unwrap_or(Outcome::Applied)
        };
        let lucky = was_killed && self.doomed.contains_key(user) && outcome == Outcome::Applied;
        assert!(outcome == wanted || lucky, "{user}: {outcome}, not {wanted}: {:?}", told[expected.rows[0]]);
        let held = self.rig.world.public(user);
        let landed = self.rig.world.state().landed.get(user).copied().unwrap_or_default();
        if outcome == Outcome::Applied {
            assert_eq!((held, landed), (after, 1), "{user}");
        } else {
            assert_eq!((&held, landed), (before, 0), "{user}");
        }
        for row in &expected.rows {
            assert_eq!(told[*row].user_id.as_deref(), Some(user));
        }
    }

    fn check(&self, was_killed: bool) {
        self.rig.no_violations();
        let told = self.rig.told();
        assert_eq!(told.len(), self.identities.len());
        for user in self.users.keys() {
            self.check_user(user, &told, was_killed);
        }
        for (row, code) in &self.nobody {
            assert_eq!((told[*row].outcome, told[*row].code.as_str()), (Outcome::NotFound, *code), "row {row}");
        }
        let mut run = self.rig.open();
        let rejected = |user: &&String| told[self.users[*user].rows[0]].outcome == Outcome::Rejected;
        let nobody: BTreeSet<&Identity> = self.nobody.keys().map(|row| &self.identities[*row]).collect();
        let users = self.users.len() - self.users.keys().filter(rejected).count();
        assert_eq!(run.users().expect("are counted").total(), (users + nobody.len()) as u64);
        assert_eq!(run.head().rows_read, Some(told.len() as u64));
        run.update_head(|head| head.state = State::Applied).expect("can be written");
        run.close().expect("can be written");
    }
}

/// How things stood when the run last stood still.
struct Pause {
    /// What each user held, and how often it had been written by then.
    users: BTreeMap<String, (Value, u32)>,
    /// The users whose plan was made already, for something else than what they held now.
    drifted: BTreeSet<String>,
}

impl Plan {
    async fn sessions(&self, mut at_each_kill: impl FnMut()) -> u32 {
        let mut killed = 0;
        for moments in self.kills.iter().copied().map(Some).chain([None]) {
            self.rig.world.state().moments_left = moments;
            match self.rig.session(Duration::ZERO).await {
                Session::Killed if moments.is_some() => killed += 1,
                Session::Over(Ok(Finish::Done)) => continue,
                other => panic!("{other:?}"),
            }
            at_each_kill();
        }
        killed
    }

    fn landed(&self, user: &str) -> u32 {
        self.rig.world.state().landed.get(user).copied().unwrap_or_default()
    }

    /// Somebody else writes to some users.
    fn interfere(&self, rng: &mut Rng) -> Pause {
        for user in self.before.keys().filter(|_| rng.bool()).collect::<Vec<_>>() {
            self.rig.world.merge(user, &object(rng, 2, true));
        }
        let held = |user: &String| (user.clone(), (self.rig.world.public(user), self.landed(user)));
        Pause { users: self.before.keys().map(held).collect(), drifted: self.drifted() }
    }

    fn drifted(&self) -> BTreeSet<String> {
        let run = RunFile::open_to_read(&self.rig.path).expect("is a run file");
        if !run.head().compared {
            return BTreeSet::new();
        }
        let planned = run.planned(0, 1_000).expect("is readable").into_iter();
        let now = |user: &str| BTreeMap::from([(Field::Public, self.rig.world.public(user))]);
        planned.filter(|one| !one.change.drifted(&now(&one.user_id)).is_empty()).map(|one| one.user_id).collect()
    }

    /// Whatever was written since the pause was merged into what somebody else had left there; the rest is untouched.
    fn check_interference(&self, pause: &Pause, killed: u32) {
        self.rig.no_violations();
        let told = self.rig.told();
        for (user, (held, landed)) in &pause.users {
            let rows = self.users.get(user).map_or(&[][..], |expected| &expected.rows);
            let now = self.rig.world.public(user);
            if self.landed(user) > *landed {
                let merged = self.after_from(user, held);
                assert!(is_of_either(&now, held, &merged), "{user} lost something: {now}, not {merged} from {held}");
            } else {
                assert_eq!(now, *held, "{user}");
            }
            for row in rows.iter().map(|row| &told[*row]) {
                assert!(row.outcome.is_final(), "{user}: {row:?}");
                let applied = row.outcome == Outcome::Applied;
                assert!(!applied || self.landed(user) > 0 || row.code == "verified", "{user}: {row:?}");
            }
            if pause.drifted.contains(user) {
                assert_eq!((told[rows[0]].outcome, self.landed(user)), (Outcome::Drifted, *landed), "{user}");
            }
            assert!(self.landed(user) <= 1 + killed, "{user} was written too often");
        }
    }
}

/// Whether all that stands somewhere is what one of two others hold there, as where a key that is to be removed stood
/// below what somebody else has replaced: it is gone already, and their value stays.
fn is_of_either(now: &Value, theirs: &Value, merged: &Value) -> bool {
    match (now, theirs, merged) {
        (Value::Object(now), Value::Object(theirs), Value::Object(merged)) => {
            let keys: BTreeSet<&String> = now.keys().chain(theirs.keys()).chain(merged.keys()).collect();
            keys.into_iter().all(|key| match (now.get(key), theirs.get(key), merged.get(key)) {
                (Some(now), Some(theirs), Some(merged)) => is_of_either(now, theirs, merged),
                (now, theirs, merged) => now == theirs || now == merged,
            })
        }
        _ => now == theirs || now == merged,
    }
}

fn in_paused_time(seed: u64, work: impl AsyncFnOnce()) {
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime can be made").block_on(work());
}

fn try_world(seed: u64) {
    in_paused_time(seed, async || {
        let plan = plan(seed);
        let killed = plan.sessions(|| {}).await;
        plan.check(killed > 0);
    });
}

fn try_world_with_others(seed: u64) {
    in_paused_time(seed, async || {
        let mut plan = plan(seed);
        let mut rng = Rng::with_seed(seed);
        plan.kills.push(rng.u64(0..60));
        let mut pause = None;
        let killed = plan.sessions(|| pause = Some(plan.interfere(&mut rng))).await;
        if let Some(pause) = pause {
            plan.check_interference(&pause, killed);
        }
    });
}

fn try_worlds(seeds: std::ops::Range<u64>, one: fn(u64)) {
    for seed in seeds {
        let ended = catch_unwind(AssertUnwindSafe(|| one(seed)));
        assert!(ended.is_ok(), "the world of seed {seed} does not end as it should");
    }
}

#[test]
fn worlds_that_fail_and_stand_still_end_as_they_should() {
    try_worlds(0..150, try_world);
}

#[test]
fn more_worlds_that_fail_and_stand_still_end_as_they_should() {
    try_worlds(150..300, try_world);
}

#[test]
fn whoever_else_writes_while_a_run_stands_still_loses_nothing() {
    try_worlds(1000..1200, try_world_with_others);
}
