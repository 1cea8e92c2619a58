//! A run to tell about in tests.

use super::{Estimate, InstanceKind, RowCounts, RunInfo, Scene, Shown, State, Summary};
use crate::event::Requests;
use crate::json::parse;
use crate::outcome::{Outcome, Tally};
use crate::patch::Mode;
use crate::report::diff::{ShownEdit, UserDiff};
use crate::report::transitions::{Pairs, Transition};
use crate::report::troubles::{Example, Trouble};
use crate::spec::Format;

/// What may be seen: `-` is absent, `*` is masked, anything else is JSON.
pub(crate) fn shown(text: &str) -> Shown {
    match text {
        "-" => Shown::Absent,
        "*" => Shown::Masked,
        json => Shown::Value(parse(json).expect("is JSON")),
    }
}

pub(crate) fn pair(path: &str, before: &str, after: &str, users: u64) -> Transition {
    let pairs = Pairs::One { before: shown(before), after: shown(after) };
    Transition { path: path.parse().expect("is a path"), pairs, users }
}

pub(crate) fn many(path: &str, distinct: u64, at_least: bool, users: u64) -> Transition {
    Transition { path: path.parse().expect("is a path"), pairs: Pairs::Many { distinct, at_least }, users }
}

pub(crate) fn diff(who: &str, line: u64, edits: &[(&str, &str, &str)]) -> UserDiff {
    let edits = edits.iter().map(|(path, before, after)| ShownEdit {
        path: path.parse().expect("is a path"),
        before: shown(before),
        after: shown(after),
    });
    UserDiff { who: who.to_owned(), line: Some(line), edits: edits.collect(), more: 0 }
}

pub(crate) fn trouble(outcome: Outcome, code: &str, count: u64, examples: &[(u64, &str, &str)]) -> Trouble {
    let examples = examples.iter().map(|(line, who, message)| Example {
        line: Some(*line),
        who: (*who).to_owned(),
        message: (*message).to_owned(),
    });
    Trouble { outcome, code: code.to_owned(), count, examples: examples.collect() }
}

pub(crate) fn tally(counts: &[(Outcome, u64)]) -> Tally {
    let mut tally = Tally::default();
    for (outcome, n) in counts {
        tally.add(*outcome, *n);
    }
    tally
}

/// A run with nothing in it.
pub(crate) fn empty(state: State) -> Summary {
    Summary {
        run: RunInfo {
            id: "20260512-k3f9".to_owned(),
            file: ".metapatch/runs/20260512-k3f9.sqlite".into(),
            handle: "20260512-k3f9".to_owned(),
            job: None,
            state,
            reason: None,
        },
        rows: RowCounts::default(),
        users: Tally::default(),
        requests: Requests::default(),
        transitions: Vec::new(),
        duration: std::time::Duration::ZERO,
        scene: Scene {
            source: "roles.csv".to_owned(),
            format: Format::Csv,
            host: "api.clerk.com".to_owned(),
            instance: None,
            kind: InstanceKind::Live,
            mode: Mode::Merge,
        },
        estimate: None,
        largest: None,
        notices: Vec::new(),
        warnings: Vec::new(),
        examples: Vec::new(),
        troubles: Vec::new(),
        accepted: Vec::new(),
    }
}

/// A plan in which there is something of everything.
pub(crate) fn plan() -> Summary {
    let mut summary = empty(State::Planned);
    summary.run.job = Some("backfill-roles".to_owned());
    summary.scene.instance = Some("ins_2abc".to_owned());
    summary.rows = RowCounts { read: 1_204, rejected: 4 };
    summary.users = tally(&[
        (Outcome::Planned, 1_002),
        (Outcome::Unchanged, 183),
        (Outcome::NotFound, 3),
        (Outcome::Blocked, 1),
        (Outcome::Rejected, 4),
    ]);
    summary.transitions = vec![
        pair("public_metadata.role", r#""member""#, r#""editor""#, 812),
        many("public_metadata.score", 604, false, 604),
        pair("public_metadata.legacy", "true", "-", 400),
        pair("public_metadata.seats", r#""5""#, "5", 12),
        pair("private_metadata.stripe", "*", "*", 10),
        pair("public_metadata.beta", "-", "true", 2),
    ];
    let edits = [
        ("public_metadata.legacy", "true", "-"),
        ("public_metadata.role", r#""member""#, r#""editor""#),
        ("private_metadata.stripe", "-", "*"),
    ];
    summary.examples = vec![diff("user_2abc", 17, &edits)];
    summary.troubles = vec![
        trouble(
            Outcome::Rejected,
            "invalid_cell",
            4,
            &[
                (7, "user_id=user_2x", "column seats: expected an int, found `x`"),
                (9, "user_id=user_2y", "column seats: expected an int, found `1.5`"),
            ],
        ),
        trouble(
            Outcome::NotFound,
            "",
            3,
            &[
                (21, "user_id=user_2p", "no user has this identity"),
                (22, "user_id=user_2q", "no user has this identity"),
                (40, "user_id=user_2r", "no user has this identity"),
            ],
        ),
        trouble(
            Outcome::Blocked,
            "forbid:public_metadata.role",
            1,
            &[(31, "user_id=user_2z", r#"public_metadata.role must not change from "admin""#)],
        ),
    ];
    summary.estimate = Some(Estimate {
        reads: 10,
        writes: 1_002,
        duration: std::time::Duration::from_secs(21),
        pace: "50/s (share 50% of 1000/10s)".to_owned(),
    });
    summary.notices = vec!["the columns first_name and last_name of the Dashboard export are left out".to_owned()];
    summary
}
