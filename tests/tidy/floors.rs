//! The floors: each imports only from those below it.

use super::source::Source;

/// From the lowest to the highest.
const FLOORS: [&str; 5] = ["accounting", "ledger", "store", "budgets", "py"];

/// The floor of a file: `src/ledger/core.rs` is of `ledger`.
fn floor_of(path: &str) -> Option<usize> {
    let folder = path.strip_prefix("src/")?.split('/').next()?;
    FLOORS.iter().position(|floor| *floor == folder.trim_end_matches(".rs"))
}

pub(crate) fn imports_upward(source: &Source) -> Vec<String> {
    let Some(own) = floor_of(&source.path) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (index, line) in statements(&source.code) {
        for higher in &FLOORS[own + 1..] {
            if names(&line, higher) {
                let rule = format!("{} must not import from {higher}", FLOORS[own]);
                found.push(source.found(index, &rule));
            }
        }
    }
    found
}

/// The lines, where a `use` over several lines is one.
fn statements(code: &str) -> Vec<(usize, String)> {
    let mut statements: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (index, line) in code.lines().enumerate() {
        match statements.last_mut() {
            Some((_, statement)) if open => statement.push_str(line),
            _ => statements.push((index, line.to_owned())),
        }
        let begins = ["use ", "pub use ", "pub(crate) use "];
        open |= begins.iter().any(|begin| line.trim_start().starts_with(begin));
        open &= !line.contains(';');
    }
    statements
}

/// Whether a line names a floor as a module: `crate::ledger`, `super::ledger`, `{budgets, ledger}`.
fn names(line: &str, floor: &str) -> bool {
    let words = line.match_indices(floor).any(|(at, _)| {
        let before = line[..at].chars().next_back().unwrap_or(' ');
        let after = line[at + floor.len()..].chars().next().unwrap_or(' ');
        let word = |c: char| c.is_alphanumeric() || c == '_';
        !word(before) && !word(after)
    });
    let from = ["crate::", "super::super::", "outlay::"];
    words && from.iter().any(|from| line.contains(from))
}

pub(crate) fn names_pyo3(source: &Source) -> Vec<String> {
    if source.path.starts_with("src/py/") {
        return Vec::new();
    }
    let lines = source.code.lines().enumerate();
    let bad = lines.filter(|(_, line)| line.contains("pyo3"));
    bad.map(|(index, _)| source.found(index, "the core never names pyo3")).collect()
}
