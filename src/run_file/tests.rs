use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::change::Change;
use crate::identity::{Identity, IdentityKind};
use crate::outcome::Outcome;
use crate::patch::{Mode, Patch};
use crate::path::Field;
use crate::row::{Origin, Rejection, Row};
use crate::spec::{Compression, Duplicates, Format, Input, MappingSpec, SourceSpec, Spec};
use crate::state::State;

fn head() -> Head {
    Head {
        id: "20260101-test".to_owned(),
        created: "2026-01-01T00:00:00Z".to_owned(),
        tool: "0".to_owned(),
        spec: Spec {
            job: None,
            source: SourceSpec { input: Input::Stdin, format: Format::Csv, compression: Compression::None },
            mapping: MappingSpec::Body,
            mode: Mode::Merge,
            duplicates: Duplicates::Fold,
            allow_unverified: false,
            guards: crate::guard::Guards::default(),
        },
        header: Some(vec!["user_id".to_owned(), "public.a".to_owned()]),
        instance: Instance { binding: "ins_test".to_owned(), host: "localhost".to_owned(), live: false },
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

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("there is room");
    let path = folder.path().join("one.run");
    (folder, path)
}

fn row(kind: IdentityKind, value: &str, a: &str) -> Row {
    let patch = Patch::from_json(&json!({ "public_metadata": {"a": a} }).to_string()).expect("is a patch");
    Row { identity: Identity::new(kind, value.to_owned()).expect("is an identity"), patch }
}

fn by_id(id: &str, a: &str) -> Row {
    row(IdentityKind::UserId, id, a)
}

fn stage(run: &mut RunFile, rows: &[Row]) {
    run.begin_rows().expect("can be written");
    for (n, row) in (1..).zip(rows) {
        let raw = row.patch.to_json().to_string();
        let raw = KeptRaw::Object(&raw);
        run.add_row(&StagedRow { origin: Origin { row: n, line: n + 1 }, content: Ok(row), raw }).expect("is put down");
    }
    run.end_rows(rows.len() as u64).expect("can be written");
}

/// A change of `a` from absent to a text.
fn change(a: &str) -> Change {
    let before = crate::change::Metadata::from([(Field::Public, json!({}))]);
    crate::change::fold(&before, &[by_id("u1", a).patch], Mode::Merge).expect("is shallow")
}

fn put(run: &mut RunFile, user: i64, id: &str, outcome: Outcome, change: Option<&Change>) {
    let new = NewChange { user, user_id: id, outcome, code: None, message: None, change, compared_ms: 5 };
    run.put_change(&new).expect("can be written");
}

/// A run of four rows: one planned, one unchanged, one that nobody has, one pending.
fn compared(path: &Path) -> RunFile {
    let mut run = RunFile::create(path, &head()).expect("can be made");
    let rows = ["u1", "u2", "u3", "u4"].map(|id| by_id(id, &format!("value-of-{id}")));
    stage(&mut run, &rows);
    run.assign(&rows[0].identity, 1).expect("can be written");
    put(&mut run, 1, "u1", Outcome::Planned, Some(&change("value-of-u1")));
    run.assign(&rows[1].identity, 2).expect("can be written");
    put(&mut run, 2, "u2", Outcome::Unchanged, None);
    run.end_identity(&rows[2].identity, Outcome::NotFound, "no_such_user", "nobody").expect("can be written");
    run.commit().expect("can be written");
    run
}

fn outcomes(run: &RunFile) -> Vec<(Outcome, String)> {
    let mut found = Vec::new();
    run.for_each_row::<RunFileError>(RowFilter::All, |row| {
        found.push((row.outcome, row.matched));
        Ok(())
    })
    .expect("is readable");
    found
}

/// Everything that can be asked of a run file; an error is as good as an answer, a panic is not.
fn read_all(path: &Path) -> Result<()> {
    let run = RunFile::open_to_read(path)?;
    for filter in [RowFilter::All, RowFilter::Failed] {
        run.for_each_row::<RunFileError>(filter, |_| Ok(()))?;
    }
    run.for_each_change::<RunFileError>(&Outcome::ALL, |_, _, _, _| Ok(()))?;
    run.users()?;
    run.rejected()?;
    run.has_unreadable_rows()?;
    run.rows()?;
    for (outcome, code, _) in run.problems(100)?.0 {
        run.examples(outcome, &code, 3)?;
    }
    run.first_line_of(1)?;
    run.pending_rows(0, 100)?;
    run.planned(0, 100)?;
    run.for_each_patch_of::<RunFileError>(1, |_| Ok(()))?;
    run.has_several_rows(1)?;
    run.find_user("u1")?;
    run.has_one_unique_kind()?;
    Ok(())
}

fn write_all(path: &Path) -> Result<()> {
    let mut run = RunFile::open(path)?;
    run.intend([1])?;
    run.retry(&[Outcome::NotFound])?;
    run.update_head(|head| head.state = State::Running)?;
    run.close()
}

fn message(result: Result<impl Sized>) -> String {
    result.err().expect("must be refused").to_string()
}

#[test]
fn there_is_one_writer_and_any_number_of_readers() {
    let (_folder, path) = place();
    let run = compared(&path);
    assert!(message(RunFile::open(&path)).starts_with("another metapatch is working on the run"));
    assert!(message(RunFile::create(&path, &head())).contains("exists already"));
    let readers = [RunFile::open_to_read(&path), RunFile::open_to_read(&path)].map(|run| run.expect("can be read"));
    assert_eq!(outcomes(&readers[0]), outcomes(&run));
    drop(run);
    let again = RunFile::open(&path).expect("the lock is free");
    assert_eq!(again.head().session, 2);
    drop(readers);
    again.close().expect("can be written");
    let left: Vec<_> = fs::read_dir(path.parent().expect("has one")).expect("is there").flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn what_is_not_committed_is_lost_as_a_whole_and_what_is_committed_stays() {
    let (_folder, path) = place();
    let mut run = compared(&path);
    let before = outcomes(&run);
    run.end_change(&Ended {
        user: 1,
        outcome: Outcome::Applied,
        code: None,
        message: None,
        attempts: 1,
        trace_id: None,
    })
    .expect("can be written");
    let reader = RunFile::open_to_read(&path).expect("can be read");
    assert_eq!(outcomes(&reader), before);
    drop(run);
    let run = RunFile::open(&path).expect("can be opened");
    assert_eq!(outcomes(&run), before);
    assert!(!run.planned(0, 9).expect("are there")[0].sent);
}

#[test]
fn a_copy_of_the_files_of_a_killed_process_holds_all_that_was_committed() {
    let (folder, path) = place();
    let mut run = compared(&path);
    run.intend([1]).expect("can be written");
    run.commit().expect("can be written");
    run.end_identity(&by_id("u4", "").identity, Outcome::NotFound, "", "").expect("can be written");
    let copy = folder.path().join("copy.run");
    for ending in ["", "-wal"] {
        fs::copy(folder::beside(&path, "", ending), folder::beside(&copy, "", ending)).expect("there is room");
    }
    let reader = RunFile::open_to_read(&copy).expect("can be read");
    assert!(reader.planned(0, 9).expect("are there")[0].sent);
    let words: Vec<Outcome> = outcomes(&reader).into_iter().map(|(outcome, _)| outcome).collect();
    assert_eq!(words, [Outcome::Planned, Outcome::Unchanged, Outcome::NotFound, Outcome::Pending]);
    drop(reader);
    assert!(!folder::beside(&copy, "", "-wal").exists(), "the next command folds it in");
    write_all(&copy).expect("can be worked on");
}

#[test]
fn what_is_no_run_file_and_what_is_newer_is_refused() {
    let (folder, path) = place();
    assert!(message(RunFile::open(&path)).starts_with("there is no run file"));
    assert!(message(RunFile::open(folder.path())).contains("is not a run file"));
    for bytes in [&b""[..], b"text", b"SQLite format 3\0", &[0; 5000]] {
        fs::write(&path, bytes).expect("there is room");
        assert!(message(RunFile::open(&path)).contains("is not a run file"), "{bytes:?}");
        assert!(message(RunFile::open_to_read(&path)).contains("is not a run file"));
        assert_eq!(fs::read(&path).expect("is there"), bytes, "it is left as it is");
    }
    fs::remove_file(&path).expect("is there");
    Connection::open(&path).and_then(|db| db.execute_batch("CREATE TABLE run (a)")).expect("is a database");
    assert!(message(RunFile::open(&path)).contains("is not a run file"));
    fs::remove_file(&path).expect("is there");
    compared(&path).close().expect("can be written");
    Connection::open(&path).and_then(|db| db.execute_batch("PRAGMA user_version = 99")).expect("is a database");
    assert!(message(RunFile::open(&path)).contains("written by a newer metapatch (layout 99, this one reads 1)"));
    assert!(message(RunFile::open_to_read(&path)).contains("newer metapatch"));
}

#[test]
fn texts_that_make_no_sense_are_damage_and_never_a_panic() {
    let deep = format!("'{}'", "[".repeat(10_000));
    let texts = [
        "''",
        "'nope'",
        "'{}'",
        "'[{\"path\":[\"public_metadata\"],\"existed\":9}]'",
        "'\u{0}'",
        "x'ff'",
        deep.as_str(),
    ];
    let numbers = ["-1", "9223372036854775807", "-9223372036854775808"];
    let columns = [
        (
            "run",
            &["spec", "header", "instance", "goal", "state"][..],
            &["session", "rows_read", "cursor", "compared"][..],
        ),
        ("changes", &["user_id", "outcome", "touches"], &["user", "attempts", "session", "compared_ms", "sent"]),
        ("rows", &["kind", "value", "outcome", "patch", "raw_kind", "raw"], &["row", "line", "user"]),
    ];
    let (folder, path) = place();
    compared(&path).close().expect("can be written");
    let broken = folder.path().join("broken.run");
    let mut damaged = 0;
    for (table, text_columns, number_columns) in columns {
        let with_texts = text_columns.iter().flat_map(|column| texts.iter().map(move |t| (*column, *t)));
        let with_numbers = number_columns.iter().flat_map(|column| numbers.iter().map(move |n| (*column, *n)));
        for (column, value) in with_texts.chain(with_numbers).collect::<Vec<_>>() {
            fs::copy(&path, &broken).expect("there is room");
            let db = Connection::open(&broken).expect("is a database");
            let sql = format!("UPDATE {table} SET {column} = {value} WHERE rowid = (SELECT min(rowid) FROM {table})");
            // The layout itself refuses some.
            if db.execute(&sql, []).is_err() {
                continue;
            }
            db.close().expect("can be written");
            damaged += usize::from(read_all(&broken).is_err());
            damaged += usize::from(write_all(&broken).is_err());
        }
    }
    assert!(damaged > 60, "{damaged}");
}

#[test]
fn a_file_cut_off_or_scribbled_on_anywhere_is_an_error_or_works() {
    let (folder, path) = place();
    compared(&path).close().expect("can be written");
    let whole = fs::read(&path).expect("is there");
    let broken = folder.path().join("broken.run");
    fastrand::seed(7);
    let cuts = (0..150).map(|n| n * whole.len() / 150);
    for cut in cuts {
        fs::write(&broken, &whole[..cut]).expect("there is room");
        let _ = (read_all(&broken), write_all(&broken));
    }
    for _ in 0..150 {
        let mut bytes = whole.clone();
        for _ in 0..fastrand::usize(1..40) {
            let at = fastrand::usize(100..bytes.len());
            bytes[at] = fastrand::u8(..);
        }
        fs::write(&broken, &bytes).expect("there is room");
        let _ = (read_all(&broken), write_all(&broken));
    }
    assert!(
        message(RunFile::open(&{
            fs::write(&broken, &whole[..50]).expect("there is room");
            broken
        }))
        .contains("is not a run file")
    );
}

#[cfg(unix)]
#[test]
fn files_and_folder_belong_to_their_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, _) = place();
    let runs = Folder::new(folder.path().join("a/runs"));
    runs.prepare().expect("can be made");
    let mode = |path: &Path| fs::metadata(path).map(|found| found.permissions().mode() & 0o777).expect("is there");
    assert_eq!(mode(&folder.path().join("a/runs")), 0o700);
    assert_eq!(
        fs::read_to_string(folder.path().join("a/runs/.gitignore")).expect("is there").lines().last(),
        Some("*")
    );
    let path = runs.path_of("x");
    let run = compared(&path);
    for ending in ["", "-wal", "-shm", ".lock"] {
        assert_eq!(mode(&folder::beside(&path, "", ending)), 0o600, "{ending}");
    }
    assert_eq!(runs.list().expect("is readable"), [path]);
    run.close().expect("can be written");
}

