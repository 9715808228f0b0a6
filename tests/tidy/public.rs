//! What users of the crate can name: `tests/tidy/public_names.txt` has it with all signatures.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path as FilePath;

use super::items::{Item, Seen, items, split};
use super::lists::{Counts, only_listed};
use super::source;
use super::tree::{Module, Path, Target, Tree};

/// The page: a section for each public module, the crate first; what a module hands on once more
/// has a line and no description.
fn render(tree: &Tree) -> String {
    let mut page = Page { tree, described: BTreeSet::new(), text: String::new() };
    let mut open = vec![Path::new()];
    while let Some(path) = open.pop() {
        let mut inside = page.section(&path);
        inside.sort();
        inside.reverse();
        open.extend(inside);
    }
    page.text
}

struct Page<'a> {
    tree: &'a Tree,
    described: BTreeSet<(Path, String)>,
    text: String,
}

impl Page<'_> {
    /// Writes the section of a module; the public modules in it are for later.
    fn section(&mut self, path: &Path) -> Vec<Path> {
        let Some(module) = self.tree.modules.get(path) else { return Vec::new() };
        let mut names: BTreeMap<String, Target> = BTreeMap::new();
        let mut inside = Vec::new();
        for item in module.items.items.iter().filter(|item| item.seen == Seen::Everywhere) {
            if item.kind == "mod" {
                inside.push([path.clone(), vec![item.name.clone()]].concat());
            } else {
                names.insert(item.name.clone(), Target::Item(path.clone(), item.name.clone()));
            }
        }
        for each in module.items.uses.iter().filter(|each| each.seen == Seen::Everywhere) {
            match self.tree.resolve(path, &each.path) {
                Some(target) => names.insert(each.name.clone(), target),
                None => names.insert(each.name.clone(), Target::Module(each.path.clone())),
            };
        }
        let parts = [&["outlay".to_owned()], path.as_slice()].concat();
        self.text += &format!("# {}\n", parts.join("::"));
        for (name, target) in names {
            self.name(&name, &target);
        }
        self.text.push('\n');
        inside
    }

    fn name(&mut self, name: &str, target: &Target) {
        let Target::Item(path, own) = target else {
            self.text += &format!("use {name}\n");
            return;
        };
        if !self.described.insert((path.clone(), own.clone())) {
            self.text += &format!("use {name}\n");
            return;
        }
        let Some(module) = self.tree.modules.get(path) else { return };
        let of_name = |item: &&Item| &item.name == own && item.kind != "impl" && item.kind != "mod";
        for item in module.items.items.iter().filter(of_name) {
            self.text += &format!("{}\n", head(module, item));
            let mut lines = members(module, item);
            lines.extend(self.implemented(target, own));
            lines.sort();
            lines.dedup();
            self.text.extend(lines.iter().map(|line| format!("    {line}\n")));
        }
    }

    /// The public methods of a type, and its traits, from every file.
    fn implemented(&self, target: &Target, name: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for (path, module) in &self.tree.modules {
            let of_type = |item: &&Item| item.kind == "impl" && item.name == name;
            for item in module.items.items.iter().filter(of_type) {
                let own = [name.to_owned()];
                if self.tree.resolve(path, &own).as_ref() != Some(target) {
                    continue;
                }
                match &item.of_trait {
                    Some(of_trait) if self.is_public(path, of_trait) => {
                        lines.push(head(module, item));
                    }
                    Some(_) => {}
                    None => lines.extend(inner(module, item, Some(Seen::Everywhere))),
                }
            }
        }
        lines
    }
}

impl Page<'_> {
    /// Whether users can name a trait: it is public, or from elsewhere.
    fn is_public(&self, path: &Path, of_trait: &str) -> bool {
        let Some(Target::Item(path, name)) = self.tree.resolve(path, &[of_trait.to_owned()]) else {
            return true;
        };
        let module = self.tree.modules.get(&path);
        let private = |item: &Item| item.name == name && item.seen != Seen::Everywhere;
        module.is_none_or(|module| !module.items.items.iter().any(private))
    }
}

/// Fields, variants, what a trait asks for, and what is derived.
fn members(module: &Module, item: &Item) -> Vec<String> {
    let body = item.body.clone().map_or("", |body| &module.code[body]);
    let mut lines: Vec<String> = match item.kind.as_str() {
        "struct" => split(body, ',').iter().map(|field| plain(field)).collect(),
        "enum" => split(body, ',').iter().map(|variant| plain(variant)).collect(),
        "trait" => inner(module, item, None),
        _ => Vec::new(),
    };
    if item.kind == "struct" {
        lines.retain(|field| field.starts_with("pub "));
    }
    lines.extend(item.derives.iter().map(|name| format!("derive {name}")));
    lines
}

fn inner(module: &Module, item: &Item, seen: Option<Seen>) -> Vec<String> {
    let body = item.body.clone().unwrap_or(0..0);
    let all = items(&module.code, body).items;
    let found = all.iter().filter(|inner| seen.is_none_or(|seen| inner.seen == seen));
    found.map(|inner| head(module, inner)).collect()
}

