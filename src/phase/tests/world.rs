//! An API in memory that misbehaves as it is told to, and notes whatever the engine must never do.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::Notify;

use crate::change::Body;
use crate::identity::IdentityKind;
use crate::patch::Mode;
use crate::path::Field;
use crate::retry::{Failure, FailureKind};
use crate::target::{Address, Batch, MAX_PAGE, Match, Target, User};

/// What one write of a user comes to; without a step it lands and is answered.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// Whether it takes effect.
    pub(super) lands: bool,
    /// What somebody else merges into the public metadata right after.
    pub(super) foreign: Option<Value>,
    /// How it is answered.
    pub(super) answer: Result<(), FailureKind>,
}

impl Step {
    pub(super) fn fails(kind: FailureKind) -> Self {
        Self { lands: false, foreign: None, answer: Err(kind) }
    }

    pub(super) fn cut_after() -> Self {
        Self { lands: true, ..Self::fails(FailureKind::Ambiguous) }
    }

    pub(super) fn without_effect() -> Self {
        Self { lands: false, foreign: None, answer: Ok(()) }
    }
}

/// A user.
#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    /// All but its metadata.
    pub(super) user: User,
    pub(super) metadata: BTreeMap<Field, Value>,
}

impl Account {
    pub(super) fn new(id: &str, public: Value) -> Self {
        let user = User { id: id.to_owned(), ..User::default() };
        Self { user, metadata: BTreeMap::from([(Field::Public, public)]) }
    }

    pub(super) fn email(mut self, value: &str, verified: bool) -> Self {
        self.user.email_addresses.push(Address { value: value.to_owned(), verified });
        self
    }

    pub(super) fn external(mut self, value: &str) -> Self {
        self.user.external_id = Some(value.to_owned());
        self
    }

    fn shown(&self) -> User {
        let text = |field| self.metadata.get(&field).map(|value| value.to_string().into());
        User { metadata: Field::ALL.map(text), ..self.user.clone() }
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) accounts: BTreeMap<String, Account>,
    pub(super) steps: BTreeMap<String, VecDeque<Step>>,
    /// Identifiers that the API refuses to be asked for.
    pub(super) poison: HashSet<String>,
    /// Users that come with every answer, asked for or not.
    pub(super) surplus: Vec<String>,
    /// Failures of the next reads, whatever they ask for.
    pub(super) read_failures: VecDeque<FailureKind>,
    /// How many more moments may pass until everything stands still, as when the process is killed.
    pub(super) moments_left: Option<u64>,
    /// How long a request takes at most, in milliseconds.
    pub(super) latency_ms: u64,
    /// How many writes may be under way.
    pub(super) max_in_flight: usize,
    /// Whether a write of this session was answered and had an effect.
    pub(super) echoed: bool,
    in_flight: HashSet<String>,
    most_in_flight: usize,
    /// The kind and size of each batch that was read.
    pub(super) reads: Vec<(IdentityKind, usize)>,
    /// The users in the order in which they were written, landed or not, 429 or not.
    pub(super) writes: Vec<String>,
    /// How many writes took effect on each user.
    pub(super) landed: BTreeMap<String, u32>,
    /// What must never happen, and did.
    pub(super) violations: Vec<String>,
}

/// The API.
#[derive(Debug)]
pub(super) struct World {
    state: Mutex<State>,
    stands_still: Notify,
}

/// A write under way; it is over when this is dropped, however it ends.
struct UnderWay<'w>(&'w World, String);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.state().in_flight.remove(&self.1);
    }
}