#[test]
fn what_a_killed_process_left_behind_is_no_obstacle_and_no_part_of_a_new_run() {
    let (_folder, path) = place();
    for name in
        [".one.run.new", ".one.run.new-journal", "one.run-wal", "one.run-shm", "one.run-journal", "one.run.lock"]
    {
        fs::write(path.with_file_name(name), b"left behind").expect("there is room");
    }
    compared(&path).close().expect("can be written");
    // A run file that was removed without its `-wal` file must not come back in the next of its name.
    let run = RunFile::open(&path).expect("can be opened");
    let wal = fs::read(folder::beside(&path, "", "-wal")).expect("is there");
    drop(run);
    fs::remove_file(&path).expect("is there");
    fs::write(folder::beside(&path, "", "-wal"), wal).expect("there is room");
    let run = RunFile::create(&path, &head()).expect("can be made");
    assert_eq!((run.rows().expect("are counted"), run.head().session), (0, 1));
}

#[test]
fn staging_anew_drops_what_was_staged_before() {
    let (_folder, path) = place();
    let mut run = RunFile::create(&path, &head()).expect("can be made");
    stage(&mut run, &[by_id("u1", "x"), by_id("u2", "x")]);
    stage(&mut run, &[by_id("u3", "x")]);
    assert_eq!(outcomes(&run), [(Outcome::Pending, "user_id=u3".to_owned())]);
    assert_eq!(run.rows().expect("are counted"), 1);
}

