//! Style as a test: the floors, the sizes, and what must not stand where.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a file that cannot be read is a failed test")]

#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/floors.rs"]
mod floors;
#[path = "tidy/items.rs"]
mod items;
#[path = "tidy/lists.rs"]
mod lists;
#[path = "tidy/public.rs"]
mod public;
#[path = "tidy/rooms.rs"]
mod rooms;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/sizes.rs"]
mod sizes;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tree.rs"]
mod tree;

use source::Source;

/// Fails with all that was found, one line each: file, line and rule.
fn none(found: Vec<String>) {
    assert!(found.is_empty(), "{} found:\n{}\n", found.len(), found.join("\n"));
}

fn in_all(rule: impl Fn(&Source) -> Vec<String>, folders: &[&str], endings: &[&str]) {
    let sources = source::all(folders, endings);
    assert!(!sources.is_empty(), "no files in {folders:?}");
    none(sources.iter().flat_map(rule).collect());
}

#[test]
fn each_floor_imports_only_from_those_below_it() {
    in_all(floors::imports_upward, &["src"], &["rs"]);
}

#[test]
fn the_core_never_names_pyo3() {
    in_all(floors::names_pyo3, &["src"], &["rs"]);
}

#[test]
fn files_are_at_most_400_lines() {
    let folders = ["src", "python", "tests", "benches", "examples"];
    in_all(sizes::long_file, &folders, &["rs", "py", "pyi"]);
}

#[test]
fn functions_are_at_most_70_lines() {
    let folders = ["src", "python", "tests", "benches", "examples"];
    in_all(sizes::long_functions, &folders, &["rs", "py"]);
}

#[test]
fn the_median_file_of_src_is_at_most_150_lines() {
    let sources = source::all(&["src"], &["rs"]);
    let median = sizes::median(&sources);
    assert!(median <= 150, "src: the median file has {median} lines (rule: at most 150)");
}

#[test]
fn only_the_clock_reads_a_clock() {
    in_all(rules::reads_clock, &["src"], &["rs"]);
    in_all(rules::reads_python_clock, &["python/outlay"], &["py"]);
}

#[test]
fn t3_a_file_is_flushed_before_it_takes_its_place() {
    in_all(rules::renames_unflushed, &["src"], &["rs"]);
}

#[test]
fn src_has_no_unsafe_and_does_not_panic() {
    in_all(rules::panics, &["src"], &["rs"]);
}

#[test]
fn tests_do_not_sleep() {
    in_all(rules::sleeps, &["tests"], &["rs", "py"]);
}

#[test]
fn lines_are_at_most_110_columns_without_tabs() {
    in_all(rules::bad_lines, &["src", "tests"], &["rs"]);
}

/// Each rule fires on a bad sample, and only there.
mod self_tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source::new(path, text)
    }

    #[test]
    fn an_import_upward_is_found_in_use_lines_and_in_paths() {
        for text in [
            "use crate::ledger::Core;",
            "use crate::{budgets, ledger};",
            "use crate::{\n    accounting,\n    ledger,\n};",
            "fn f() -> crate::ledger::Core {}",
            "use super::super::ledger;",
        ] {
            let found = floors::imports_upward(&source("src/accounting/meter.rs", text));
            assert!(found[0].starts_with("src/accounting/meter.rs:1: "), "{text}: {found:?}");
        }
        let fine = "// crate::ledger\nlet text = \"crate::ledger\"; use crate::accounting::Key;";
        assert!(floors::imports_upward(&source("src/accounting/meter.rs", fine)).is_empty());
        let down = source("src/budgets/x.rs", "use crate::ledger::Core;");
        assert!(floors::imports_upward(&down).is_empty());
    }

    #[test]
    fn pyo3_in_the_core_is_found() {
        let text = "use pyo3::prelude::*;";
        assert_eq!(floors::names_pyo3(&source("src/ledger/core.rs", text)).len(), 1);
        assert!(floors::names_pyo3(&source("src/py/core.rs", text)).is_empty());
    }

    #[test]
    fn a_long_file_and_a_long_function_are_found() {
        let long = "\n".repeat(401);
        assert_eq!(sizes::long_file(&source("src/a.rs", &long)).len(), 1);
        assert!(sizes::long_file(&source("src/a.rs", &"\n".repeat(400))).is_empty());
        let rust = |lines| format!("/// fn\nfn f() {{\n{}}}\n", "    \"{\"; // {\n".repeat(lines));
        assert_eq!(sizes::long_functions(&source("src/a.rs", &rust(69))).len(), 1);
        assert!(sizes::long_functions(&source("src/a.rs", &rust(68))).is_empty());
        let python = |lines| format!("def f():\n{}\nx = 1\n", "    y = 1\n".repeat(lines));
        assert_eq!(sizes::long_functions(&source("a.py", &python(70))).len(), 1);
        assert!(sizes::long_functions(&source("a.py", &python(69))).is_empty());
    }

    #[test]
    fn the_median_is_the_middle() {
        let sources = [1, 9, 3].map(|n| source("src/a.rs", &"\n".repeat(n)));
        assert_eq!(sizes::median(&sources), 3);
    }

    #[test]
    fn a_clock_elsewhere_is_found() {
        for text in ["Instant::now()", "SystemTime::now()", "clock_gettime(x)"] {
            assert_eq!(rules::reads_clock(&source("src/ledger/a.rs", text)).len(), 1);
            assert!(rules::reads_clock(&source("src/accounting/clock/system.rs", text)).is_empty());
        }
        let text = "a = time.time()\nb = time.monotonic()  # a real server waits in real time\n";
        let found = rules::reads_python_clock(&source("python/outlay/a.py", text));
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn unsafe_and_panics_are_found_outside_tests() {
        for text in ["unsafe {}", "x.unwrap()", "x.expect(\"\")", "panic!()", "todo!()"] {
            let text = format!("fn f() {{ {text}; }}");
            assert_eq!(rules::panics(&source("src/a.rs", &text)).len(), 1, "{text}");
        }
        let fine = "//! x.unwrap()\n#![expect(unused)]\nfn f() { x.unwrap_or(1); \"panic!()\"; }\n\
                    #[cfg(test)]\nmod tests {\n    fn g() { x.unwrap() }\n}\n";
        assert_eq!(rules::panics(&source("src/a.rs", fine)), Vec::<String>::new());
    }

    #[test]
    fn a_sleep_is_found() {
        let rust = ["std::thread::", "sleep(x);"].concat();
        assert_eq!(rules::sleeps(&source("tests/a.rs", &rust)).len(), 1);
        let python = "time.sleep(1)\nawait asyncio.sleep(0)\nawait asyncio.sleep(0.1)\n";
        assert_eq!(rules::sleeps(&source("tests/a.py", python)).len(), 2);
    }

    #[test]
    fn tabs_and_long_lines_are_found() {
        let text = format!("\tx\n{}\n{}\n", "é".repeat(110), "x".repeat(111));
        assert_eq!(rules::bad_lines(&source("src/a.rs", &text)).len(), 2);
    }
}
