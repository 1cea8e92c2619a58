//! What would happen.

use std::time::Duration;

use crate::change::MAX_FIELD_BYTES;
use crate::outcome::Outcome;
use crate::report::summary::{Estimate, Largest, Summary};
use crate::report::text::{
    Look, Page, cell, commands, counts, failed_rows, header, meaning, quoted, remarks, source_name, table, troubles,
};
use crate::report::words::{count, duration, thousands};

/// A plan that is kept: the preview, and what to do with it.
pub fn plan(summary: &Summary, look: Look) -> String {
    let mut page = Page::new(look);
    foresee(&mut page, summary);
    commands(&mut page, &next(summary));
    page.text
}

/// What applying a run would do: counts, transitions, a few diffs, what will not go as asked, and the cost.
pub fn preview(summary: &Summary, look: Look) -> String {
    let mut page = Page::new(look);
    foresee(&mut page, summary);
    page.text
}

fn foresee(page: &mut Page, summary: &Summary) {
    let look = page.look;
    header(page, summary);
    counts(page, summary, Outcome::Planned, |outcome| match outcome {
        Outcome::Planned => "would change",
        other => meaning(other),
    });
    let changes = table::lines(summary, look);
    if !changes.is_empty() {
        page.heading("Changes");
        page.lines(changes);
    }
    if !summary.examples.is_empty() {
        page.heading("For example");
        let source = source_name(summary, look);
        summary.examples.iter().for_each(|diff| page.lines(diff.lines(&source, look)));
    }
    troubles(page, "Not as asked", summary);
    remarks(page, summary);
    if let Some(largest) = &summary.largest {
        tell_largest(page, largest);
    }
    if summary.users_left() == 0 {
        page.text.push('\n');
        page.line("Nothing is left to change.");
    } else if let Some(estimate) = &summary.estimate {
        cost(page, estimate);
    }
}

/// Worth telling only where it is close to the bound.
fn tell_largest(page: &mut Page, largest: &Largest) {
    let bound = MAX_FIELD_BYTES as u64;
    if largest.bytes * 5 < bound * 4 {
        return;
    }
    let text = format!(
        "the largest field after the changes: {} of {}, {} of {} bytes",
        largest.field,
        largest.user_id,
        thousands(largest.bytes),
        thousands(bound)
    );
    page.text.push('\n');
    page.running("! ", &text, Look::warn);
}

/// How many requests, and how long they take.
fn cost(page: &mut Page, estimate: &Estimate) {
    let Estimate { reads, writes, .. } = estimate;
    let requests =
        format!("{}: {}, {}", count(reads + writes, "request"), count(*reads, "read"), count(*writes, "write"));
    // What fits into the budget of one period is sent at once, which still takes a moment.
    let least = estimate.duration.max(Duration::from_secs(1));
    let time = format!("about {} at {}", duration(least), estimate.pace);
    page.text.push('\n');
    let one = format!("{requests}; {time}");
    if cell::width(&one) <= page.look.width {
        page.running("", &one, |_, line| line.to_owned());
    } else {
        page.running("", &requests, |_, line| line.to_owned());
        page.running("", &time, |_, line| line.to_owned());
    }
}

fn next(summary: &Summary) -> Vec<(String, &'static str)> {
    let run = quoted(&summary.run.handle);
    let mut next = Vec::new();
    if summary.users.get(Outcome::Planned) > 0 {
        next.push((format!("metapatch apply --run {run}"), "apply this plan"));
    }
    next.extend(failed_rows(summary));
    next
}