#[test]
fn rows_take_their_users_outcome_unless_they_have_one_of_their_own() {
    let (_folder, path) = place();
    let mut run = compared(&path);
    let rejection = Rejection::new("invalid_json", "no").at("7");
    let bad =
        StagedRow { origin: Origin { row: 9, line: 10 }, content: Err(&rejection), raw: KeptRaw::Unreadable(b"\xff") };
    run.add_row(&bad).expect("is put down");
    let words: Vec<&str> = outcomes(&run).iter().map(|(outcome, _)| outcome.word()).collect();
    assert_eq!(words, ["planned", "unchanged", "not_found", "pending", "rejected"]);
    assert_eq!((run.rejected().expect("are counted"), run.has_unreadable_rows().expect("is known")), (1, true));
    run.reject_rows_of(1, "duplicate_user", "twice").expect("can be written");
    assert_eq!(outcomes(&run)[0].0, Outcome::Rejected);
    let mut failed = Vec::new();
    run.for_each_row::<RunFileError>(RowFilter::Failed, |row| {
        failed.push((row.origin.row, row.code, row.raw));
        Ok(())
    })
    .expect("is readable");
    let object = |a: &str| crate::row::Raw::Object(format!(r#"{{"public_metadata":{{"a":"{a}"}}}}"#));
    assert_eq!(failed.len(), 3);
    assert_eq!(failed[0], (1, "duplicate_user".to_owned(), object("value-of-u1")));
    assert_eq!(failed[1].2, object("value-of-u3"));
    assert_eq!(failed[2].2, crate::row::Raw::Unreadable(vec![0xff]));
}

#[test]
fn identities_are_counted_once_and_users_once() {
    let (_folder, path) = place();
    let mut run = RunFile::create(&path, &head()).expect("can be made");
    let (id, mail) = (IdentityKind::UserId, IdentityKind::EmailAddress);
    let rows = [
        row(id, "u1", "1"),
        row(id, "u1", "2"),
        row(mail, "u1@x.test", "3"),
        row(mail, "none@x.test", "1"),
        row(mail, "none@x.test", "2"),
        row(id, "none", "1"),
        row(id, "later", "1"),
        row(id, "later", "1"),
    ];
    stage(&mut run, &rows);
    assert_eq!(run.users().expect("are counted").get(Outcome::Pending), 5);
    for identity in [&rows[0].identity, &rows[2].identity] {
        run.assign(identity, 1).expect("can be written");
    }
    put(&mut run, 1, "u1", Outcome::Planned, Some(&change("3")));
    for identity in [&rows[3].identity, &rows[5].identity] {
        run.end_identity(identity, Outcome::NotFound, "no_such_user", "").expect("can be written");
    }
    let tally = run.users().expect("are counted");
    let counts = [Outcome::Planned, Outcome::NotFound, Outcome::Pending].map(|outcome| tally.get(outcome));
    assert_eq!((counts, tally.total()), ([1, 2, 1], 4));
    let mut patches = Vec::new();
    run.for_each_patch_of::<RunFileError>(1, |patch| {
        patches.push(patch.clone());
        Ok(())
    })
    .expect("are there");
    assert_eq!(patches, rows[..3].iter().map(|row| row.patch.clone()).collect::<Vec<_>>());
    assert!(run.has_several_rows(1).expect("is known") && !run.has_several_rows(2).expect("is known"));
    let (problems, others) = run.problems(10).expect("are counted");
    assert_eq!(problems, [(Outcome::NotFound, "no_such_user".to_owned(), 2)]);
    assert_eq!(others.total(), 0);
    assert!(!run.has_one_unique_kind().expect("is known"));
}

/// Whether any file of the run holds a text.
fn is_found(path: &Path, text: &str) -> bool {
    let files = fs::read_dir(path.parent().expect("has one")).expect("is readable").flatten();
    files.into_iter().any(|file| {
        fs::read(file.path()).expect("is readable").windows(text.len()).any(|bytes| bytes == text.as_bytes())
    })
}

#[test]
fn what_rows_held_that_ended_well_is_gone_from_the_file() {
    let (_folder, path) = place();
    let mut run = RunFile::create(&path, &head()).expect("can be made");
    // Long ones fill pages of their own, which are given back rather than overwritten.
    let long = |name: &str| format!("{name}{}{name}", "-".repeat(9_000));
    let rows: Vec<Row> = (0..200)
        .map(|n| by_id(&format!("u{n}"), &if n % 3 == 0 { long("MARKER") } else { "MARKER".to_owned() }))
        .chain([by_id("kept", "KEPT")])
        .collect();
    stage(&mut run, &rows);
    for (n, row) in (1..).zip(&rows) {
        run.assign(&row.identity, n).expect("can be written");
        let change = change(if row.identity.value() == "kept" { "KEPT" } else { "SECRET" });
        put(&mut run, n, row.identity.value(), Outcome::Planned, Some(&change));
        run.commit().expect("can be written");
    }
    assert!(is_found(&path, "MARKER") && is_found(&path, "SECRET"));
    for n in 1..=200 {
        let outcome = if n % 2 == 0 { Outcome::Applied } else { Outcome::Unchanged };
        let ended = Ended { user: n, outcome, code: None, message: None, attempts: 1, trace_id: None };
        run.end_change(&ended).expect("can be written");
    }
    run.close().expect("can be written");
    assert!(!is_found(&path, "MARKER"), "what the rows held is gone");
    assert!(is_found(&path, "KEPT"));
    assert!(is_found(&path, "SECRET"), "what changed is kept, or it could not be taken back");
}

#[test]
fn what_stays_as_it_is_leaves_nothing_behind() {
    let (_folder, path) = place();
    let mut run = RunFile::create(&path, &head()).expect("can be made");
    let rows: Vec<Row> = (0..50).map(|n| by_id(&format!("u{n}"), &format!("MARKER{}", "-".repeat(n * 100)))).collect();
    stage(&mut run, &rows);
    for (n, row) in (1..).zip(&rows) {
        run.assign(&row.identity, n).expect("can be written");
        put(&mut run, n, row.identity.value(), Outcome::Planned, Some(&change("MARKER")));
        put(&mut run, n, row.identity.value(), Outcome::Unchanged, None);
    }
    run.empty_unchanged_rows().expect("can be written");
    run.close().expect("can be written");
    assert!(!is_found(&path, "MARKER"));
}

#[test]
fn staging_anew_leaves_nothing_of_what_was_staged_before() {
    let (_folder, path) = place();
    let mut run = RunFile::create(&path, &head()).expect("can be made");
    let rows: Vec<Row> = (0..100).map(|n| by_id(&format!("u{n}"), &format!("MARKER{}", "-".repeat(n * 50)))).collect();
    stage(&mut run, &rows);
    stage(&mut run, &[by_id("u1", "x")]);
    run.close().expect("can be written");
    assert!(!is_found(&path, "MARKER"));
}

#[test]
fn an_api_that_invents_codes_gets_a_bounded_list_and_every_user_is_counted() {
    let (_folder, path) = place();
    let mut run = RunFile::create(&path, &head()).expect("can be made");
    let rows: Vec<Row> = (0..60).map(|n| by_id(&format!("u{}", n / 2), "x")).collect();
    stage(&mut run, &rows);
    for n in 0..30 {
        let (user, id) = (2 * n + 1, format!("u{n}"));
        run.assign(&rows[usize::try_from(user).expect("is small")].identity, user).expect("can be written");
        put(&mut run, user, &id, Outcome::Planned, None);
        let code = if n < 5 { "often".to_owned() } else { format!("code_{n}") };
        let (code, message) = (Some(code), Some(format!("message {n}")));
        let ended = Ended { user, outcome: Outcome::Failed, code, message, attempts: 1, trace_id: None };
        run.end_change(&ended).expect("can be written");
    }
    let (problems, others) = run.problems(4).expect("are counted");
    let counts: Vec<u64> = problems.iter().map(|(.., n)| *n).collect();
    assert_eq!((counts, others.get(Outcome::Failed)), (vec![5, 1, 1, 1], 22));
    let examples = run.examples(Outcome::Failed, "often", 3).expect("are there");
    let told: Vec<String> = examples.iter().map(|(line, who, said)| format!("{line} {who} {said}")).collect();
    assert_eq!(told, ["2 user_id=u0 message 0", "4 user_id=u1 message 1", "6 user_id=u2 message 2"]);
    for sql in ["EXAMPLES_OF_ROWS", "EXAMPLES_OF_USERS"] {
        let text = if sql == "EXAMPLES_OF_ROWS" { reading::EXAMPLES_OF_ROWS } else { reading::EXAMPLES_OF_USERS };
        let mut statement = run.db.prepare(&format!("EXPLAIN QUERY PLAN {text}")).expect("is SQL");
        let steps = statement.query_map(["failed", "often", "3"], |row| row.get::<_, String>(3)).expect("is a plan");
        let steps: Vec<String> = steps.map(|step| step.expect("is a text")).collect();
        let is_sought = |step: &String| !step.starts_with("SCAN") && !step.contains("TEMP B-TREE");
        assert!(steps.iter().all(is_sought), "{sql}: {steps:?}");
    }
}

#[test]
fn a_run_killed_with_a_rollback_journal_open_can_be_read() {
    let (_folder, path) = place();
    compared(&path).close().expect("can be written");
    let (_other, copy) = place();
    let db = Connection::open(&path).expect("opens");
    db.execute_batch(
        "PRAGMA cache_size = 2; BEGIN; CREATE TABLE bulk (x);
         INSERT INTO bulk SELECT randomblob(5000) FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9));
         UPDATE rows SET value = 'torn'; DELETE FROM bulk;",
    )
    .expect("is begun");
    for ending in ["", "-journal"] {
        fs::copy(folder::beside(&path, "", ending), folder::beside(&copy, "", ending)).expect("is there");
    }
    let run = RunFile::open_to_read(&copy).expect("is rolled back");
    assert!(outcomes(&run).iter().all(|(_, matched)| !matched.contains("torn")));
    assert_eq!(outcomes(&run).len(), 4);
}
