//! Names and patterns of a policy. Text that looks like an operator is refused: it would be read as
//! part of the name and match nothing.

use super::node::Node;
use super::reader::Location;
use super::scope::Pattern;
use crate::accounting::{Invalid, Key};

/// What begins a "not" or a regular expression in other languages.
const FIRST: [char; 6] = ['!', '~', '^', '=', '<', '>'];
/// What means "or", one character, or one of several in other languages.
const ANYWHERE: [char; 5] = ['|', ',', '?', '[', ']'];
/// What ends a regular expression in other languages.
const LAST: char = '$';

/// The subject of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    /// Everyone without an entry of their own.
    Each,
    /// The one with this name.
    One(String),
}

/// A pattern, and its text without backslashes.
pub(super) fn pattern(place: &Location, node: &Node) -> Result<(String, Pattern), Invalid> {
    let text = plain(place, &place.id(node)?)?;
    let pattern = Pattern::parse(&text);
    Ok((text, pattern))
}

/// A name, or `"*"` for each. Other patterns are refused.
pub(super) fn whom(place: &Location, node: &Node) -> Result<Whom, Invalid> {
    let text = plain(place, &place.id(node)?)?;
    match text.as_str() {
        "*" => Ok(Whom::Each),
        _ if text.contains('*') => {
            let allowed = "must be a name, or \"*\" for each: a pattern means nothing here, not ";
            Err(place.error(&format!("{allowed}{text:?}")))
        }
        _ => Ok(Whom::One(text)),
    }
}

/// The name of a model, where `"*"` and patterns are refused. `instead` says what to write.
pub(super) fn model(place: &Location, text: &str, instead: &str) -> Result<String, Invalid> {
    let name = plain(place, text)?;
    if name.contains('*') {
        let allowed = "must be the name of a model: \"*\" means nothing here, not";
        return Err(place.error(&format!("{allowed} {name:?}; {instead}")));
    }
    Ok(name)
}

/// The name of a label of requests.
pub(super) fn label_name(place: &Location, name: &str) -> Result<String, Invalid> {
    if name.is_empty() || name.starts_with(' ') || name.contains('*') {
        return Err(place.error(&format!("{name:?} can be no label of a request")));
    }
    Key::check("a label", name).map_err(|bad| place.error(&bad.message))?;
    plain(place, name)
}

/// The text without the backslashes before operators. Bare operators are refused.
pub(super) fn plain(place: &Location, text: &str) -> Result<String, Invalid> {
    let start = text.len() - text.trim_start().len();
    let end = text.trim_end().len();
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        let escaped = chars.next_if(|(_, next)| char == '\\' && is_operator(*next));
        if let Some((_, operator)) = escaped {
            plain.push(operator);
            continue;
        }
        let first = at == start && FIRST.contains(&char);
        let last = at + char.len_utf8() == end && char == LAST;
        if first || last || ANYWHERE.contains(&char) {
            return Err(place.error(&no_operator(text, char)));
        }
        plain.push(char);
    }
    Ok(plain)
}

fn is_operator(char: char) -> bool {
    char == LAST || FIRST.contains(&char) || ANYWHERE.contains(&char)
}

fn no_operator(text: &str, operator: char) -> String {
    format!(
        "must be a name, or a pattern with \"*\" for any text, not {text:?}: \"{operator}\" is no \
         operator here, and it would match nothing but itself; where it is a part of the name, \
         write it with a backslash, {:?}",
        format!("\\{operator}")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        plain(&Location::root("p"), text).ok()
    }

    #[test]
    fn what_looks_like_an_operator_is_no_name() {
        for text in [
            "!a", " !a", "~a", "^a", "=a", "<5", ">a", "a|b", "a,b", "a, b", "^a$", "a$", "a?",
            "[ab]", "a$ ",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn names_stay_as_they_are() {
        for text in [
            "gpt-4o-2024-08-06",
            "openai:gpt-*",
            "meta-llama/Llama-3.1-8B:free",
            "publishers/google/models/gemini@001",
            "github.com/acme/payments.git#main",
            "arn:aws:bedrock:us-east-1::inference-profile/a.b-v1:0",
            "ann@example.com",
            "a!b~c^d=e<f>g$h",
            r"DOMAIN\ann",
            r"DOMAIN\*",
            "Zoë (Berlin) & co + 1_000%",
        ] {
            assert_eq!(read(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_backslash_makes_an_operator_a_part_of_the_name() {
        for (text, name) in [
            (r"auth0\|5f7c", "auth0|5f7c"),
            (r"Acme\, Inc.", "Acme, Inc."),
            (r"\!x", "!x"),
            (r"x\$", "x$"),
            (r"a\\|b", r"a\|b"),
        ] {
            assert_eq!(read(text).as_deref(), Some(name));
        }
    }
}
