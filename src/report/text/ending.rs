//! What happened.

use crate::outcome::Outcome;
use crate::report::summary::Summary;
use crate::report::text::{Look, Page, commands, counts, failed_rows, header, meaning, quoted, remarks, troubles};
use crate::report::words::{count, duration, thousands};
use crate::state::State;

/// How a run ended: users by outcome, failures by cause with a way out, what was sent, and the commands that follow.
pub fn ending(summary: &Summary, look: Look) -> String {
    let mut page = Page::new(look);
    headline(&mut page, summary);
    header(&mut page, summary);
    counts(&mut page, summary, Outcome::Applied, meaning);
    troubles(&mut page, "Not as asked", summary);
    remarks(&mut page, summary);
    sent(&mut page, summary);
    commands(&mut page, &next(summary));
    page.text
}

fn headline(page: &mut Page, summary: &Summary) {
    let reason = summary.run.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let left = match summary.users_left() {
        0 => String::new(),
        n => format!("; {} left", count(n, "user")),
    };
    match summary.run.state {
        State::Aborted => page.running("", &format!("Aborted{reason}{left}"), Look::bad),
        State::Interrupted => page.running("", &format!("Interrupted{reason}{left}"), Look::warn),
        State::Applied => match amiss(summary) {
            None => page.running("", "Done", Look::good),
            Some(amiss) => page.running("", &format!("Done, but not for {amiss}"), Look::warn),
        },
        State::Staged | State::Planned | State::Running => {
            page.running("", &format!("Not finished{reason}{left}"), Look::warn);
        }
    }
    page.text.push('\n');
}

/// How many users and rows ended otherwise than they should.
fn amiss(summary: &Summary) -> Option<String> {
    let counted = [(summary.users_amiss(), "user"), (summary.rows_amiss(), "row")];
    let told: Vec<String> = counted.iter().filter(|(n, _)| *n > 0).map(|(n, noun)| count(*n, noun)).collect();
    (!told.is_empty()).then(|| told.join(" and "))
}

/// What this invocation sent, and how long it took.
fn sent(page: &mut Page, summary: &Summary) {
    let requests = &summary.requests;
    let all = requests.read + requests.write;
    let mut text = format!("{} in {}", count(all, "request"), duration(summary.duration));
    if all > 0 {
        text = format!("{text}: {}, {}", count(requests.read, "read"), count(requests.write, "write"));
    }
    if requests.retried > 0 {
        text = format!("{text}; {} repeated", thousands(requests.retried));
    }
    page.text.push('\n');
    page.running("", &text, |_, line| line.to_owned());
    if requests.throttled > 0 {
        let answered = if requests.throttled == 1 { "was" } else { "were" };
        let throttled = format!("{} {answered} answered with 429", count(requests.throttled, "request"));
        page.running("", &throttled, Look::warn);
    }
}

fn next(summary: &Summary) -> Vec<(String, &'static str)> {
    let run = quoted(&summary.run.handle);
    let mut next = Vec::new();
    match summary.run.state {
        State::Interrupted | State::Running => next.push((format!("metapatch resume {run}"), "go on")),
        State::Aborted => next.push((format!("metapatch resume {run}"), "go on after that")),
        State::Staged | State::Planned | State::Applied => {}
    }
    if summary.users.get(Outcome::Failed) + summary.users.get(Outcome::Drifted) > 0 {
        next.push((format!("metapatch retry {run}"), "try those again"));
    }
    next.extend(failed_rows(summary));
    next.push((format!("metapatch report {run} --format csv -o report.csv"), "every row"));
    next
}
