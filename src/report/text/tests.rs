use std::time::Duration;

use super::*;
use crate::event::Requests;
use crate::harmless::is_unsafe;
use crate::report::summary::sample::{diff, empty, many, pair, plan, tally, trouble};
use crate::report::summary::{Estimate, Largest, RowCounts};
use crate::state::State;

/// A page without its colours.
fn stripped(page: &str) -> String {
    let mut parts = page.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

fn after_trouble() -> Summary {
    let mut summary = empty(State::Applied);
    summary.rows = RowCounts { read: 1_001, rejected: 1 };
    summary.users =
        tally(&[(Outcome::Applied, 990), (Outcome::TooLarge, 1), (Outcome::Failed, 9), (Outcome::Rejected, 1)]);
    summary.requests = Requests { read: 12, write: 1_001, retried: 8, throttled: 2 };
    summary.duration = Duration::from_millis(100_400);
    let refused = "Clerk answered 503 six times in a row";
    summary.troubles = vec![
        trouble(
            Outcome::Failed,
            "service_unavailable",
            9,
            &[(4, "user_id=user_2a", refused), (5, "user_id=user_2b", refused), (9, "user_id=user_2c", refused)],
        ),
        trouble(
            Outcome::TooLarge,
            "form_param_exceeds_allowed_size",
            1,
            &[(77, "user_id=user_2d", "public_metadata would take 9,012 bytes")],
        ),
        trouble(Outcome::Rejected, "wrong_field_count", 1, &[(80, "", "expected 3 cells, found 4; quote the comma")]),
    ];
    summary
}

#[test]
fn a_plan_is_told_from_the_counts_to_the_next_command() {
    let expected = r#"roles.csv → api.clerk.com · live instance ins_2abc
job backfill-roles · merge · run 20260512-k3f9

1,204 rows, 4 rejected · 1,189 users
  1,002  planned    would change
    183  unchanged  hold it already
      3  not_found  no such user
      1  blocked    a guard forbids it

Changes
  path                     before     after              users
  public_metadata.role     "member" → "editor"             812
  public_metadata.score    604 different changes           604
  public_metadata.legacy   true     → (removed)            400
  public_metadata.seats    "5"      → 5  (type changes)     12
  private_metadata.stripe  •••      → •••                   10
  public_metadata.beta     (absent) → true  (added)          2

For example
  user_2abc  roles.csv:17
    - public_metadata.legacy: true
    - public_metadata.role: "member"
    + public_metadata.role: "editor"
    + private_metadata.stripe: •••

Not as asked
  4 rows rejected · invalid_cell
    roles.csv:7  user_id=user_2x
      column seats: expected an int, found `x`
    roles.csv:9  user_id=user_2y
      column seats: expected an int, found `1.5`
    … and 2 more
    → mend these rows in the file of failed rows and feed it back

  3 users not_found
    no user has this identity
    roles.csv:21  user_id=user_2p
    roles.csv:22  user_id=user_2q
    roles.csv:40  user_id=user_2r
    → check the identities, and that the key is of the right instance

  1 user blocked · forbid:public_metadata.role
    public_metadata.role must not change from "admin"
    roles.csv:31  user_id=user_2z
    → if this is meant, lift the guard with --allow forbid:public_metadata.role

· the columns first_name and last_name of the Dashboard export are left out

1,012 requests: 10 reads, 1,002 writes
about 21 s at 50/s (share 50% of 1000/10s)

Next
  metapatch apply --run 20260512-k3f9                           apply this plan
  metapatch report 20260512-k3f9 --format failed -o failed.csv  the rows to mend
"#;
    assert_eq!(super::plan(&plan(), Look::plain(80)), expected);
}

#[test]
fn a_line_stands_beside_its_like_where_there_is_room_and_below_it_elsewhere() {
    let cost = "1,012 requests: 10 reads, 1,002 writes; about 21 s at 50/s (share 50% of 1000/10s)\n";
    assert!(super::plan(&plan(), Look::plain(120)).contains(cost));
    let narrow = super::plan(&plan(), Look::plain(60));
    assert!(narrow.contains("  # apply this plan\n  metapatch apply --run 20260512-k3f9\n"), "{narrow}");
}

#[test]
fn an_ending_tells_the_failures_by_cause_and_the_way_on() {
    let expected = r"Done, but not for 10 users and 1 row

roles.csv → api.clerk.com · live instance
merge · run 20260512-k3f9

1,001 rows, 1 rejected · 1,000 users
    990  applied    changed by this run
      1  too_large  a field would exceed 8,192 bytes
      9  failed     refused, or retries ran out

Not as asked
  9 users failed · service_unavailable
    Clerk answered 503 six times in a row
    roles.csv:4  user_id=user_2a
    roles.csv:5  user_id=user_2b
    roles.csv:9  user_id=user_2c
    … and 6 more
    → Clerk did not answer well for too long: retry once it does

  1 user too_large · form_param_exceeds_allowed_size
    public_metadata would take 9,012 bytes
    roles.csv:77  user_id=user_2d
    → shrink or remove values: a field holds 8,192 bytes at most

  1 row rejected · wrong_field_count
    expected 3 cells, found 4; quote the comma
    roles.csv:80
    → mend these rows in the file of failed rows and feed it back

1,013 requests in 1 min 40 s: 12 reads, 1,001 writes; 8 repeated
2 requests were answered with 429

Next
  metapatch retry 20260512-k3f9                                 try those again
  metapatch report 20260512-k3f9 --format failed -o failed.csv  the rows to mend
  metapatch report 20260512-k3f9 --format csv -o report.csv     every row
";
    assert_eq!(ending(&after_trouble(), Look::plain(80)), expected);
}

#[test]
fn colours_only_repeat_what_the_words_say() {
    for width in [60, 80, 120] {
        for summary in [plan(), after_trouble(), empty(State::Planned)] {
            let (plain, colored) = (Look::plain(width), Look::colored(width));
            let trimmed = |page: &str| stripped(page).lines().map(str::trim_end).collect::<Vec<_>>().join("\n") + "\n";
            assert_eq!(trimmed(&super::plan(&summary, colored)), super::plan(&summary, plain));
            assert_eq!(trimmed(&ending(&summary, colored)), ending(&summary, plain));
            assert!(super::plan(&summary, colored).contains('\u{1b}'));
        }
    }
}

#[test]
fn the_state_of_a_run_makes_the_headline_and_the_first_command() {
    for (state, reason, headline, command) in [
        (State::Interrupted, "Ctrl-C", "Interrupted: Ctrl-C; 3 users left", "metapatch resume"),
        (State::Aborted, "the key was refused", "Aborted: the key was refused; 3 users left", "metapatch resume"),
        (State::Applied, "", "Done", "metapatch report"),
    ] {
        let mut summary = empty(state);
        summary.users = tally(&[(Outcome::Planned, 2), (Outcome::Pending, 1)]);
        summary.run.reason = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
        let page = ending(&summary, Look::plain(120));
        assert_eq!(page.lines().next(), Some(headline));
        let first = page.lines().skip_while(|line| *line != "Next").nth(1).expect("there is a command");
        assert!(first.trim_start().starts_with(command), "{page}");
    }
}

#[test]
fn an_accepted_outcome_is_no_trouble() {
    let mut summary = empty(State::Applied);
    summary.users = tally(&[(Outcome::Applied, 1), (Outcome::NotFound, 2)]);
    assert!(ending(&summary, Look::plain(80)).starts_with("Done, but not for 2 users\n"));
    summary.accepted = vec![Outcome::NotFound];
    let page = ending(&summary, Look::plain(80));
    assert!(page.starts_with("Done\n") && !page.contains("--format failed"), "{page}");
}

#[test]
fn where_nothing_is_to_do_nothing_is_offered() {
    let expected = "\
roles.csv → api.clerk.com · live instance
merge · run 20260512-k3f9

0 rows · 0 users
      0  planned    would change

Nothing is left to change.
";
    assert_eq!(super::plan(&empty(State::Planned), Look::plain(80)), expected);
}

#[test]
fn one_is_singular_everywhere() {
    let mut summary = empty(State::Planned);
    summary.rows.read = 1;
    summary.users = tally(&[(Outcome::Planned, 1)]);
    let duration = Duration::from_secs(1);
    summary.estimate = Some(Estimate { reads: 1, writes: 1, duration, pace: "1/s".to_owned() });
    let page = super::plan(&summary, Look::plain(80));
    assert!(page.contains("1 row · 1 user\n"), "{page}");
    assert!(page.contains("2 requests: 1 read, 1 write; about 1 s at 1/s\n"), "{page}");
}

#[test]
fn long_values_are_shortened_and_every_line_fits() {
    let long = |letter: &str| format!("\"{}\"", letter.repeat(9_000));
    let (list, longer) =
        (r#"["aaaaaaaaaa","bbbbbbbbbb","cccccccccc"]"#, r#"["aaaaaaaaaa","bbbbbbbbbb","cccccccccc","d"]"#);
    let deep = format!("public_metadata.{}.tier", "subscription.".repeat(30).trim_end_matches('.'));
    let mut summary = plan();
    summary.scene.source = format!("{}.csv", "roles-".repeat(40));
    summary.transitions = vec![
        pair(&deep, &long("x"), &long("日"), 1_234_567),
        pair("public_metadata.list", list, longer, 3),
        many(&deep, 500_000, true, 2),
        pair("public_metadata.n", &long("y"), "5", 1),
    ];
    summary.examples =
        vec![diff(&"user_".repeat(50), 1, &[(&deep, &long("x"), &long("日")), ("public.list", list, longer)])];
    summary.troubles =
        vec![trouble(Outcome::Failed, &"code_".repeat(50), 5, &[(1, &"who".repeat(90), &"many words ".repeat(40))])];
    summary.largest =
        Some(Largest { field: crate::path::Field::Public, bytes: 8_000, user_id: "user_2abc".to_owned() });
    for width in [60, 80, 120] {
        let page = super::plan(&summary, Look::plain(width));
        let (body, _commands) = page.split_once("\nNext\n").expect("there are commands");
        for line in body.lines().skip(2) {
            assert!(cell::width(line) <= width, "{} > {width}: {line}", cell::width(line));
        }
        assert!(
            body.contains(".tier") && body.contains("(type changes)") && body.contains("at least 500,000"),
            "{body}"
        );
        assert!(body.contains("public_metadata of user_2abc, 8,000 of 8,192 bytes") || width < 120, "{body}");
        let ends: Vec<&str> = body.lines().filter(|line| line.contains("list:")).collect();
        assert!(ends[0].trim_start_matches([' ', '-']) != ends[1].trim_start_matches([' ', '+']), "{ends:?}");
    }
}

#[test]
fn nothing_in_the_data_drives_the_terminal() {
    let hostile = "\u{1b}[2J\u{9b}31m\u{202e}\r\n\u{7}\u{200b}";
    let json = serde_json::Value::from(hostile).to_string();
    let path = crate::path::Path { field: crate::path::Field::Public, keys: vec![hostile.to_owned()] }.to_string();
    let mut summary = plan();
    summary.run.id = hostile.to_owned();
    summary.run.handle = hostile.to_owned();
    summary.run.job = Some(hostile.to_owned());
    summary.run.reason = Some(hostile.to_owned());
    summary.run.state = State::Aborted;
    summary.scene.source = hostile.to_owned();
    summary.scene.host = hostile.to_owned();
    summary.scene.instance = Some(hostile.to_owned());
    summary.notices = vec![hostile.to_owned()];
    summary.warnings = vec![hostile.to_owned()];
    summary.transitions = vec![pair(&path, &json, "-", 1), pair(&path, "-", &json, 1)];
    summary.examples = vec![diff(hostile, 1, &[(&path, &json, &format!("[{json}]"))])];
    summary.troubles = vec![trouble(Outcome::Failed, hostile, 2, &[(1, hostile, hostile), (2, hostile, "other")])];
    summary.largest = Some(Largest { field: crate::path::Field::Public, bytes: 8_192, user_id: hostile.to_owned() });
    summary.estimate.as_mut().expect("is a plan").pace = hostile.to_owned();
    for page in [super::plan(&summary, Look::plain(80)), ending(&summary, Look::plain(80))] {
        assert!(!page.chars().any(|c| is_unsafe(c) && c != '\n'), "{page:?}");
    }
}

#[test]
fn an_argument_can_be_copied_into_a_shell() {
    for (argument, typed) in [
        ("20260512-k3f9", "20260512-k3f9"),
        ("my runs/a.sqlite", "'my runs/a.sqlite'"),
        ("a'b; rm -rf ~", r"'a'\''b; rm -rf ~'"),
        ("$(id)", "'$(id)'"),
        ("", "''"),
    ] {
        assert_eq!(quoted(argument), typed);
    }
}
