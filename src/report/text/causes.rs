//! What did not go as the rows asked, told by cause.

use super::{Look, Page, cell, hint, source_name};
use crate::harmless::for_terminal;
use crate::outcome::Outcome;
use crate::report::summary::Summary;
use crate::report::troubles::{Example, Trouble};
use crate::report::words::{count, thousands};

/// What did not go as asked, by cause, each with a few examples and a way out.
pub(super) fn troubles(page: &mut Page, title: &str, summary: &Summary) {
    if summary.troubles.is_empty() {
        return;
    }
    page.heading(title);
    let source = source_name(summary, page.look);
    for (at, trouble) in summary.troubles.iter().enumerate() {
        if at > 0 {
            page.text.push('\n');
        }
        tell_trouble(page, trouble, &source);
    }
}

fn tell_trouble(page: &mut Page, trouble: &Trouble, source: &str) {
    let look = page.look;
    let noun = if trouble.outcome == Outcome::Rejected { "row" } else { "user" };
    let head = format!("{} {}", count(trouble.count, noun), trouble.outcome);
    let code = match trouble.code.as_str() {
        "" => String::new(),
        code => {
            let room = look.width.saturating_sub(2 + head.len() + 3);
            look.dim(&format!(" · {}", cell::cut(&for_terminal(code), room)))
        }
    };
    page.line(&format!("  {}{code}", look.outcome(trouble.outcome, &head)));
    let shared = shared_message(&trouble.examples);
    if let Some(message) = shared {
        page.running("    ", message, |_, line| line.to_owned());
    }
    for example in &trouble.examples {
        tell_example(page, example, source, shared.is_none());
    }
    let more = trouble.count.saturating_sub(trouble.examples.len() as u64);
    if more > 0 {
        page.line(&look.dim(&format!("    … and {} more", thousands(more))));
    }
    if let Some(hint) = hint::hint(trouble.outcome, &trouble.code) {
        page.running("    → ", &hint, Look::dim);
    }
}

/// The message that all examples have, if it is one and the same.
fn shared_message(examples: &[Example]) -> Option<&str> {
    let (first, rest) = examples.split_first()?;
    let same = rest.iter().all(|example| example.message == first.message);
    (same && !first.message.is_empty()).then_some(&first.message)
}

fn tell_example(page: &mut Page, example: &Example, source: &str, with_message: bool) {
    let place = example.line.map(|line| format!("{source}:{line}"));
    let who = Some(for_terminal(&example.who)).filter(|who| !who.is_empty());
    let head: Vec<String> = place.into_iter().chain(who).collect();
    let head = cell::cut(&head.join("  "), page.look.width.saturating_sub(4));
    if !head.is_empty() {
        page.line(&format!("    {}", page.look.dim(&head)));
    }
    if with_message {
        page.running("      ", &example.message, |_, line| line.to_owned());
    }
}
