//! Takes the docstrings out of the stubs of the Python face, for `stub!` in `src/py`: what `help()` says is
//! what editors show. Without the feature `python` it does nothing.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The stub of the module itself, whose own docstring is that of the module.
const MODULE: &str = "python/outlay/_core.pyi";
/// The stubs of its classes and functions.
const STUBS: &str = "python/outlay/_stubs";
const QUOTES: &str = "\"\"\"";

fn main() -> Result<(), Box<dyn Error>> {
    for path in ["build.rs", MODULE, STUBS] {
        println!("cargo::rerun-if-changed={path}");
    }
    if env::var_os("CARGO_FEATURE_PYTHON").is_none() {
        return Ok(());
    }
    let out = PathBuf::from(env::var("OUT_DIR")?).join("stubs");
    if out.exists() {
        fs::remove_dir_all(&out)?; // a name that is no longer in a stub may not be found
    }
    fs::create_dir_all(&out)?;
    let module = fs::read_to_string(MODULE)?;
    let text =
        docstring(&mut module.lines()).ok_or_else(|| format!("{MODULE} has no docstring"))?;
    write(&out, "_core", &text)?;
    take_folder(Path::new(STUBS), &out)
}

/// Takes the stubs of a folder, and of the folders in it.
fn take_folder(folder: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            take_folder(&path, out)?;
        } else if path.extension().is_some_and(|extension| extension == "pyi") {
            take(&fs::read_to_string(&path)?, out)
                .map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(())
}

/// Writes each docstring of a stub to a file that is called `Class`, `Class.method` or `function`.
fn take(stub: &str, out: &Path) -> Result<(), Box<dyn Error>> {
    let mut class = "";
    let mut lines = stub.lines();
    while let Some(line) = lines.next() {
        let Some(name) = defined(line) else { continue };
        let full = if line.starts_with(' ') { format!("{class}.{name}") } else { name.to_owned() };
        if line.starts_with("class ") {
            // The stub of a class may have several files, each with a base that only the stubs have.
            class = line.split_once("  # methods of ").map_or(name, |(_, whole)| whole);
        }
        // A signature may take several lines; one that ends in dots has no docstring.
        let mut last = line;
        while !last.ends_with(':') && !last.ends_with("...") && !last.contains("  # methods of ") {
            last = lines.next().ok_or_else(|| format!("the signature of {full} has no end"))?;
        }
        if last.ends_with(':')
            && let Some(text) = docstring(&mut lines)
        {
            write(out, &full, &text)?;
        }
    }
    Ok(())
}

/// The name that a line begins to define, of a class, a function or a method.
fn defined(line: &str) -> Option<&str> {
    let line = line.strip_prefix("    ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    let rest = line.strip_prefix("def ").or_else(|| line.strip_prefix("class "))?;
    rest.split(['(', ':']).next()
}

/// The docstring that the next line begins, as `inspect.cleandoc` gives it.
fn docstring<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Option<String> {
    let first = lines.next()?.trim().strip_prefix(QUOTES)?;
    if let Some(only) = first.strip_suffix(QUOTES) {
        return Some(only.to_owned());
    }
    let rest: Vec<&str> = lines.take_while(|line| line.trim() != QUOTES).collect();
    let indents = rest.iter().filter(|line| !line.trim().is_empty());
    let margin = indents.map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    let dedented = rest.iter().map(|line| line.get(margin..).unwrap_or_default());
    let text: Vec<&str> = std::iter::once(first).chain(dedented).collect();
    Some(text.join("\n").trim_end().to_owned())
}

fn write(out: &Path, name: &str, text: &str) -> Result<(), Box<dyn Error>> {
    if text.contains(['\\', '\0']) {
        return Err(format!("the docstring of {name} has a backslash, which is not read").into());
    }
    let path = out.join(format!("{name}.txt"));
    if path.exists() {
        return Err(format!("{name} is defined twice").into());
    }
    Ok(fs::write(path, text)?)
}
