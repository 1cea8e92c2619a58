//! The engine against an API in memory, in paused time, with a real run file and a real limiter.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use self::world::{Account, Step, World};
use super::*;
use crate::guard::{Forbid, Guards};
use crate::identity::{Identity, IdentityKind};
use crate::limit::{LimitConfig, Limiter};
use crate::outcome::Outcome;
use crate::patch::{Mode, Patch};
use crate::retry::FailureKind;
use crate::row::{Origin, Row};
use crate::run_file::{Goal, Head, Instance as BoundTo, KeptRaw, RowFilter, StagedRow};
use crate::spec::{Compression, Duplicates, Format, Input, MappingSpec, SourceSpec, Spec};
use crate::state::State;
use crate::{apply, compare, stop};

mod seeds;
mod world;

/// A run, the world it works on, and how.
struct Rig {
    world: Arc<World>,
    pacing: Pacing,
    limits: Option<LimitConfig>,
    path: PathBuf,
    _folder: TempDir,
}

/// How a session ended.
#[derive(Debug)]
enum Session {
    Over(Result<Finish, Abort>),
    Killed,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    outcome: Outcome,
    code: String,
    message: String,
    user_id: Option<String>,
    attempts: u32,
}

fn spec() -> Spec {
    Spec {
        job: None,
        source: SourceSpec { input: Input::Stdin, format: Format::Ndjson, compression: Compression::None },
        mapping: MappingSpec::Body,
        mode: Mode::Merge,
        duplicates: Duplicates::Fold,
        allow_unverified: false,
        guards: Guards::default(),
    }
}

fn pacing() -> Pacing {
    Pacing {
        max_in_flight: 16,
        max_age: Duration::from_secs(30),
        retry: RetryPolicy { max_elapsed: Duration::from_hours(2), ..RetryPolicy::with_attempts(4) },
        max_failures: Limit::Percent(100.0),
        failures_count_from: 0,
        allow: Vec::new(),
    }
}

fn head(spec: Spec) -> Head {
    Head {
        id: "run".to_owned(),
        created: "2026-01-01T00:00:00Z".to_owned(),
        tool: "0".to_owned(),
        spec,
        header: None,
        instance: BoundTo { binding: "ins_test".to_owned(), host: "localhost".to_owned(), live: false },
        goal: Goal::Apply,
        state: State::Staged,
        reason: None,
        session: 0,
        fingerprint: None,
        rows_read: None,
        cursor: 0,
        compared: false,
    }
}

fn row(kind: IdentityKind, value: &str, public: &Value) -> Row {
    let patch = json!({ "public_metadata": public }).to_string();
    Row {
        identity: Identity::new(kind, value.to_owned()).expect("is an identity"),
        patch: Patch::from_json(&patch).expect("is a patch"),
    }
}

fn by_id(id: &str, public: &Value) -> Row {
    row(IdentityKind::UserId, id, public)
}

/// A folder in memory where there is one: nothing here has to outlive the test, and hundreds of runs are made.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("there is room")
}

impl Rig {
    fn new(accounts: impl IntoIterator<Item = Account>, spec: Spec, rows: &[Row]) -> Self {
        let folder = folder();
        let path = folder.path().join("run.run");
        let mut run = RunFile::create(&path, &head(spec)).expect("can be made");
        run.begin_rows().expect("can be written");
        for (n, row) in (1..).zip(rows) {
            let raw = KeptRaw::Object("{}");
            run.add_row(&StagedRow { origin: Origin { row: n, line: n }, content: Ok(row), raw }).expect("is put down");
        }
        run.end_rows(rows.len() as u64).expect("can be written");
        run.close().expect("can be written");
        Self { world: Arc::new(World::new(accounts)), pacing: pacing(), limits: None, path, _folder: folder }
    }

    /// So many users `u0`, `u1` … that hold `{"n":0}` and are to hold `{"n":1}`.
    fn of_users(n: usize) -> Self {
        let ids: Vec<String> = (0..n).map(|n| format!("u{n}")).collect();
        let rows: Vec<Row> = ids.iter().map(|id| by_id(id, &json!({"n": 1}))).collect();
        Self::new(ids.iter().map(|id| Account::new(id, json!({"n": 0, "other": true}))), spec(), &rows)
    }

