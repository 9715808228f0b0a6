//! The modules of the crate, and which file a path leads to.

use std::collections::{BTreeMap, BTreeSet};

use super::items::{Items, Seen, Use, items, paths, uses_apart};
use super::source::Source;

/// A module: a file, or a `mod` inside of one.
pub(crate) struct Module {
    pub(crate) file: String,
    pub(crate) code: String,
    pub(crate) items: Items,
}

/// A path of modules: empty for the crate.
pub(crate) type Path = Vec<String>;

/// What a path leads to: an item of a module, or the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Item(Path, String),
    Module(Path),
}

pub(crate) struct Tree {
    pub(crate) modules: BTreeMap<Path, Module>,
}

impl Tree {
    /// Reads what stands below `src/`, without what only tests have.
    pub(crate) fn new(sources: &[Source]) -> Self {
        let mut tree = Self { modules: BTreeMap::new() };
        for source in sources.iter().filter(|source| source.path.starts_with("src/")) {
            let lines: Vec<&str> = source.code.split('\n').take(source.tests_from()).collect();
            let mut path: Path =
                source.path[4..].trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            path.pop_if(|last| last == "mod" || last == "lib");
            tree.add(path, &source.path, lines.join("\n"));
        }
        tree
    }

    fn add(&mut self, path: Path, file: &str, mut code: String) {
        let items = items(&code, 0..code.len());
        for item in items.items.iter().filter(|item| item.kind == "mod") {
            if let Some(body) = item.body.clone() {
                let inside = [path.clone(), vec![item.name.clone()]].concat();
                self.add(inside, file, code[body.clone()].to_owned());
                code.replace_range(body.clone(), &" ".repeat(body.len()));
            }
        }
        self.modules.insert(path, Module { file: file.to_owned(), code, items });
    }

    /// What `path` means in the module `within`; nothing where it leads out of the crate.
    pub(crate) fn resolve(&self, within: &Path, path: &[String]) -> Option<Target> {
        self.follow(within, path, &mut BTreeSet::new())
    }

    fn follow(
        &self,
        within: &Path,
        path: &[String],
        asked: &mut BTreeSet<(Path, Path)>,
    ) -> Option<Target> {
        if !asked.insert((within.clone(), path.to_vec())) {
            return None;
        }
        let (first, mut rest) = path.split_first()?;
        let mut now = match first.as_str() {
            "crate" => Target::Module(Path::new()),
            "self" => Target::Module(within.clone()),
            "super" => Target::Module(within[..within.len().checked_sub(1)?].to_vec()),
            _ => self.named(within, first, rest.is_empty(), asked)?,
        };
        while let (Target::Module(module), Some((next, after))) = (&now, rest.split_first()) {
            rest = after;
            now = match next.as_str() {
                "super" => Target::Module(module[..module.len().checked_sub(1)?].to_vec()),
                "self" => now,
                // What a macro makes, and what comes from another crate, belongs to the module.
                _ => {
                    let named = self.named(module, next, after.is_empty(), asked);
                    named.unwrap_or_else(|| Target::Item(module.clone(), next.clone()))
                }
            };
        }
        Some(now)
    }

    /// What a name means in a module: its own item, a child, or what a `use` brought.
    fn named(
        &self,
        module: &Path,
        name: &str,
        is_last: bool,
        asked: &mut BTreeSet<(Path, Path)>,
    ) -> Option<Target> {
        let child = [module.clone(), vec![name.to_owned()]].concat();
        // A macro or a function may have the name of its module.
        let own = |item: &&super::items::Item| {
            item.name == name && !["mod", "impl"].contains(&item.kind.as_str())
        };
        let brought = |each: &&Use| each.name == name && each.path != [name.to_owned()];
        let here = self.modules.get(module);
        // A function that is handed on may have the name of the module that it comes from.
        let namesake = [name.to_owned(), name.to_owned()];
        let is_namesake = |each: &Use| each.name == name && each.path == namesake;
        if self.modules.keys().any(|path| path.starts_with(&child)) {
            let both = is_last && here.is_some_and(|here| here.items.uses.iter().any(is_namesake));
            let item = || Target::Item(child.clone(), name.to_owned());
            return Some(if both { item() } else { Target::Module(child) });
        }
        let here = here?;
        if here.items.items.iter().any(|item| own(&item)) {
            return Some(Target::Item(module.clone(), name.to_owned()));
        }
        if let Some(each) = here.items.uses.iter().find(brought) {
            return self.follow(module, &each.path, asked);
        }
        here.items.uses.iter().filter(|each| each.name == "*").find_map(|each| {
            let mut path = each.path.clone();
            path.pop();
            path.push(name.to_owned());
            self.follow(module, &path, asked)
        })
    }

