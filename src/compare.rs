//! Compare: finds the users that rows speak of, reads what they hold, and works out what each would become.
//!
//! Users are read as they come up in the input, up to 100 a request. A user that is reached by several identities is
//! worked out anew each time, from what the latest answer holds and all of its rows found so far, so that it does not
//! matter which identity came up first. After this phase the run file is the plan.

mod answers;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use tokio::task::JoinSet;

use self::answers::Answers;
use crate::change::{Change, fold};
use crate::event::{Event, Phase, Progress};
use crate::guard::Forbid;
use crate::identity::{Identity, IdentityKind, is_user_id};
use crate::merge::Agreement;
use crate::outcome::Outcome;
use crate::phase::{Abort, Finish, Work};
use crate::read::{self, Answer};
use crate::retry::Failure;
use crate::run_file::NewChange;
use crate::spec::{Duplicates, Spec};
use crate::stop::Urgency;
use crate::target::{Batch, Target, User};

/// How many reads are under way at once. The client bounds their bytes; more would not be faster, since ten reads
/// compare a thousand users.
const MAX_READS: usize = 8;

/// How often it is looked whether anything is worth telling although no answer comes.
const TICK: Duration = Duration::from_secs(1);

/// How many rows are looked at in one go for identities to ask for.
const CHUNK: usize = 500;

/// Compares all rows that have not been compared.
pub async fn compare<T: Target>(work: &mut Work<'_, T>) -> Result<Finish, Abort> {
    let spec = work.run.head().spec.clone();
    let total = work.run.count_pending(work.run.head().cursor)?;
    work.observer.observe(&Event::Started(Phase::Compare, Some(total)));
    let mut comparing = Comparing {
        scan: Scan::from(work.run.head().cursor),
        reads: JoinSet::new(),
        progress: Progress::default(),
        said_rounded: false,
        said_waiting: false,
        empties_at_once: work.run.has_one_unique_kind()?,
        spec,
        work,
    };
    let finish = comparing.run().await?;
    let finish = comparing.end(finish)?;
    work.observer.observe(&Event::Ended(Phase::Compare));
    Ok(finish)
}

/// A read that has ended: the first row that waited for it, and what came back.
type Read = (u64, Result<Vec<Answer>, Failure>);

struct Comparing<'c, 'w, T> {
    work: &'c mut Work<'w, T>,
    spec: Spec,
    scan: Scan,
    reads: JoinSet<Read>,
    progress: Progress,
    said_rounded: bool,
    said_waiting: bool,
    /// Whether rows of unchanged users can be emptied at once, because no other identity can lead to the same user.
    empties_at_once: bool,
}

/// A batch in the making or under way, with the first row that waits for it.
#[derive(Debug)]
struct Asked {
    first_row: u64,
    batch: Batch,
}

/// Walks the pending rows once and gathers their identities into batches.
struct Scan {
    next_row: u64,
    exhausted: bool,
    building: BTreeMap<IdentityKind, Asked>,
    full: VecDeque<Asked>,
    /// The identities in a batch, so that none is asked for twice at a time, and the first row of each.
    asked: HashMap<Identity, u64>,
    /// The first rows of the batches under way.
    under_way: Vec<u64>,
}

impl Scan {
    fn from(row: u64) -> Self {
        Self {
            next_row: row,
            exhausted: false,
            building: BTreeMap::new(),
            full: VecDeque::new(),
            asked: HashMap::new(),
            under_way: Vec::new(),
        }
    }

    fn add(&mut self, row: u64, identity: &Identity) {
        if self.asked.contains_key(identity) {
            return;
        }
        self.asked.insert(identity.clone(), row);
        let kind = identity.kind();
        let fresh = || Asked { first_row: row, batch: Batch::new(kind) };
        let asked = self.building.entry(kind).or_insert_with(fresh);
        if !asked.batch.try_push(identity) {
            self.full.push_back(std::mem::replace(asked, fresh()));
            // An empty batch takes any identity.
            let _ = asked.batch.try_push(identity);
        }
    }

    /// The first row that speaks of any of these: the number of its user, so that users stand in input order.
    fn first_row(&self, identities: &[&Identity]) -> i64 {
        let rows = identities.iter().filter_map(|identity| self.asked.get(*identity));
        let first = rows.min().expect("an identity stays here until its answer is taken");
        i64::try_from(*first).expect("SQLite numbers rows with 63 bits")
    }

    /// Every row before this one has been compared.
    fn cursor(&self) -> u64 {
        let waiting = self.full.iter().chain(self.building.values()).map(|asked| asked.first_row);
        waiting.chain(self.under_way.iter().copied()).min().unwrap_or(self.next_row)
    }
}

impl<T: Target> Comparing<'_, '_, T> {
    async fn run(&mut self) -> Result<Finish, Abort> {
        loop {
            self.ask()?;
            if self.reads.is_empty() {
                return Ok(Finish::Done);
            }
            tokio::select! {
                // Reads leave nothing behind, so that they can be given up at once.
                _ = self.work.stop.beyond(Urgency::None) => return Ok(Finish::Interrupted),
                () = tokio::time::sleep(TICK) => self.said_waiting = self.work.tell_waiting(self.said_waiting),
                Some(read) = self.reads.join_next() => {
                    let (first_row, answers) = read.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
                    self.take(first_row, answers)?;
                }
            }
        }
    }

