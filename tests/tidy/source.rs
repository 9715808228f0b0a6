//! Source files, and their code without comments and strings.

use std::fs;
use std::path::Path;

/// A file, by its path from the root of the project.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with comments and the insides of strings blanked, line for line.
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = if path.ends_with(".rs") { rust_code(text) } else { python_code(text) };
        Self { path: path.to_owned(), text: text.to_owned(), code }
    }

    /// `path:line: rule`, where the rule is broken.
    pub(crate) fn found(&self, index: usize, rule: &str) -> String {
        format!("{}:{}: {rule}", self.path, index + 1)
    }

    /// The index of the first line of `#[cfg(test)] mod`, after which all is test.
    pub(crate) fn tests_from(&self) -> usize {
        let lines: Vec<&str> = self.code.lines().collect();
        let starts = |index: &usize| {
            lines[*index].trim() == "#[cfg(test)]"
                && lines.get(index + 1).is_some_and(|next| next.trim().starts_with("mod "))
        };
        (0..lines.len()).find(starts).unwrap_or(lines.len())
    }
}

/// All files below `folders` with one of `endings`, in the order of their paths.
pub(crate) fn all(folders: &[&str], endings: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in folders {
        collect(&root.join(folder), endings, &mut paths);
    }
    paths.sort();
    let read = |path: &String| Source::new(path, &fs::read_to_string(root.join(path)).unwrap());
    paths.iter().map(read).collect()
}

fn collect(folder: &Path, endings: &[&str], paths: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, endings, paths);
        } else if path.extension().is_some_and(|e| endings.iter().any(|ending| e == *ending)) {
            let short = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap();
            paths.push(short.to_str().unwrap().to_owned());
        }
    }
}

/// Rust without comments, strings and characters; line breaks stay.
fn rust_code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => until(bytes, at, b"\n"),
            b'/' if bytes[at..].starts_with(b"/*") => until(bytes, at + 2, b"*/") + 2,
            b'r' if raw_string(bytes, at).is_some() => raw_string(bytes, at).unwrap(),
            b'"' => string_end(bytes, at),
            b'\'' => char_end(bytes, at),
            _ => at,
        };
        if end > at {
            let end = end.min(bytes.len());
            code.extend(text[at..end].chars().filter(|c| *c == '\n'));
            code.push(' ');
            at = end;
        } else {
            let character = text[at..].chars().next().unwrap();
            code.push(character);
            at += character.len_utf8();
        }
    }
    code
}

fn until(bytes: &[u8], from: usize, what: &[u8]) -> usize {
    let found = bytes[from..].windows(what.len()).position(|window| window == what);
    found.map_or(bytes.len(), |found| from + found)
}

fn raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).map_or(b' ', |before| bytes[before]);
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    let word = before.is_ascii_alphanumeric() && before != b'b' || before == b'_';
    if word || bytes.get(at + 1 + hashes) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.extend(std::iter::repeat_n(b'#', hashes));
    Some(until(bytes, at + 2 + hashes, &close) + close.len())
}

fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while end < bytes.len() && bytes[end] != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    end + 1
}

/// The end of a character, or `at` for a lifetime.
fn char_end(bytes: &[u8], at: usize) -> usize {
    if bytes.get(at + 1) == Some(&b'\\') {
        return until(bytes, at + 3, b"'") + 1;
    }
    let close = (at + 2..(at + 6).min(bytes.len())).find(|&index| bytes[index] == b'\'');
    let one = |close: &usize| {
        let inside = std::str::from_utf8(&bytes[at + 1..*close]);
        inside.is_ok_and(|inside| inside.chars().count() == 1)
    };
    close.filter(one).map_or(at, |close| close + 1)
}

/// Python without comments and strings; line breaks stay.
fn python_code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'#' => until(bytes, at, b"\n"),
            quote @ (b'"' | b'\'') if bytes[at..].starts_with(&[quote; 3]) => {
                until(bytes, at + 3, &[quote; 3]) + 3
            }
            quote @ (b'"' | b'\'') => {
                let mut end = at + 1;
                while end < bytes.len() && bytes[end] != quote && bytes[end] != b'\n' {
                    end += if bytes[end] == b'\\' { 2 } else { 1 };
                }
                end + 1
            }
            _ => at,
        };
        if end > at {
            let end = end.min(bytes.len());
            code.extend(text[at..end].chars().filter(|c| *c == '\n'));
            at = end;
        } else {
            let character = text[at..].chars().next().unwrap();
            code.push(character);
            at += character.len_utf8();
        }
    }
    code
}
