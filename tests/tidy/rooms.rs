//! The rooms of a floor have an order, and what lists a room defines nothing.

use super::items::{items, split};
use super::lists::{Counts, only_listed};
use super::source::{self, Source};
use super::tree::Tree;

/// The rooms of each floor, lowest first. A room is a file or a folder of that name, or both.
/// Files that stand side by side without an order among them share a line.
const ROOMS: [(&str, &[&[&str]]); 4] = [
    (
        "ledger",
        &[
            // The ground: locks, errors, forks, the address of an account.
            &["sync", "error", "fork", "account_id", "patience"],
            &["supply"],
            &["core"],
            // The demands on one account, and the ends of a lease.
            &["claim", "ending"],
            &["post"],
            &["queue"],
            &["account", "accounts"],
            &["shared_account"],
            &["request"],
        ],
    ),
    (
        "store",
        &[
            &["message"],
            &["durable", "fresh", "inspected"],
            &["rows"],
            &["book"],
            &["supply"],
            &["sqlite"],
            &["fork", "holder"],
        ],
    ),
    (
        "budgets",
        &[
            // How they keep their accounts in a store, and what its processes agree on.
            &["stored", "facts"],
            &["token_budget", "workflow_quota", "rate_limiter", "shared_pool", "budget_manager"],
            &["persist"],
            &["allowances"],
            &["policy"],
            &["guard"],
        ],
    ),
    (
        "py",
        &[
            &["stub", "python_call", "bench_floor", "attached"],
            &["args"],
            &["values"],
            &["errors"],
            &["store"],
            &["lease"],
            &["waiting"],
            &["budgets"],
            &["native"],
            &["together"],
            &["steps"],
            &["main_interpreter"],
            &["core_module"],
        ],
    ),
];

const PARAMETERS_MAX: usize = 5;

/// The floor of a file and the height of its room; nothing where it stands in none.
fn height(path: &str) -> Option<(&'static str, usize)> {
    let inside = path.strip_prefix("src/")?;
    let (floor, rooms) =
        ROOMS.iter().find(|(floor, _)| inside.starts_with(&format!("{floor}/")))?;
    let room = inside.split('/').nth(1)?.trim_end_matches(".rs");
    rooms.iter().position(|together| together.contains(&room)).map(|height| (*floor, height))
}

/// The imports of each file that lead into a higher room of its floor.
fn upward(sources: &[Source]) -> Counts {
    let mut found = Counts::new();
    for (file, imports) in Tree::new(sources).imports() {
        let Some((floor, own)) = height(&file) else { continue };
        let above = |to: &&String| height(to).is_some_and(|(other, at)| other == floor && at > own);
        let count = imports.iter().filter(above).count();
        if count > 0 {
            println!("{file}: {:?}", imports.iter().filter(above).collect::<Vec<_>>());
            found.insert(file, count);
        }
    }
    found
}

/// The files of the floors with rooms that stand in none.
fn in_no_room(sources: &[Source]) -> Counts {
    let floor = |path: &str| path.split('/').nth(1).unwrap_or("").to_owned();
    let roomed = |source: &&Source| ROOMS.iter().any(|(name, _)| *name == floor(&source.path));
    let own = |path: &str| path.split('/').count() == 3 && path.ends_with("/mod.rs");
    let outside = sources.iter().filter(roomed).filter(|source| !own(&source.path));
    let outside = outside.filter(|source| height(&source.path).is_none());
    outside.map(|source| (source.path.clone(), 1)).collect()
}

/// What each `mod.rs`, and the crate's root, define besides modules and what they hand on.
fn lists_that_define(sources: &[Source]) -> Counts {
    let mut found = Counts::new();
    for source in sources {
        if !source.path.ends_with("/mod.rs") && source.path != "src/lib.rs" {
            continue;
        }
        let items = items(&source.code, 0..source.code.len()).items;
        let count = items.iter().filter(|item| item.kind != "mod").count();
        if count > 0 {
            found.insert(source.path.clone(), count);
        }
    }
    found
}

