//! Text from data or from the API, made harmless for the place where a person sees it.

use std::fmt::Write as _;

/// Text for a terminal: whatever could move the cursor, colour the screen or turn the reading direction is shown as an
/// escape, not obeyed.
pub fn for_terminal(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ if is_unsafe(letter) => {
                // Writing to a string cannot fail.
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(letter));
            }
            _ => shown.push(letter),
        }
    }
    shown
}

/// Text for one line of at most `width` characters; what is cut off is marked with an ellipsis.
pub fn for_terminal_within(text: &str, width: usize) -> String {
    let shown = for_terminal(text);
    if shown.chars().count() <= width {
        return shown;
    }
    shown.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// A cell that a spreadsheet would take for a formula is led in by an apostrophe.
pub fn for_spreadsheet(cell: &str) -> std::borrow::Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{cell}").into() } else { cell.into() }
}

/// Whether a terminal may obey a letter: control characters, and those that turn, join or hide text.
pub fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let shown = for_terminal("a\u{1b}[31mred\u{7}\u{9b}2J\u{202e}txt\r\n\tä€");
        assert_eq!(shown, r"a\u{1b}[31mred\u{7}\u{9b}2J\u{202e}txt\r\n\tä€");
    }

    #[test]
    fn formulas_are_defused() {
        assert_eq!(for_spreadsheet("=1+1"), "'=1+1");
        assert_eq!(for_spreadsheet("plain"), "plain");
    }

    #[test]
    fn long_text_is_cut_by_characters() {
        assert_eq!(for_terminal_within("äöüß", 3), "äö…");
        assert_eq!(for_terminal_within("äöü", 3), "äöü");
    }
}
