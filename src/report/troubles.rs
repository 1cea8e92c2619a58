//! What did not go as the rows asked, gathered by cause with a few examples each.

use crate::outcome::Outcome;

/// How many causes are told apart; codes come from the API and could be anything.
pub const MAX_CAUSES: usize = 100;

/// The code under which further causes of an outcome are gathered.
pub const OTHER: &str = "other";

/// How much of a message is kept, in characters.
const MAX_MESSAGE: usize = 400;

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

impl Example {
    /// An example with as much of its message as is told.
    pub fn new(line: u64, who: String, message: &str) -> Self {
        Self { line: Some(line), who, message: message.chars().take(MAX_MESSAGE).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_never_ends_is_cut() {
        let example = Example::new(1, String::new(), &"ä".repeat(1_000));
        assert_eq!(example.message.chars().count(), MAX_MESSAGE);
    }
}