/// The functions of each file that take more than 5 values, `self` not counted. The faces for
/// Python take what their users give.
fn parameters(sources: &[Source]) -> Counts {
    let mut found = Counts::new();
    for source in sources.iter().filter(|source| !source.path.starts_with("src/py/")) {
        let code: Vec<&str> = source.code.lines().take(source.tests_from()).collect();
        let code = code.join("\n");
        let many = code.match_indices("fn ").filter(|(at, _)| taken(&code[*at..]) > PARAMETERS_MAX);
        let count = many.count();
        if count > 0 {
            found.insert(source.path.clone(), count);
        }
    }
    found
}

/// How many values a function takes whose `fn` begins the code.
fn taken(code: &str) -> usize {
    let head = code.split(['{', ';']).next().unwrap_or("");
    let name = head.find(['(', '<']).unwrap_or(head.len());
    let mut open = name;
    if head[name..].starts_with('<') {
        let mut depth = 0;
        for (at, character) in head[name..].char_indices() {
            depth += i32::from(character == '<');
            depth -= i32::from(character == '>' && !head[..name + at].ends_with('-'));
            if depth == 0 {
                open = name + at + 1;
                break;
            }
        }
    }
    if !head[open..].starts_with('(') {
        return 0;
    }
    let given = split(&head[open + 1..super::items::closed(head, open).max(open + 2) - 1], ',');
    given
        .iter()
        .filter(|each| !each.trim_end().ends_with("self") && !each.starts_with("self:"))
        .count()
}

fn sources() -> Vec<Source> {
    source::all(&["src"], &["rs"])
}

#[test]
fn a_room_imports_only_from_those_below_it() {
    only_listed("upward", &upward(&sources()));
}

#[test]
fn every_file_stands_in_a_room() {
    only_listed("in_no_room", &in_no_room(&sources()));
}

#[test]
fn what_lists_a_room_defines_nothing() {
    only_listed("lists_that_define", &lists_that_define(&sources()));
}

#[test]
fn functions_take_at_most_5_values() {
    only_listed("parameters", &parameters(&sources()));
}

mod planted {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Vec<Source> {
        files.iter().map(|(path, text)| Source::new(path, text)).collect()
    }

    fn counts(expected: &[(&str, usize)]) -> Counts {
        expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn an_import_into_a_higher_room() {
        let account = ("src/ledger/account/a.rs", "use super::super::queue::Q;\npub struct A;");
        let queue = ("src/ledger/queue.rs", "use crate::ledger::account::a::A;\npub struct Q;");
        assert_eq!(upward(&read(&[account, queue])), counts(&[("src/ledger/queue.rs", 1)]));
        let queue = ("src/ledger/queue.rs", "use crate::accounting::A;\npub struct Q;");
        assert_eq!(upward(&read(&[account, queue])), Counts::new());
    }

    #[test]
    fn a_file_in_no_room() {
        let files = [("src/ledger/mod.rs", ""), ("src/ledger/core/a.rs", ""), ("src/py/x.rs", "")];
        assert_eq!(in_no_room(&read(&files)), counts(&[("src/py/x.rs", 1)]));
    }

    #[test]
    fn a_list_that_defines() {
        let list = "//! A list.\nmod a;\npub use a::A;\nuse b::B;\n";
        let files = [("src/a/mod.rs", list), ("src/b/mod.rs", "struct B;\nimpl B {}\nfn f() {}")];
        assert_eq!(lists_that_define(&read(&files)), counts(&[("src/b/mod.rs", 3)]));
    }

    #[test]
    fn a_function_that_takes_six() {
        let six = "fn f<T: Fn(u8) -> u8>(&mut self, a: (u8, u8), b: &[(u8, u8)], c: T, d: D<'_, u8>, \
                   e: u8,\n f: u8) {}";
        let five =
            "fn f(self: &Arc<Self>, a: u8, b: u8, c: u8, d: u8, e: impl Fn(u8, u8)) -> u8 { 1 }";
        let files = [("src/a/a.rs", six), ("src/a/b.rs", five), ("src/py/c.rs", six)];
        assert_eq!(parameters(&read(&files)), counts(&[("src/a/a.rs", 1)]));
    }
}
