//! What must not stand where.

use super::source::Source;

const COLUMNS_MAX: usize = 110;

/// The lines of the code that contain one of `words`.
fn lines_with(source: &Source, words: &[&str], until: usize, rule: &str) -> Vec<String> {
    let lines = source.code.lines().enumerate().take(until);
    let bad = lines.filter(|(_, line)| words.iter().any(|word| line.contains(word)));
    bad.map(|(index, _)| source.found(index, rule)).collect()
}

pub(crate) fn reads_clock(source: &Source) -> Vec<String> {
    if source.path == "src/accounting/clock/system.rs" {
        return Vec::new();
    }
    let words = ["Instant::now", "SystemTime", "clock_gettime"];
    lines_with(source, &words, usize::MAX, "only accounting/clock/system.rs reads a clock")
}

pub(crate) fn reads_python_clock(source: &Source) -> Vec<String> {
    let words = ["time.time(", "time.monotonic(", "time.perf_counter(", "datetime.now("];
    let found = |(index, (code, text)): (usize, (&str, &str))| {
        let bad = words.iter().any(|word| code.contains(word)) && !text.contains('#');
        bad.then(|| source.found(index, "time is injected: say why not in a comment on the line"))
    };
    source.code.lines().zip(source.text.lines()).enumerate().filter_map(found).collect()
}

pub(crate) fn panics(source: &Source) -> Vec<String> {
    let words = [
        "unsafe ",
        "unsafe{",
        ".unwrap()",
        ".expect(",
        "panic!",
        "todo!",
        "unimplemented!",
        "unreachable!",
    ];
    let rule = "no unsafe, no unwrap, no panic outside tests";
    lines_with(source, &words, source.tests_from(), rule)
}

pub(crate) fn sleeps(source: &Source) -> Vec<String> {
    let words = ["thread::sleep", "time.sleep(", "asyncio.sleep(", "anyio.sleep("];
    let zero = ["asyncio.sleep(0)", "anyio.sleep(0)"];
    let lines = source.code.lines().enumerate();
    let bad = lines.filter(|(_, line)| {
        let line = zero.iter().fold((*line).to_owned(), |line, zero| line.replace(zero, ""));
        words.iter().any(|word| line.contains(word))
    });
    bad.map(|(index, _)| source.found(index, "tests do not sleep: move a ManualClock")).collect()
}

/// What is renamed into its place was flushed before: `write(..).and_then(.. rename ..)` in one
/// statement, and `write` ends with `sync_all`.
pub(crate) fn renames_unflushed(source: &Source) -> Vec<String> {
    let code = source.code.as_str();
    let flushed = code.split("fn write(").nth(1).and_then(|rest| rest.split("\n}").next());
    let flushed = flushed.is_some_and(|body| body.trim_end().ends_with(".sync_all()"));
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = code[at..].find("fs::rename(") {
        at += next;
        let statement = code[..at].rsplit([';', '{']).next().unwrap_or("");
        if !flushed || !statement.contains("write(") {
            let line = code[..at].lines().count() - 1;
            found.push(source.found(line, "a file is flushed before it is renamed"));
        }
        at += 1;
    }
    found
}

pub(crate) fn bad_lines(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        if line.contains('\t') {
            found.push(source.found(index, "a tab"));
        }
        let columns = line.chars().count();
        if columns > COLUMNS_MAX {
            let rule = format!("{columns} columns (rule: at most {COLUMNS_MAX})");
            found.push(source.found(index, &rule));
        }
    }
    found
}
