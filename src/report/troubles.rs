//! What did not go as the rows asked, gathered by cause with a few examples each.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::outcome::Outcome;

/// How many examples of one cause are kept.
const EXAMPLES: usize = 3;

/// How many causes are kept apart; codes come from the API and could be anything.
const MAX_CAUSES: usize = 100;

/// How much of a message is kept, in characters.
const MAX_MESSAGE: usize = 400;

/// The code under which further causes are gathered.
const OTHER: &str = "other";

/// One cause: an outcome and a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What became of them.
    pub outcome: Outcome,
    /// The word for machines.
    pub code: String,
    /// How many users; for `rejected`, how many rows.
    pub count: u64,
    /// The first few.
    pub examples: Vec<Example>,
}

/// One user or row that did not go as asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Example {
    /// The line on which the row begins; `None` where there is no input file.
    pub line: Option<u64>,
    /// Whom it speaks of, as far as that is known: `external_id=cus_1`, or a user's id.
    pub who: String,
    /// What is wrong and the way out.
    pub message: String,
}

/// Gathers troubles, one user or row at a time.
#[derive(Debug, Default)]
pub struct Troubles(BTreeMap<(Outcome, String), (u64, Vec<Example>)>);

impl Troubles {
    /// Counts one more; of all but the first few of a cause only the number is kept.
    pub fn add(&mut self, outcome: Outcome, code: &str, example: Example) {
        let mut key = (outcome, code.to_owned());
        if self.0.len() >= MAX_CAUSES && !self.0.contains_key(&key) {
            key = (outcome, OTHER.to_owned());
        }
        let (count, examples) = self.0.entry(key).or_default();
        *count += 1;
        if examples.len() < EXAMPLES {
            examples.push(Example { message: example.message.chars().take(MAX_MESSAGE).collect(), ..example });
        }
    }

    /// The causes, the most frequent first.
    pub fn finish(self) -> Vec<Trouble> {
        let each = self.0.into_iter();
        let mut troubles: Vec<Trouble> =
            each.map(|((outcome, code), (count, examples))| Trouble { outcome, code, count, examples }).collect();
        troubles.sort_by_key(|trouble| Reverse(trouble.count));
        troubles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_counted_and_a_few_examples_kept() {
        let mut troubles = Troubles::default();
        troubles.add(Outcome::Blocked, "forbidden", Example::default());
        for line in 1..=9 {
            let message = "x".repeat(1_000);
            troubles.add(
                Outcome::NotFound,
                "no_such_user",
                Example { line: Some(line), message, ..Example::default() },
            );
        }
        let found = troubles.finish();
        assert_eq!(found.iter().map(|t| (t.count, t.examples.len())).collect::<Vec<_>>(), [(9, 3), (1, 1)]);
        assert_eq!(found[0].examples[2].line, Some(3));
        assert_eq!(found[0].examples[0].message.len(), MAX_MESSAGE);
    }

    #[test]
    fn an_api_that_invents_codes_does_not_fill_the_memory() {
        let mut troubles = Troubles::default();
        for n in 0..10_000 {
            troubles.add(Outcome::Failed, &format!("code_{n}"), Example::default());
        }
        let found = troubles.finish();
        assert_eq!(found.len(), MAX_CAUSES + 1);
        assert_eq!(found.iter().map(|t| t.count).sum::<u64>(), 10_000);
        assert_eq!((found[0].code.as_str(), found[0].count), (OTHER, 9_900));
    }
}
