//! What is not yet so: each rule has a list, `name count` a line, that may only become shorter.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// How often each file, or each name, breaks a rule.
pub(crate) type Counts = BTreeMap<String, usize>;

/// How the lists are rewritten: `TIDY=shrink cargo test --test tidy`; after files have moved,
/// `TIDY=moved`, with which the sum of a list may not grow.
const COMMAND: &str = "TIDY=shrink cargo test --test tidy; after moves TIDY=moved";

fn page(rule: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tidy/lists").join(format!("{rule}.txt"))
}

/// Fails for what is not on the list of `rule`, and for what is on it without need.
pub(crate) fn only_listed(rule: &str, found: &Counts) {
    let page = page(rule);
    let text = fs::read_to_string(&page).unwrap_or_default();
    let listed = read(&text);
    let moved = match std::env::var("TIDY").as_deref() {
        Ok("shrink") => false,
        Ok("moved") => true,
        _ => {
            let wrong = differences(&listed, found);
            assert!(wrong.is_empty(), "{rule}:\n{}\n({COMMAND})", wrong.join("\n"));
            return;
        }
    };
    // A list that does not exist yet takes what there is.
    let refused = if page.exists() { growth(&listed, found, moved) } else { Vec::new() };
    assert!(refused.is_empty(), "{rule} would grow:\n{}", refused.join("\n"));
    fs::write(page, written(found)).unwrap();
}

fn read(text: &str) -> Counts {
    let line = |line: &str| {
        let (name, count) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), count.parse().unwrap())
    };
    text.lines().filter(|line| !line.is_empty()).map(line).collect()
}

fn written(counts: &Counts) -> String {
    counts.iter().map(|(name, count)| format!("{name} {count}\n")).collect()
}

fn differences(listed: &Counts, found: &Counts) -> Vec<String> {
    let gone = listed.iter().filter_map(|(name, count)| {
        let now = found.get(name).copied().unwrap_or(0);
        (now < *count).then(|| format!("{name}: {now}, the list says {count}: shorten it"))
    });
    growth(listed, found, false).into_iter().chain(gone).collect()
}

/// What is more than listed; of files that have moved, the sum.
fn growth(listed: &Counts, found: &Counts, moved: bool) -> Vec<String> {
    if moved {
        let (before, now) = (listed.values().sum::<usize>(), found.values().sum::<usize>());
        return Vec::from_iter((now > before).then(|| format!("{now} in all, {before} listed")));
    }
    let more = found.iter().filter_map(|(name, count)| {
        let before = listed.get(name).copied().unwrap_or(0);
        (*count > before).then(|| format!("{name}: {count}, {before} allowed"))
    });
    more.collect()
}

#[test]
fn a_list_may_only_shrink() {
    let listed = read("src/a.rs 2\nsrc/b.rs 1\n");
    assert_eq!(differences(&listed, &listed), Vec::<String>::new());
    assert_eq!(differences(&listed, &read("src/a.rs 3\nsrc/b.rs 1\n")).len(), 1);
    assert_eq!(differences(&listed, &read("src/a.rs 2\n")).len(), 1);
    assert_eq!(differences(&listed, &read("src/a.rs 2\nsrc/b.rs 1\nsrc/c.rs 1\n")).len(), 1);
}

#[test]
fn what_moves_keeps_its_sum() {
    let listed = read("src/a.rs 2\nsrc/b.rs 1\n");
    assert_eq!(growth(&listed, &read("src/c/d.rs 3\n"), true), Vec::<String>::new());
    assert_eq!(growth(&listed, &read("src/c/d.rs 4\n"), true).len(), 1);
    assert_eq!(growth(&listed, &read("src/c/d.rs 1\n"), false).len(), 1);
    assert_eq!(read(&written(&listed)), listed);
}
