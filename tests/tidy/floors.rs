//! The floors: each imports only from those below it, and no module of a floor from itself.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;

/// From the lowest to the highest.
const FLOORS: [&str; 4] = ["accounting", "ledger", "budgets", "py"];

/// Modules that import each other, directly or not: (floor, modules). The list may only become
/// shorter: what is no longer a cycle must leave it.
pub(crate) const KNOWN_CYCLES: [(&str, &[&str]); 1] = [("py", &["amounts", "clock", "convert"])];

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

/// Cycles that are not known, and known ones that are gone.
pub(crate) fn new_cycles(sources: &[Source]) -> Vec<String> {
    let known: BTreeSet<(String, Vec<String>)> = KNOWN_CYCLES
        .iter()
        .map(|(floor, modules)| {
            ((*floor).to_owned(), modules.iter().map(|m| (*m).to_owned()).collect())
        })
        .collect();
    let present: BTreeSet<_> = cycles(sources).into_iter().collect();
    let new = present.difference(&known).map(|(floor, modules)| {
        format!("src/{floor}:1: a new cycle of modules: {}", modules.join(", "))
    });
    let gone = known.difference(&present).map(|(floor, modules)| {
        format!("tests/tidy/floors.rs:1: no such cycle any more in {floor}: {}", modules.join(", "))
    });
    new.chain(gone).collect()
}

/// The groups of modules of a floor that reach each other through their imports.
pub(crate) fn cycles(sources: &[Source]) -> Vec<(String, Vec<String>)> {
    let mut groups = BTreeSet::new();
    for floor in FLOORS {
        let imports = imports_within(sources, floor);
        for module in imports.keys() {
            let there = reached(&imports, module);
            let group: Vec<String> = there
                .iter()
                .filter(|other| reached(&imports, other).contains(module))
                .cloned()
                .collect();
            if group.contains(module) {
                groups.insert((floor.to_owned(), group));
            }
        }
    }
    groups.into_iter().collect()
}

type Imports = BTreeMap<String, BTreeSet<String>>;

/// What each module of a floor imports from its sisters. A name that the floor re-exports counts
/// as an import of nothing: its module is not named.
fn imports_within(sources: &[Source], floor: &str) -> Imports {
    let folder = format!("src/{floor}/");
    let mut imports = Imports::new();
    for source in sources.iter().filter(|source| source.path.starts_with(&folder)) {
        let module = source.path[folder.len()..].trim_end_matches(".rs").to_owned();
        if module == "mod" {
            continue;
        }
        let code: String =
            source.code.lines().take(source.tests_from()).collect::<Vec<_>>().join("\n");
        let here = format!("crate::{floor}::");
        let mut named = BTreeSet::new();
        for start in ["super::", here.as_str()] {
            for (at, _) in code.match_indices(start) {
                let rest = &code[at + start.len()..];
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
                named.insert(rest[..end.unwrap_or(rest.len())].to_owned());
            }
        }
        named.remove(&module);
        imports.insert(module, named);
    }
    let modules: BTreeSet<String> = imports.keys().cloned().collect();
    for named in imports.values_mut() {
        named.retain(|name| modules.contains(name));
    }
    imports
}

fn reached(imports: &Imports, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from.to_owned()];
    while let Some(module) = next.pop() {
        for other in imports.get(&module).into_iter().flatten() {
            if reached.insert(other.clone()) {
                next.push(other.clone());
            }
        }
    }
    reached
}
