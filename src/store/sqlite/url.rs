//! The address of a file: `sqlite:///relative.db` or `sqlite:////absolute/path.db`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::accounting::Invalid;

const SCHEME: &str = "sqlite://";

/// Refuses what is no address of a file.
pub(crate) fn check_url(url: &str) -> Result<(), Invalid> {
    path_of(url).map(drop)
}

/// The path that `url` names.
pub(super) fn path_of(url: &str) -> Result<PathBuf, Invalid> {
    let Some(rest) = url.strip_prefix(SCHEME) else {
        return Err(bad(url, "it does not begin with sqlite://"));
    };
    if let Some((_, options)) = rest.split_once(['?', '#']) {
        let problem = format!(
            "{options:?} after the path is no part of it: options are arguments of the store, and \
             a ? or # in the name of a file is written %3F or %23"
        );
        return Err(bad(url, &problem));
    }
    let Some(path) = rest.strip_prefix('/') else {
        return Err(bad(url, if rest.is_empty() { IN_MEMORY } else { "it names a host" }));
    };
    let path = unescaped(path).map_err(|problem| bad(url, &problem))?;
    match path.as_str() {
        "" | ":memory:" => Err(bad(url, IN_MEMORY)),
        path if path.ends_with('/') => Err(bad(url, "it names a folder")),
        path => Ok(PathBuf::from(path)),
    }
}

/// The address of a file by its full path.
pub(super) fn url_of(path: &Path) -> String {
    let mut url = String::from("sqlite:///");
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'?' | b'#' | b'%' => {
                // Writing to a string does not fail.
                let _ = write!(url, "%{byte:02X}");
            }
            b' '..=b'~' => url.push(char::from(byte)),
            _ => {
                let _ = write!(url, "%{byte:02X}");
            }
        }
    }
    url
}

const IN_MEMORY: &str = "it names no file, and what is in memory is of one process: leave the \
                         store out for that";

fn bad(url: &str, problem: &str) -> Invalid {
    Invalid::sentence(format!(
        "store must be sqlite:///relative.db or sqlite:////absolute/path.db, not {url:?}: {problem}"
    ))
}

/// `%20` and the like are the bytes that they stand for.
fn unescaped(path: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = rest.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let text = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let Some(byte) = text.and_then(|text| u8::from_str_radix(text, 16).ok()) else {
            return Err("a % is not followed by two hexadecimal digits".to_owned());
        };
        bytes.push(byte);
        rest = &rest[2..];
    }
    if bytes.contains(&0) {
        return Err("the name of a file has no zero byte".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "its escapes are not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_slashes_are_relative_and_four_absolute() {
        let path = |url| path_of(url).unwrap();
        assert_eq!(path("sqlite:///budgets.db"), PathBuf::from("budgets.db"));
        assert_eq!(path("sqlite:///a/b.db"), PathBuf::from("a/b.db"));
        assert_eq!(path("sqlite:////var/lib/b.db"), PathBuf::from("/var/lib/b.db"));
        assert_eq!(path("sqlite:////tmp/two%20words%3F.db"), PathBuf::from("/tmp/two words?.db"));
        assert_eq!(path("sqlite:///k%C3%A4se.db"), PathBuf::from("käse.db"));
    }

    #[test]
    fn what_is_no_file_is_refused_with_what_is_allowed() {
        for (url, problem) in [
            ("sqlite:budgets.db", "does not begin"),
            ("postgres:///b.db", "does not begin"),
            ("sqlite://", "of one process"),
            ("sqlite:///", "of one process"),
            ("sqlite:///:memory:", "of one process"),
            ("sqlite://budgets.db", "names a host"),
            ("sqlite:///folder/", "names a folder"),
            ("sqlite:///b.db?mode=ro", "\"mode=ro\" after the path"),
            ("sqlite:///b.db#here", "\"here\" after the path"),
            ("sqlite:///b%2.db", "two hexadecimal digits"),
            ("sqlite:///b%+1.db", "two hexadecimal digits"),
            ("sqlite:///b%00.db", "zero byte"),
            ("sqlite:///b%ff.db", "not UTF-8"),
        ] {
            let message = path_of(url).unwrap_err().message;
            assert!(
                message.contains(problem) && message.contains(&format!("{url:?}")),
                "{message}"
            );
            assert!(message.contains("sqlite:////absolute/path.db"), "{message}");
        }
    }
}