/// What a user sees of it: no value of a constant, no private field of a tuple.
fn head(module: &Module, item: &Item) -> String {
    let head = plain(&module.code[item.head.clone()]);
    let name = head.split([' ', '<', '(', ':', '=']).any(|word| word == item.name);
    let tuple =
        head.split_once('(').filter(|_| name && item.kind == "struct" && item.body.is_none());
    if let Some((start, fields)) = tuple {
        let mut fields = split(fields.trim_end_matches(')'), ',');
        fields.retain(|field| field.starts_with("pub "));
        let fields = fields.join(", ");
        return if fields.is_empty() { start.to_owned() } else { format!("{start}({fields})") };
    }
    let value = if item.kind == "const" || item.kind == "static" { " =" } else { "\n" };
    head.split(value).next().unwrap_or("").to_owned()
}

/// On one line, without attributes, and without what breaking it over lines adds.
fn plain(text: &str) -> String {
    let mut text = text.trim().to_owned();
    while text.starts_with('#') {
        let open = text.find('[').unwrap_or(0);
        text = text[super::items::closed(&text, open)..].trim().to_owned();
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ").replace("( ", "(").replace(", )", ")").replace(" )", ")");
    without_modules(line.replace(", >", ">").replace("< ", "<").trim_end_matches(','))
}

/// `fmt::Debug` as `Debug`: modules may move.
fn without_modules(line: &str) -> String {
    let mut kept = String::new();
    for part in line.split_inclusive("::") {
        let word = part.trim_end_matches("::");
        let start = word.rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |at| at + 1);
        let module = part.len() > word.len() && word[start..].starts_with(char::is_lowercase);
        kept.push_str(if module { &word[..start] } else { part });
    }
    kept
}

/// `TIDY=names cargo test --test tidy` writes the page.
#[test]
fn the_public_names_are_those_of_the_page() {
    let page = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("tests/tidy/public_names.txt");
    let now = render(&Tree::new(&source::all(&["src"], &["rs"])));
    if std::env::var("TIDY").as_deref() == Ok("names") {
        fs::write(&page, &now).unwrap();
    }
    let listed = fs::read_to_string(page).unwrap();
    let gone = listed.lines().filter(|line| !now.lines().any(|other| other == *line));
    let new = now.lines().filter(|line| !listed.lines().any(|other| other == *line));
    let gone = gone.map(|line| format!("- {line}"));
    let changed: Vec<String> = gone.chain(new.map(|line| format!("+ {line}"))).collect();
    let command = "TIDY=names cargo test --test tidy";
    assert!(listed == now, "public names have changed:\n{}\n({command})", changed.join("\n"));
}

/// The names that a module hands on although another has them: each has one path.
#[test]
fn a_name_has_one_path() {
    let page = render(&Tree::new(&source::all(&["src"], &["rs"])));
    only_listed("second_paths", &second_paths(&page));
}

fn second_paths(page: &str) -> Counts {
    let mut found = Counts::new();
    for section in page.split("# ").skip(1) {
        let count = section.lines().filter(|line| line.starts_with("use ")).count();
        if count > 0 {
            found.insert(section.lines().next().unwrap_or("").to_owned(), count);
        }
    }
    found
}

#[test]
fn a_name_is_described_where_it_is_first_seen() {
    let root = "mod a;\npub mod b;\npub use a::{A, two};\nfn own() {}";
    let a = "#[derive(Debug, Clone)]\npub struct A<T> {\n    pub one: u8,\n    own: T,\n}\n\
             impl<T> A<T> {\n    pub fn f(\n        &self,\n        to: u8,\n    ) -> u8 { 1 }\n\
                 fn g() {}\n}\n\
             impl<T> Drop for A<T> { fn drop(&mut self) {} }\n\
             impl<T> std::fmt::Debug for A<T> {}\nimpl<T> Own for A<T> {}\ntrait Own {}\n\
             pub const fn two() -> u8 { 2 }\npub struct Hidden;";
    let b = "pub use crate::a::A;\npub trait T { fn f(&self); }\npub enum E { One, Two(u8) }\n\
             impl A<u8> { pub fn more(&self) {} }\n\
             pub(crate) fn own() {}\npub struct S(u8, pub u8);\npub const C: u8 = 3;";
    let files = [("src/lib.rs", root), ("src/a.rs", a), ("src/b.rs", b)];
    let sources: Vec<_> =
        files.iter().map(|(path, text)| source::Source::new(path, text)).collect();
    let expected = [
        "# outlay",
        "struct A<T>",
        "    derive Clone",
        "    derive Debug",
        "    fn f(&self, to: u8) -> u8",
        "    fn more(&self)",
        "    impl<T> Debug for A<T>",
        "    impl<T> Drop for A<T>",
        "    pub one: u8",
        "const fn two() -> u8",
        "",
        "# outlay::b",
        "use A",
        "const C: u8",
        "enum E",
        "    One",
        "    Two(u8)",
        "struct S(pub u8)",
        "trait T",
        "    fn f(&self)",
        "",
        "",
    ]
    .join("\n");
    let page = render(&Tree::new(&sources));
    assert_eq!(page, expected);
    assert_eq!(second_paths(&page), [("outlay::b".to_owned(), 1)].into());
}
