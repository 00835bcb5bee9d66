//! Text from outside as a terminal may show it.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with everything that is not plainly visible ([`is_unsafe`]) written out.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if !is_unsafe(letter) {
            out.push(letter);
        } else if letter.is_ascii() {
            let _ = write!(out, "\\x{:02x}", letter as u32);
        } else {
            let _ = write!(out, "\\u{{{:x}}}", letter as u32);
        }
    }
    Cow::Owned(out)
}

/// Whether a letter is more than it shows: a control character, or one that is invisible (Unicode's
/// "default ignorable"), breaks lines or turns the direction of writing. What only chooses the form
/// of the letter in front of it, as emoji do, is left.
pub fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}'
            | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}
