//! Words of others, as one line of plain text: what a chip calls itself, a client, a file that was
//! sent in goes to terminals, logs and reason strings.

/// The text with what moves a cursor or turns the writing written as an escape.
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                printable.extend(letter.escape_unicode());
            }
            _ if letter.is_control() => printable.extend(letter.escape_debug()),
            _ => printable.push(letter),
        }
    }
    printable
}

/// The same of so many letters at most.
pub fn shortened(text: &str, letters_max: usize) -> String {
    match text.char_indices().nth(letters_max) {
        Some((end, _)) => format!("{}…", printable(text.get(..end).unwrap_or_default())),
        None => printable(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(printable(text), expected);
    }

    #[test]
    fn what_moves_a_cursor_or_turns_the_writing_is_escaped() {
        check("Chambre d'été 21 °C", "Chambre d'été 21 °C");
        check("a\x1b[2Jb\r\n\t\0", "a\\u{1b}[2Jb\\r\\n\\t\\0");
        check("\u{9b}31m\u{202e}\u{61c}", "\\u{9b}31m\\u{202e}\\u{61c}");
    }

    #[test]
    fn letters_are_counted_as_they_were_written() {
        assert_eq!(shortened("été", 3), "été");
        assert_eq!(shortened("été\n", 3), "été…");
        assert_eq!(shortened("\n\n\n", 2), "\\n\\n…");
    }
}