    fn end(self, finish: Finish) -> Result<Finish, Abort> {
        let cursor = self.scan.cursor();
        let done = finish == Finish::Done;
        if done && !self.empties_at_once {
            self.work.run.empty_unchanged_rows()?;
        }
        self.work.run.update_head(|head| {
            head.cursor = cursor;
            head.compared = done;
        })?;
        self.work.run.commit()?;
        Ok(finish)
    }

    /// Sends reads until enough are under way.
    fn ask(&mut self) -> Result<(), Abort> {
        while self.reads.len() < MAX_READS {
            let Some(asked) = self.next_batch()? else { return Ok(()) };
            let api = self.work.api.clone();
            self.scan.under_way.push(asked.first_row);
            self.reads.spawn(async move { (asked.first_row, read::read(&api, asked.batch).await) });
        }
        Ok(())
    }

    fn next_batch(&mut self) -> Result<Option<Asked>, Abort> {
        while self.scan.full.is_empty() && !self.scan.exhausted {
            let rows = self.work.run.pending_rows(self.scan.next_row, CHUNK)?;
            self.scan.exhausted = rows.len() < CHUNK;
            for pending in rows {
                self.scan.next_row = pending.row + 1;
                self.scan.add(pending.row, &pending.identity);
            }
        }
        if self.scan.full.is_empty() {
            let left = std::mem::take(&mut self.scan.building);
            self.scan.full.extend(left.into_values().filter(|asked| !asked.batch.is_empty()));
            self.scan.full.make_contiguous().sort_by_key(|asked| asked.first_row);
        }
        Ok(self.scan.full.pop_front())
    }

    /// Records what a read came to, durably, then shows it.
    fn take(&mut self, first_row: u64, answers: Result<Vec<Answer>, Failure>) -> Result<(), Abort> {
        let answers = answers.map_err(|failure| Abort::of_read(&failure))?;
        for answer in answers {
            self.take_answer(&answer)?;
        }
        let done = self.scan.under_way.iter().position(|row| *row == first_row);
        if let Some(done) = done {
            self.scan.under_way.swap_remove(done);
        }
        let cursor = self.scan.cursor();
        self.work.run.update_head(|head| head.cursor = cursor)?;
        self.work.run.commit()?;
        self.progress.requests = self.work.api.sent.snapshot();
        self.progress.in_flight = self.reads.len() as u64;
        self.work.observer.observe(&Event::Progress(self.progress.clone()));
        Ok(())
    }

    fn take_answer(&mut self, answer: &Answer) -> Result<(), Abort> {
        let kind = answer.batch.kind();
        let identities: Vec<Identity> =
            answer.batch.values().iter().filter_map(|value| identity(kind, value)).collect();
        match &answer.users {
            Ok(users) => self.take_users(&identities, users, answer)?,
            Err(failure) => {
                for identity in &identities {
                    self.end_identity(identity, Outcome::Failed, &failure.code, &failure.message)?;
                }
            }
        }
        for identity in &identities {
            self.scan.asked.remove(identity);
        }
        self.progress.done += identities.len() as u64;
        Ok(())
    }

    fn take_users(&mut self, identities: &[Identity], users: &[User], answer: &Answer) -> Result<(), Abort> {
        let mut found: Vec<(usize, &Identity)> = Vec::new();
        let answers = Answers::new(answer.batch.kind(), identities, users)?;
        for identity in identities {
            match answers.user_of(identity, self.spec.allow_unverified) {
                Ok(user) => found.push((user, identity)),
                Err(miss) => self.end_identity(identity, miss.outcome(), miss.code(), &miss.message())?,
            }
        }
        // All identities of a user are assigned before it is worked out, which is then done once, in input order.
        let mut done = HashSet::new();
        for (user, _) in found.iter().filter(|(user, _)| done.insert(*user)) {
            let identities = found.iter().filter(|(other, _)| other == user).map(|(_, identity)| *identity);
            self.compare_user(&users[*user], identities, self.work.ms_at(answer.sent))?;
        }
        Ok(())
    }

    fn end_identity(&mut self, identity: &Identity, outcome: Outcome, code: &str, message: &str) -> Result<(), Abort> {
        self.work.run.end_identity(identity, outcome, code, message)?;
        self.progress.tally.add(outcome, 1);
        Ok(())
    }

