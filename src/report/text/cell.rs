//! Text in columns of a terminal: measured, cut, padded, fitted and wrapped. Everything here expects harmless text.

use unicode_width::UnicodeWidthChar;

/// How many columns a text takes.
pub fn width(text: &str) -> usize {
    text.chars().map(letter_width).sum()
}

fn letter_width(letter: char) -> usize {
    letter.width().unwrap_or(0)
}

/// The text in at most `room` columns; what is cut off its end is marked with an ellipsis.
pub fn cut(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut kept: String = first(text.chars(), room.saturating_sub(1));
    kept.push('…');
    kept
}

/// The text in at most `room` columns; what is cut out of its middle is marked with an ellipsis.
pub fn cut_middle(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let left = room.saturating_sub(1) / 2;
    let head: String = first(text.chars(), left);
    let tail: String = first(text.chars().rev(), room.saturating_sub(1 + left));
    let tail: String = tail.chars().rev().collect();
    format!("{head}…{tail}")
}

/// Two values in at most `room` columns each, cut so that the first place where they differ can be seen.
pub fn cut_pair(before: &str, after: &str, room: usize) -> (String, String) {
    let shared = before.chars().zip(after.chars()).take_while(|(a, b)| a == b).count();
    let lead: String = before.chars().take(shared).collect();
    let fits = width(before).max(width(after)) <= room;
    if fits || width(&lead) + room / 3 <= room {
        return (cut(before, room), cut(after, room));
    }
    let from = |text: &str| {
        let rest: String = text.chars().skip(shared.saturating_sub(room / 4)).collect();
        cut(&format!("…{rest}"), room)
    };
    (from(before), from(after))
}

fn first(letters: impl Iterator<Item = char>, room: usize) -> String {
    let mut taken = 0;
    let fitting = letters.take_while(|letter| {
        taken += letter_width(*letter);
        taken <= room
    });
    fitting.collect()
}

/// The text with spaces behind it up to `room` columns.
pub fn pad(text: &str, room: usize) -> String {
    format!("{text}{}", " ".repeat(room.saturating_sub(width(text))))
}

/// The text with spaces before it up to `room` columns.
pub fn pad_left(text: &str, room: usize) -> String {
    format!("{}{text}", " ".repeat(room.saturating_sub(width(text))))
}

/// Narrows columns until they fit into `room` together: always the widest, none below its least width.
pub fn fit<const N: usize>(mut widths: [usize; N], least: [usize; N], room: usize) -> [usize; N] {
    while widths.iter().sum::<usize>() > room {
        let narrowable = (0..N).filter(|at| widths[*at] > least[*at]);
        let Some(widest) = narrowable.max_by_key(|at| widths[*at]) else { break };
        widths[widest] -= 1;
    }
    widths
}

/// The text in lines of at most `room` columns, broken between words; a longer word has a line of its own.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_letters_take_two_columns() {
        assert_eq!(width("日本"), 4);
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(pad("日", 4), "日  ");
    }

    #[test]
    fn a_cut_text_says_so_and_never_exceeds_its_room() {
        for room in 0..12 {
            for text in ["", "abc", "abcdefghijkl", "日本語日本語日本語"] {
                for cut in [cut(text, room.max(1)), cut_middle(text, room.max(1))] {
                    assert!(width(&cut) <= room.max(1), "{cut} in {room}");
                }
            }
        }
        assert_eq!(cut_middle("public_metadata.subscription.tier", 20), "public_me…ption.tier");
    }

    #[test]
    fn two_long_values_are_cut_so_that_they_look_different() {
        let shared = "x".repeat(100);
        let (before, after) = cut_pair(&format!("{shared}1"), &format!("{shared}22"), 16);
        assert_eq!((before.as_str(), after.as_str()), ("…xxxx1", "…xxxx22"));
        let (before, after) = cut_pair("abc", &"abd".repeat(10), 8);
        assert_eq!((before.as_str(), after.as_str()), ("abc", "abdabda…"));
    }

    #[test]
    fn the_widest_column_gives_way_first() {
        assert_eq!(fit([30, 10, 20], [5, 5, 5], 50), [20, 10, 20]);
        assert_eq!(fit([9, 9, 9], [8, 8, 8], 3), [8, 8, 8]);
    }

    #[test]
    fn words_are_not_broken() {
        assert_eq!(wrap("a bb  ccc averylongword d", 6), ["a bb", "ccc", "averylongword", "d"]);
        assert!(wrap("", 6).is_empty());
    }
}