impl World {
    pub(super) fn new(accounts: impl IntoIterator<Item = Account>) -> Self {
        let accounts = accounts.into_iter().map(|account| (account.user.id.clone(), account)).collect();
        let state = State { accounts, latency_ms: 50, max_in_flight: 16, ..State::default() };
        Self { state: Mutex::new(state), stands_still: Notify::new() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it looks at the world")
    }

    pub(super) fn script(&self, user: &str, steps: impl IntoIterator<Item = Step>) {
        self.state().steps.insert(user.to_owned(), steps.into_iter().collect());
    }

    pub(super) fn public(&self, user: &str) -> Value {
        self.state().accounts[user].metadata[&Field::Public].clone()
    }

    pub(super) fn merge(&self, user: &str, patch: &Value) {
        if let Some(account) = self.state().accounts.get_mut(user) {
            json_patch::merge(account.metadata.entry(Field::Public).or_default(), patch);
        }
    }

    pub(super) async fn stands_still(&self) {
        self.stands_still.notified().await;
    }

    /// Time passes, or ends.
    async fn moment(&self) {
        let (ends, latency) = {
            let mut state = self.state();
            let ends = state.moments_left == Some(0);
            state.moments_left = state.moments_left.map(|left| left.saturating_sub(1));
            (ends, state.latency_ms)
        };
        if ends {
            self.stands_still.notify_waiters();
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..=latency) / 2)).await;
    }

    fn begin_write(&self, user: &str) -> UnderWay<'_> {
        let mut state = self.state();
        state.writes.push(user.to_owned());
        if !state.in_flight.insert(user.to_owned()) {
            state.violations.push(format!("two writes of {user} at once"));
        }
        let n = state.in_flight.len();
        state.most_in_flight = state.most_in_flight.max(n);
        if n > state.max_in_flight {
            state.violations.push(format!("{n} writes at once"));
        }
        if n > 1 && !state.echoed {
            state.violations.push("the first write did not go alone".to_owned());
        }
        drop(state);
        UnderWay(self, user.to_owned())
    }

    /// What a write does, at the instant at which it does it.
    fn land(&self, user_id: &str, body: &Body) -> Result<(User, bool), Failure> {
        let mut state = self.state();
        let step = state.steps.get_mut(user_id).and_then(VecDeque::pop_front);
        let Step { lands, foreign, answer } = step.unwrap_or(Step { lands: true, foreign: None, answer: Ok(()) });
        let Some(account) = state.accounts.get_mut(user_id) else {
            return Err(failure(FailureKind::NotFound));
        };
        if lands {
            change(account, body);
        }
        let shown = account.shown();
        if let Some(foreign) = foreign {
            json_patch::merge(account.metadata.entry(Field::Public).or_default(), &foreign);
        }
        *state.landed.entry(user_id.to_owned()).or_default() += u32::from(lands);
        answer.map(|()| (shown, lands)).map_err(failure)
    }
}

impl Target for World {
    async fn read(&self, batch: &Batch) -> Result<Vec<User>, Failure> {
        self.moment().await;
        let answer = {
            let mut state = self.state();
            state.reads.push((batch.kind(), batch.values().len()));
            if batch.values().len() > 100 || batch.values().iter().map(String::len).sum::<usize>() > 6 * 1024 {
                state.violations.push("a read asks for too much".to_owned());
            }
            if let Some(kind) = state.read_failures.pop_front() {
                Err(failure(kind))
            } else if batch.values().iter().any(|value| state.poison.contains(value)) {
                Err(failure(FailureKind::Refused))
            } else {
                let asked = |account: &&Account| {
                    let answers = |value: &String| account.user.answers_to(batch.kind(), value) > Match::No;
                    state.surplus.contains(&account.user.id) || batch.values().iter().any(answers)
                };
                Ok(state.accounts.values().filter(asked).take(MAX_PAGE).map(Account::shown).collect())
            }
        };
        self.moment().await;
        answer
    }

    async fn write(&self, user_id: &str, body: &Body) -> Result<User, Failure> {
        let _under_way = self.begin_write(user_id);
        self.moment().await;
        let answer = self.land(user_id, body);
        self.moment().await;
        let (user, had_effect) = answer?;
        self.state().echoed |= had_effect;
        Ok(user)
    }
}

/// The API's own merge, which is not the tool's.
fn change(account: &mut Account, body: &Body) {
    for (name, value) in body.json.as_object().into_iter().flatten() {
        let field = Field::from_name(name).expect("only metadata is written");
        let held = account.metadata.entry(field).or_insert_with(|| Value::Object(Map::new()));
        match body.mode {
            Mode::Merge => json_patch::merge(held, value),
            Mode::Replace => *held = value.clone(),
        }
    }
}

fn failure(kind: FailureKind) -> Failure {
    let retry_after = (kind == FailureKind::Throttled).then_some(Duration::from_secs(1));
    let code = format!("{kind:?}").to_lowercase();
    let status = (kind == FailureKind::Refused).then_some(422);
    Failure { kind, status, code, message: "as scripted".to_owned(), trace_id: None, retry_after }
}