    fn compare_user<'i>(
        &mut self,
        user: &User,
        identities: impl Iterator<Item = &'i Identity>,
        compared_ms: i64,
    ) -> Result<(), Abort> {
        let existing = self.work.run.find_user(&user.id)?;
        if existing.is_some_and(|existing| existing.is_done) {
            for identity in identities {
                self.end_identity(identity, Outcome::Failed, "already_done", ALREADY_DONE)?;
            }
            return Ok(());
        }
        let identities: Vec<&Identity> = identities.collect();
        let number = existing.map_or_else(|| self.scan.first_row(&identities), |existing| existing.user);
        for identity in identities {
            self.work.run.assign(identity, number)?;
        }
        let verdict = match self.refuse_duplicates(number)? {
            Some(verdict) => verdict,
            None => self.judge(user, number)?,
        };
        match existing {
            Some(existing) => self.progress.tally.shift(existing.outcome, verdict.outcome),
            None => self.progress.tally.add(verdict.outcome, 1),
        }
        self.work.run.put_change(&NewChange {
            user: number,
            user_id: &user.id,
            outcome: verdict.outcome,
            code: verdict.code.as_deref(),
            message: verdict.message,
            // What stays as it is leaves nothing of itself behind.
            change: verdict.change.as_ref().filter(|_| verdict.outcome == Outcome::Planned),
            compared_ms,
        })?;
        if verdict.outcome.is_good() && self.empties_at_once {
            self.work.run.empty_rows_of(number)?;
        }
        Ok(())
    }

    /// Rejects all rows of a user whom several rows speak of, where that was asked for. The user itself is kept, so
    /// that a row which is found to speak of it later is rejected with them.
    fn refuse_duplicates(&mut self, user: i64) -> Result<Option<Verdict>, Abort> {
        if self.spec.duplicates == Duplicates::Fold || self.work.run.patches_of(user)?.len() < 2 {
            return Ok(None);
        }
        self.work.run.reject_rows_of(user, "duplicate_user", DUPLICATE)?;
        Ok(Some(Verdict::of(Outcome::Rejected, "duplicate_user", DUPLICATE)))
    }

    /// Works out what would become of a user.
    fn judge(&mut self, user: &User, number: i64) -> Result<Verdict, Abort> {
        if !is_user_id(&user.id) {
            return Ok(Verdict::of(Outcome::Failed, "unsafe_id", UNSAFE_ID));
        }
        let patches = self.work.run.patches_of(number)?;
        let fields = patches.iter().flat_map(|patch| patch.fields().map(|(field, _)| field));
        let before = match user.fields(fields) {
            Ok(before) => before,
            Err(unreadable) => return Ok(Verdict::of(Outcome::Failed, "unreadable", unreadable.to_string())),
        };
        let change = match fold(&before, &patches, self.spec.mode) {
            Ok(change) => change,
            Err(too_deep) => return Ok(Verdict::of(Outcome::Failed, "too_deep", too_deep.to_string())),
        };
        if change.agreement() == Agreement::Rounded && !self.said_rounded {
            self.said_rounded = true;
            self.work.notice(ROUNDED);
        }
        let allowed = |name: &str| self.work.pacing.allow.iter().any(|allow| allow == name || allow == "forbid");
        let forbid =
            self.spec.guards.forbid.iter().find(|forbid| !allowed(&forbid.name()) && forbid.blocks(&before, &change));
        Ok(Verdict::on(change, forbid))
    }
}

const ALREADY_DONE: &str =
    "this user was already handled in this run by way of another identity; give this row to a new run";
const UNSAFE_ID: &str = "the API calls this user by an id that could change a URL, so nothing is sent to it";
const DUPLICATE: &str =
    "several rows speak of this user; leave one of them, or let --duplicates fold merge them in order";
const ROUNDED: &str =
    "some numbers are stored as 64-bit floats and came back rounded; they count as unchanged (number_rounded)";

fn identity(kind: IdentityKind, value: &str) -> Option<Identity> {
    // It was an identity when it was put into the batch.
    Identity::new(kind, value.to_owned()).ok()
}

/// What comparing a user came to.
struct Verdict {
    outcome: Outcome,
    code: Option<String>,
    message: Option<String>,
    change: Option<Change>,
}

impl Verdict {
    fn of(outcome: Outcome, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { outcome, code: Some(code.into()), message: Some(message.into()), change: None }
    }

    fn on(change: Change, forbid: Option<&Forbid>) -> Self {
        let plain =
            |outcome, code: Option<&str>| Self { outcome, code: code.map(str::to_owned), message: None, change: None };
        match change.agreement() {
            Agreement::Same => return plain(Outcome::Unchanged, None),
            Agreement::Rounded => return plain(Outcome::Unchanged, Some("number_rounded")),
            Agreement::Different => {}
        }
        if let Some(forbid) = forbid {
            let message =
                format!("the guard forbids this change of {}; --allow {} lifts it", forbid.path, forbid.name());
            return Self::of(Outcome::Blocked, forbid.name(), message);
        }
        if let Some((field, size)) = change.too_large() {
            let most = crate::change::MAX_FIELD_BYTES;
            let message = format!("{field} would be {size} bytes of JSON; Clerk stores {most} at most");
            return Self::of(Outcome::TooLarge, "field_too_large", message);
        }
        Self { change: Some(change), ..plain(Outcome::Planned, None) }
    }
}
