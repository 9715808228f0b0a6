//! Characters that a reader cannot see. In a name they could hide text, or turn the direction of a
//! line. `python/outlay/_printable.py` has the same list for terminals.

use std::fmt::Write;

/// Whether a reader cannot see it: controls, marks that turn the direction of a line, characters
/// without a width, variation selectors, tags.
const fn is_hidden(character: char) -> bool {
    matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}'
        | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// JSON with hidden characters as `\u` escapes, so that it is one line and a reader sees them.
pub(super) fn escaped_json(json: &str) -> String {
    if json.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return json.to_owned();
    }
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if is_hidden(character) {
            for half in character.encode_utf16(&mut [0; 2]) {
                // Writing into a string cannot fail.
                let _ = write!(text, "\\u{half:04x}");
            }
        } else {
            text.push(character);
        }
    }
    text
}

/// A name as a person reads it: hidden characters as `\u{202e}`.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The start of `text` that takes at most `bytes` in JSON. An ellipsis marks a cut.
pub(super) fn cut(text: &str, bytes: usize) -> String {
    let mut taken = 0;
    for (index, character) in text.char_indices() {
        taken += match character {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            hidden if is_hidden(hidden) => 6 * hidden.len_utf16(),
            other => other.len_utf8(),
        };
        if taken > bytes {
            return format!("{}…", &text[..index]);
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_escapes_that_json_reads_back() {
        let hidden = "\u{7f}\u{9b}\u{200b}\u{202e}\u{2066}\u{feff}\u{fe0f}\u{e0041}";
        let json = serde_json::Value::from(hidden).to_string();
        let text = escaped_json(&json);
        assert!(text.is_ascii(), "{text}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), hidden);
        assert_eq!(escaped_json("\"größe 🦀\""), "\"größe 🦀\"");
    }

    #[test]
    fn a_cut_counts_the_bytes_of_the_escapes() {
        for text in ["\u{e0041}\u{202e}🦀é\"\n", "a\u{200b}b"] {
            for bytes in 0..40 {
                let kept = cut(text, bytes);
                let json = escaped_json(&serde_json::Value::from(kept.as_str()).to_string());
                let ellipsis = if kept == text { 0 } else { "…".len() };
                assert!(json.len() <= bytes + ellipsis + 2, "{bytes}: {json}");
            }
        }
    }
}
