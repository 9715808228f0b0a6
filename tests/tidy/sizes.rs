//! How long files and functions are.

use super::source::Source;

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

pub(crate) fn long_file(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let long = lines > FILE_LINES_MAX;
    let rule = format!("the file has {lines} lines (rule: at most {FILE_LINES_MAX})");
    long.then(|| source.found(lines - 1, &rule)).into_iter().collect()
}

pub(crate) fn long_functions(source: &Source) -> Vec<String> {
    let functions = if source.path.ends_with(".rs") {
        rust_functions(&source.code)
    } else {
        python_functions(&source.code)
    };
    let long = functions.into_iter().filter(|(_, lines)| *lines > FUNCTION_LINES_MAX);
    long.map(|(start, lines)| {
        let rule = format!("the function has {lines} lines (rule: at most {FUNCTION_LINES_MAX})");
        source.found(start, &rule)
    })
    .collect()
}

pub(crate) fn median(sources: &[Source]) -> usize {
    let mut lines: Vec<usize> = sources.iter().map(|s| s.text.lines().count()).collect();
    lines.sort_unstable();
    lines[lines.len() / 2]
}

/// (index of the line with `fn`, lines until its closing brace).
fn rust_functions(code: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut functions = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        let is_function = words.clone().any(|word| word == "fn")
            && !line.trim_start().starts_with("type ")
            && line.contains("fn ");
        if let Some(lines) = is_function.then(|| body_lines(&lines[start..])).flatten() {
            functions.push((start, lines));
        }
    }
    functions
}

/// The lines until the braces that open in the signature are closed; none for `fn f();`.
fn body_lines(lines: &[&str]) -> Option<usize> {
    let (mut depth, mut brackets) = (0_i32, 0_i32);
    for (index, line) in lines.iter().enumerate() {
        for character in line.chars() {
            match character {
                '{' => depth += 1,
                '}' => {
                    depth -= 1;
                    if depth <= 0 {
                        return Some(index + 1);
                    }
                }
                '(' | '[' => brackets += 1,
                ')' | ']' => brackets -= 1,
                ';' if depth == 0 && brackets == 0 => return None,
                _ => {}
            }
        }
    }
    None
}

/// (index of the line with `def`, lines until the indentation ends).
fn python_functions(code: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut functions = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        if !trimmed.starts_with("def ") && !trimmed.starts_with("async def ") {
            continue;
        }
        let body = lines[start + 1..].iter();
        let inside = |line: &&&str| {
            let closes = line.trim_start().starts_with(')');
            line.trim().is_empty() || closes || indent(line) > indent(lines[start])
        };
        let body: Vec<_> = body.take_while(inside).collect();
        let last = body.iter().rposition(|line| !line.trim().is_empty());
        functions.push((start, last.map_or(1, |last| last + 2)));
    }
    functions
}