    fn open(&self) -> RunFile {
        RunFile::open(&self.path).expect("nobody else works on it")
    }

    /// Works on the run until it is over, or the world stands still.
    async fn session(&self, pause: Duration) -> Session {
        let mut run = self.open();
        {
            let mut state = self.world.state();
            (state.echoed, state.max_in_flight) = (false, self.pacing.max_in_flight);
        }
        let ended = tokio::select! {
            ended = self.phases(&mut run, pause) => Session::Over(ended),
            () = self.world.stands_still() => Session::Killed,
        };
        if matches!(ended, Session::Killed) {
            self.leave_as_killed(run);
        }
        ended
    }

    /// Leaves the files as they are at this moment: a process that is killed closes nothing.
    fn leave_as_killed(&self, run: RunFile) {
        let files = ["run.run", "run.run-wal"].map(|name| self.path.with_file_name(name));
        let kept = files.map(|file| (std::fs::read(&file).ok(), file));
        drop(run);
        for (bytes, file) in kept {
            match bytes {
                Some(bytes) => std::fs::write(&file, bytes).expect("there is room"),
                None => drop(std::fs::remove_file(&file)),
            }
        }
    }

    async fn phases(&self, run: &mut RunFile, pause: Duration) -> Result<Finish, Abort> {
        let limiter = self.limits.map_or_else(Limiter::unlimited, Limiter::new);
        let api = Api {
            target: Arc::clone(&self.world),
            limiter: Arc::new(limiter),
            sent: Arc::default(),
            policy: self.pacing.retry,
        };
        let mut quiet = crate::event::Quiet;
        let (_stopper, stop) = stop::channel();
        let mut work = Work { run, api, pacing: &self.pacing, observer: &mut quiet, stop, began: Instant::now() };
        if !work.run.head().compared && compare::compare(&mut work).await? == Finish::Interrupted {
            return Ok(Finish::Interrupted);
        }
        tokio::time::sleep(pause).await;
        apply::apply(&mut work).await
    }

    async fn to_the_end(&self) -> Vec<Told> {
        match self.session(Duration::ZERO).await {
            Session::Over(Ok(Finish::Done)) => {}
            other => panic!("{other:?}"),
        }
        self.no_violations();
        self.told()
    }

    fn no_violations(&self) {
        assert_eq!(self.world.state().violations, Vec::<String>::new());
    }

    /// What the report says of each row; the rows come in order and each comes once.
    fn told(&self) -> Vec<Told> {
        let run = RunFile::open_to_read(&self.path).expect("is a run file");
        let mut told = Vec::new();
        run.for_each_row::<crate::run_file::RunFileError>(RowFilter::All, |row| {
            assert_eq!(row.origin.row, told.len() as u64 + 1);
            let (outcome, code, message) = (row.outcome, row.code, row.message);
            told.push(Told { outcome, code, message, user_id: row.user_id, attempts: row.attempts });
            Ok(())
        })
        .expect("is readable");
        told
    }

    fn outcomes(&self) -> Vec<(Outcome, String)> {
        self.told().into_iter().map(|told| (told.outcome, told.code)).collect()
    }
}

fn pair(outcome: Outcome, code: &str) -> (Outcome, String) {
    (outcome, code.to_owned())
}