    pub(crate) fn file(&self, target: &Target) -> Option<&str> {
        let (Target::Item(path, _) | Target::Module(path)) = target;
        self.modules.get(path).map(|module| module.file.as_str())
    }

    /// Which files each file imports from. What it only hands on (`pub use`) is no import.
    pub(crate) fn imports(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (path, module) in &self.modules {
            let to = imports.entry(module.file.clone()).or_default();
            to.extend(self.named_in(path, module).iter().filter_map(|t| self.owner(t)));
            to.extend(self.called_in(path, module));
            to.remove(&module.file);
        }
        imports
    }

    /// A `mod.rs` that only lists is nobody's import: what it hands on belongs to another file.
    fn owner(&self, target: &Target) -> Option<String> {
        if let Target::Module(path) = target {
            let module = self.modules.get(path)?;
            let lists = |kind: &str| kind == "mod";
            if module.items.items.iter().all(|item| lists(&item.kind)) {
                return None;
            }
        }
        self.file(target).map(str::to_owned)
    }

    /// What the `use` lines and the paths of a module lead to, those in functions too.
    fn named_in(&self, path: &Path, module: &Module) -> Vec<Target> {
        let (uses, code) = uses_apart(&module.code);
        let mut found: Vec<Target> = Vec::new();
        for each in uses.iter().filter(|each| each.seen == Seen::InFile) {
            let mut wanted = each.path.clone();
            wanted.pop_if(|last| last == "*");
            let target = self.resolve(path, &wanted);
            // `use super::clock` alone says little: the paths below say what is taken.
            let taken = |target: &Target| matches!(target, Target::Item(..)) || each.name == "*";
            found.extend(target.filter(taken));
        }
        for (_, segments) in paths(&code).into_iter().filter(|(_, segments)| segments.len() > 1) {
            let segments: Path = segments.iter().map(|s| (*s).to_owned()).collect();
            found.extend(self.resolve(path, &segments));
        }
        found
    }

    /// Files that define what `self.name(…)` calls, where an `impl` of the type stands elsewhere.
    fn called_in(&self, path: &Path, module: &Module) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for item in module.items.items.iter().filter(|item| item.kind == "impl") {
            let Some(owner) = self.resolve(path, std::slice::from_ref(&item.name)) else {
                continue;
            };
            let body = item.body.clone().unwrap_or(0..0);
            for (at, _) in module.code[body.clone()].match_indices("self.") {
                let rest = &module.code[body.start + at + 5..];
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(0);
                if rest[end..].starts_with('(') {
                    let files = self.defining(&owner, &rest[..end]);
                    if !files.contains(&module.file) && files.len() == 1 {
                        found.extend(files);
                    }
                }
            }
        }
        found
    }

    /// The files in which an `impl` of a type defines a method.
    fn defining(&self, owner: &Target, method: &str) -> BTreeSet<String> {
        let Target::Item(_, name) = owner else { return BTreeSet::new() };
        let mut files = BTreeSet::new();
        for (path, module) in &self.modules {
            for item in module.items.items.iter().filter(|item| item.kind == "impl") {
                let defines = &item.name == name && {
                    let body = item.body.clone().unwrap_or(0..0);
                    module.code[body].contains(&format!("fn {method}("))
                };
                if defines
                    && self.resolve(path, std::slice::from_ref(&item.name)).as_ref() == Some(owner)
                {
                    files.insert(module.file.clone());
                }
            }
        }
        files
    }
}
