//! Words of strangers, made safe to show.

use crate::base::limits;

/// Text of a stranger, made safe to show: one line of bounded length, without control characters;
/// bytes that are not UTF-8 become replacement characters.
pub(super) fn one_line(words: &[u8]) -> String {
    // No letter has more than four bytes; what is not looked at need not be copied.
    let most = limits::WORDS.saturating_mul(4).min(words.len());
    let words = String::from_utf8_lossy(words.get(..most).unwrap_or(words));
    words
        .chars()
        .take(limits::WORDS)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}