#[tokio::test(start_paused = true)]
async fn every_user_is_written_once_and_as_many_at_a_time_as_allowed() {
    let rig = Rig::of_users(250);
    let told = rig.to_the_end().await;
    assert!(told.iter().all(|row| row.outcome == Outcome::Applied && row.attempts == 1));
    assert!(rig.world.state().landed.values().all(|n| *n == 1));
    assert_eq!(rig.world.public("u249"), json!({"n": 1, "other": true}));
    let mut reads: Vec<usize> = rig.world.state().reads.iter().map(|(_, n)| *n).collect();
    reads.sort_unstable();
    assert_eq!(reads, [50, 100, 100]);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_end_is_settled_by_reading() {
    use FailureKind::Ambiguous;
    let rig = Rig::of_users(6);
    let theirs = |value: Value| Some(json!({"n": value}));
    rig.world.script("u1", [Step::cut_after()]);
    rig.world.script("u2", [Step::fails(Ambiguous), Step::fails(Ambiguous), Step::cut_after()]);
    rig.world.script("u3", [Step { foreign: theirs(json!(7)), ..Step::cut_after() }]);
    rig.world.script("u4", [Step { foreign: Some(json!({"x": 7})), ..Step::cut_after() }]);
    rig.world.script("u5", [Step { foreign: theirs(json!(8)), ..Step::fails(Ambiguous) }]);
    let told = rig.to_the_end().await;
    let short: Vec<_> = told.iter().map(|row| (row.outcome, row.code.as_str(), row.attempts)).collect();
    assert_eq!(
        short,
        [
            (Outcome::Applied, "", 1),
            (Outcome::Applied, "verified", 1),
            (Outcome::Applied, "verified", 3),
            (Outcome::Drifted, "drifted", 1),
            (Outcome::Applied, "verified", 1),
            (Outcome::Drifted, "drifted", 1),
        ]
    );
    assert!(told[3].message.contains("our own write may have landed first"), "{}", told[3].message);
    assert_eq!(
        (rig.world.public("u3"), rig.world.public("u5")),
        (json!({"n": 7, "other": true}), json!({"n": 8, "other": true}))
    );
    assert!(rig.world.state().landed.values().all(|n| *n <= 1));
}

#[tokio::test(start_paused = true)]
async fn attempts_run_out_but_being_throttled_is_no_attempt() {
    use FailureKind::{Ambiguous, Locked, NotSent, Throttled};
    let rig = Rig::of_users(5);
    rig.world.script("u1", (0..40).map(|_| Step::fails(Throttled)));
    rig.world.script("u2", (0..40).map(|_| Step::fails(NotSent)));
    rig.world.script("u3", (0..40).map(|_| Step::fails(Ambiguous)));
    rig.world.script("u4", [Throttled, Locked, Throttled, NotSent, Throttled, Ambiguous].map(Step::fails));
    let told = rig.to_the_end().await;
    let short: Vec<_> = told.iter().map(|row| (row.outcome, row.code.as_str(), row.attempts)).collect();
    assert_eq!(
        short,
        [
            (Outcome::Applied, "", 1),
            (Outcome::Applied, "", 1),
            (Outcome::Failed, "notsent", 4),
            (Outcome::Failed, "ambiguous", 4),
            (Outcome::Applied, "", 4),
        ]
    );
    let sent = |id: &str| rig.world.state().writes.iter().filter(|user| *user == id).count();
    assert_eq!([sent("u1"), sent("u2"), sent("u3"), sent("u4")], [41, 4, 4, 7]);
}

#[tokio::test(start_paused = true)]
async fn final_answers_are_told_as_they_are() {
    let rig = Rig::of_users(5);
    rig.world.script("u1", [Step::fails(FailureKind::Refused)]);
    rig.world.script("u2", [Step::fails(FailureKind::TooLarge)]);
    rig.world.script("u3", [Step::fails(FailureKind::NotFound)]);
    rig.world.script("u4", [Step::without_effect()]);
    rig.to_the_end().await;
    let expected = [
        pair(Outcome::Applied, ""),
        pair(Outcome::Failed, "refused"),
        pair(Outcome::TooLarge, "toolarge"),
        pair(Outcome::NotFound, "notfound"),
        pair(Outcome::Failed, "not_applied"),
    ];
    assert_eq!(rig.outcomes(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_stops_the_run_at_once_and_loses_nothing() {
    let rig = Rig::of_users(90);
    rig.world.script("u3", [Step::fails(FailureKind::KeyRefused)]);
    let Session::Over(Err(abort)) = rig.session(Duration::ZERO).await else { panic!("must abort") };
    assert_eq!(abort.code(), "key_refused");
    let sent = rig.world.state().writes.len();
    assert!(sent < 60, "{sent} were sent");
    let told = rig.told();
    assert_eq!(told[3].outcome, Outcome::Planned);
    assert!(told.iter().all(|row| matches!(row.outcome, Outcome::Applied | Outcome::Planned)));
    let told = rig.to_the_end().await;
    assert!(told.iter().all(|row| row.outcome == Outcome::Applied));
    assert_eq!(rig.world.state().writes.len(), 91);
}

#[tokio::test(start_paused = true)]
async fn too_many_failures_stop_the_run() {
    let mut rig = Rig::of_users(60);
    rig.pacing = Pacing { max_failures: Limit::Count(5), max_in_flight: 2, ..pacing() };
    for n in 10..60 {
        rig.world.script(&format!("u{n}"), [Step::fails(FailureKind::Refused)]);
    }
    let Session::Over(Err(abort)) = rig.session(Duration::ZERO).await else { panic!("must abort") };
    assert_eq!(abort.code(), "too_many_failures");
    let failed = rig.told().iter().filter(|row| row.outcome == Outcome::Failed).count();
    assert!((6..=7).contains(&failed), "{failed} failed");
}

#[tokio::test(start_paused = true)]
async fn writes_without_effect_stop_the_run_before_many_are_sent() {
    let rig = Rig::of_users(60);
    for n in 0..60 {
        rig.world.script(&format!("u{n}"), [Step::without_effect()]);
    }
    let Session::Over(Err(abort)) = rig.session(Duration::ZERO).await else { panic!("must abort") };
    assert_eq!((abort.code(), rig.world.state().writes.len()), ("nothing_applied", 3));
    rig.no_violations();
}

#[tokio::test(start_paused = true)]
async fn what_was_compared_long_ago_is_read_again_by_the_hundred() {
    let rig = Rig::of_users(250);
    let Session::Over(Ok(Finish::Done)) = rig.session(Duration::from_secs(31)).await else { panic!("must be done") };
    rig.no_violations();
    assert!(rig.told().iter().all(|row| row.outcome == Outcome::Applied));
    let again: Vec<usize> = rig.world.state().reads[3..].iter().map(|(_, n)| *n).collect();
    assert_eq!(again.iter().sum::<usize>(), 250);
    assert!(again.len() <= 5, "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_drifted_is_left_alone_and_whoever_holds_it_already_is_not_written() {
    let rig = Rig::of_users(6);
    rig.world.state().moments_left = Some(2);
    assert!(matches!(rig.session(Duration::ZERO).await, Session::Killed));
    rig.world.state().moments_left = None;
    rig.world.merge("u1", &json!({"n": 5}));
    rig.world.merge("u2", &json!({"n": 1}));
    rig.world.merge("u3", &json!({"other": 9}));
    rig.world.state().accounts.remove("u4");
    rig.to_the_end().await;
    let expected = [
        pair(Outcome::Applied, ""),
        pair(Outcome::Drifted, "drifted"),
        pair(Outcome::Unchanged, "already_held"),
        pair(Outcome::Applied, ""),
        pair(Outcome::NotFound, "user_gone"),
        pair(Outcome::Applied, ""),
    ];
    assert_eq!(rig.outcomes(), expected);
    assert_eq!(rig.world.public("u3"), json!({"n": 1, "other": 9}));
}

#[tokio::test(start_paused = true)]
async fn a_max_age_shorter_than_a_request_does_not_read_for_ever() {
    for max_age in [Duration::ZERO, Duration::from_millis(5)] {
        let mut rig = Rig::of_users(20);
        rig.pacing.max_age = max_age;
        rig.world.state().latency_ms = 400;
        let told = tokio::time::timeout(Duration::from_mins(10), rig.to_the_end()).await.expect("must end");
        assert!(told.iter().all(|row| row.outcome == Outcome::Applied));
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_pace_reads_again_what_waited_too_long_and_still_ends() {
    let mut rig = Rig::of_users(120);
    let rate = "10/10s".parse().expect("is a rate");
    rig.limits = Some(LimitConfig { rate: Some(rate), user_rate: None, share: crate::limit::Share::FULL });
    let told = rig.to_the_end().await;
    assert!(told.iter().all(|row| row.outcome == Outcome::Applied && row.attempts == 1));
}

/// A user with one identifier of each kind, and an address that is written otherwise.
fn known_by_many() -> Account {
    Account::new("u0", json!({})).external("ext0").email("Ann@Example.com", true)
}

#[tokio::test(start_paused = true)]
async fn all_identities_of_a_user_are_folded_in_input_order() {
    let (id, ext, mail) = (IdentityKind::UserId, IdentityKind::ExternalId, IdentityKind::EmailAddress);
    let rows = [
        row(mail, "ann@example.com", &json!({"v": 1, "a": 1})),
        row(id, "u0", &json!({"v": 2, "a": null})),
        row(ext, "ext0", &json!({"v": 3})),
        row(mail, "ANN@example.com", &json!({"v": 4, "b": {"c": 1}})),
        row(id, "u0", &json!({"v": 5})),
    ];
    for take in 1..=rows.len() {
        let rig = Rig::new([known_by_many()], spec(), &rows[..take]);
        let told = rig.to_the_end().await;
        assert!(told.iter().all(|row| row.outcome == Outcome::Applied), "{told:?}");
        let mut expected = json!({});
        for row in &rows[..take] {
            json_patch::merge(&mut expected, &row.patch.to_json()["public_metadata"]);
        }
        assert_eq!(rig.world.public("u0"), expected);
        assert_eq!(rig.world.state().landed["u0"], 1);
    }
}

#[tokio::test(start_paused = true)]
async fn refused_duplicates_take_all_rows_of_a_user_with_them_however_it_is_named() {
    let (id, ext, mail) = (IdentityKind::UserId, IdentityKind::ExternalId, IdentityKind::EmailAddress);
    let kinds = [(id, "u0"), (ext, "ext0"), (mail, "ann@example.com"), (mail, "ANN@example.com"), (id, "u0")];
    let spec = Spec { duplicates: Duplicates::Error, ..spec() };
    for take in 2..=kinds.len() {
        let mut rows: Vec<Row> =
            kinds[..take].iter().map(|(kind, value)| row(*kind, value, &json!({"v": 1}))).collect();
        rows.push(by_id("u1", &json!({"v": 1})));
        let rig = Rig::new([known_by_many(), Account::new("u1", json!({}))], spec.clone(), &rows);
        let mut outcomes = rig.to_the_end().await;
        assert_eq!(outcomes.pop().map(|told| told.outcome), Some(Outcome::Applied));
        for told in outcomes {
            assert_eq!((told.outcome, told.code.as_str()), (Outcome::Rejected, "duplicate_user"));
        }
        assert_eq!(rig.world.public("u0"), json!({}));
        let run = rig.open();
        assert_eq!((run.rejected().expect("is counted"), run.users().expect("are counted").total()), (take as u64, 1));
        let (problems, _) = run.problems(10).expect("are counted");
        assert_eq!(problems, [(Outcome::Rejected, "duplicate_user".to_owned(), take as u64)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_page_is_asked_for_in_parts() {
    let kind = IdentityKind::EmailAddress;
    let crowd =
        (0..520).map(|n| Account::new(&format!("a{n:03}"), json!({})).email(&format!("shared{}@x.test", n % 2), false));
    let owner = |id: &str, mail: &str| Account::new(id, json!({})).email(mail, true);
    let owners = [owner("z1", "shared0@x.test"), owner("z2", "own@x.test")];
    let rows =
        ["shared0@x.test", "own@x.test", "shared1@x.test", "none@x.test"].map(|v| row(kind, v, &json!({"v": 1})));
    let rig = Rig::new(crowd.chain(owners), spec(), &rows);
    rig.to_the_end().await;
    let expected = [
        pair(Outcome::Applied, ""),
        pair(Outcome::Applied, ""),
        pair(Outcome::NotFound, "unverified"),
        pair(Outcome::NotFound, "no_such_user"),
    ];
    assert_eq!(rig.outcomes(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_refused_batch_is_halved_until_the_culprit_is_alone() {
    let rig = Rig::of_users(130);
    rig.world.state().poison = ["u17", "u18", "u120"].map(str::to_owned).into();
    let told = rig.to_the_end().await;
    for (n, row) in told.iter().enumerate() {
        let refused = [17, 18, 120].contains(&n);
        assert_eq!(row.outcome, if refused { Outcome::Failed } else { Outcome::Applied }, "{n}");
    }
}

#[tokio::test(start_paused = true)]
async fn users_that_nobody_asked_for_stop_the_run_unused() {
    let rig = Rig::of_users(5);
    rig.world.state().accounts.insert("stranger".to_owned(), Account::new("stranger", json!({})));
    rig.world.state().surplus = vec!["stranger".to_owned()];
    let Session::Over(Err(abort)) = rig.session(Duration::ZERO).await else { panic!("must abort") };
    assert_eq!(abort.code(), "filter_ignored");
    assert!(rig.told().iter().all(|row| row.outcome == Outcome::Pending));
    assert!(rig.world.state().writes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn reads_that_fail_for_good_stop_the_run_and_lose_nothing() {
    let rig = Rig::of_users(150);
    rig.world.state().read_failures = (0..30).map(|_| FailureKind::Ambiguous).collect();
    let Session::Over(Err(abort)) = rig.session(Duration::ZERO).await else { panic!("must abort") };
    assert_eq!(abort.code(), "api_unavailable");
    rig.world.state().read_failures.clear();
    let told = rig.to_the_end().await;
    assert!(told.iter().all(|row| row.outcome == Outcome::Applied));
}

#[tokio::test(start_paused = true)]
async fn retrying_some_outcomes_leaves_the_others_as_they_are() {
    let rig = Rig::of_users(6);
    rig.world.state().accounts.remove("u1");
    rig.world.script("u2", [Step::fails(FailureKind::Refused)]);
    rig.world.script("u3", [Step::without_effect()]);
    rig.world.script("u4", [Step { foreign: Some(json!({"n": 7})), ..Step::fails(FailureKind::Ambiguous) }]);
    rig.to_the_end().await;
    rig.world.state().accounts.insert("u1".to_owned(), Account::new("u1", json!({})));
    let mut run = rig.open();
    assert_eq!(run.retry(&[Outcome::Failed, Outcome::NotFound]).expect("can be written"), 3);
    assert_eq!(run.users().expect("are counted").get(Outcome::Pending), 3);
    drop(run);
    rig.to_the_end().await;
    let outcomes: Vec<Outcome> = rig.told().into_iter().map(|told| told.outcome).collect();
    let applied = Outcome::Applied;
    assert_eq!(outcomes, [applied, applied, applied, applied, Outcome::Drifted, applied]);
    let writes = rig.world.state().writes.clone();
    assert_eq!(writes.iter().filter(|user| *user == "u0" || *user == "u5").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_guard_holds_for_what_the_rows_of_a_user_come_to_together() {
    let path: crate::path::Path = "public_metadata.acl".parse().expect("is a path");
    let forbid = vec![Forbid { path, from: Some(json!({"role": "admin"})), to: None }];
    let spec = Spec { guards: Guards { max_changes: None, forbid }, ..spec() };
    let acl = |role: &str| json!({"acl": {"role": role}});
    let rows = [
        by_id("u0", &acl("x")),
        by_id("u0", &acl("admin")),
        by_id("u0", &json!({"n": 1})),
        by_id("u1", &acl("x")),
        by_id("u2", &acl("x")),
    ];
    let users = [("u0", "admin"), ("u1", "admin"), ("u2", "member")].map(|(id, role)| Account::new(id, acl(role)));
    let rig = Rig::new(users, spec, &rows);
    let outcomes: Vec<Outcome> = rig.to_the_end().await.into_iter().map(|told| told.outcome).collect();
    let (applied, blocked) = (Outcome::Applied, Outcome::Blocked);
    assert_eq!(outcomes, [applied, applied, applied, blocked, applied]);
}

#[tokio::test(start_paused = true)]
async fn ids_of_any_length_never_make_a_read_too_long() {
    let ids: Vec<String> = (0..120).map(|n| format!("u{n}-{}", "_".repeat(200))).collect();
    let rows: Vec<Row> = ids.iter().map(|id| by_id(id, &json!({"n": 1}))).collect();
    let rig = Rig::new(ids.iter().map(|id| Account::new(id, json!({}))), spec(), &rows);
    let Session::Over(Ok(Finish::Done)) = rig.session(Duration::from_secs(31)).await else { panic!("must be done") };
    rig.no_violations();
    assert!(rig.told().iter().all(|row| row.outcome == Outcome::Applied));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_over_stays_over() {
    let rig = Rig::of_users(3);
    rig.to_the_end().await;
    let told = rig.told();
    let sent = rig.world.state().writes.len();
    assert_eq!(rig.to_the_end().await, told);
    assert_eq!(rig.world.state().writes.len(), sent);
}
