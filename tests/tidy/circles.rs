//! Circles: files that reach each other through their imports.

use std::collections::{BTreeMap, BTreeSet};

use super::lists::{Counts, only_listed};
use super::source::{self, Source};
use super::tree::Tree;

type Imports = BTreeMap<String, BTreeSet<String>>;

/// What each file imports, and what stands in the folder that is named after it: nothing in there
/// may import the file.
fn reaching(sources: &[Source]) -> Imports {
    let tree = Tree::new(sources);
    let mut imports = tree.imports();
    for (path, module) in &tree.modules {
        let parent = path.split_last().and_then(|(_, parent)| tree.modules.get(parent));
        let Some(parent) = parent.filter(|parent| parent.file != "src/lib.rs") else { continue };
        if parent.file != module.file {
            imports.entry(parent.file.clone()).or_default().insert(module.file.clone());
        }
    }
    imports
}

/// The groups of files that reach each other.
fn circles(imports: &Imports) -> Vec<Vec<String>> {
    let reached: Imports =
        imports.keys().map(|file| (file.clone(), reached(imports, file))).collect();
    let mut groups = BTreeSet::new();
    for (file, there) in &reached {
        let back = |other: &&String| reached.get(*other).is_some_and(|back| back.contains(file));
        let group: Vec<String> = there.iter().filter(back).cloned().collect();
        if group.contains(file) {
            groups.insert(group);
        }
    }
    groups.into_iter().collect()
}

fn reached(imports: &Imports, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(file) = next.pop() {
        for other in imports.get(file).into_iter().flatten() {
            if reached.insert(other.clone()) {
                next.push(other);
            }
        }
    }
    reached
}

/// For each file how many files its circle has.
#[test]
fn no_files_import_each_other() {
    let mut found = Counts::new();
    let imports = reaching(&source::all(&["src"], &["rs"]));
    for circle in circles(&imports) {
        for file in &circle {
            let within: Vec<_> = imports[file].iter().filter(|to| circle.contains(to)).collect();
            println!("{file} imports or holds {within:?}");
            found.insert(file.clone(), circle.len());
        }
    }
    only_listed("circles", &found);
}

mod planted {
    use super::*;

    /// Each file by its path and text; the circle that is found.
    fn circle_in(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let sources: Vec<_> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
        circles(&reaching(&sources))
    }

    fn between(files: &[(&str, &str)], expected: &[&str]) {
        assert_eq!(circle_in(files), [expected], "{files:?}");
    }

    const AB: [&str; 2] = ["src/f/a.rs", "src/f/b.rs"];

    #[test]
    fn by_super_by_crate_and_by_self() {
        let a = ("src/f/a.rs", "use super::b::B;\npub struct A;");
        for b in [
            "use super::a::A;\npub struct B;",
            "use crate::f::a::A;\npub struct B;",
            "use crate::{f::{a::{A}}, g};\npub struct B;",
            "pub struct B;\nfn f() -> super::a::A { super::a::A }",
            "use super::a;\npub struct B;\nfn f(_: a::A) {}",
            "use super::a as other;\npub struct B;\nfn f(_: other::A) {}",
            "pub struct B;\nfn f() { use super::{a::A}; }",
            "use super::a::*;\npub struct B;",
            "use crate::f::self::a::A;\npub struct B;",
        ] {
            between(&[a, ("src/f/b.rs", b)], &AB);
        }
    }

    #[test]
    fn through_what_a_list_hands_on() {
        let list = ("src/f/mod.rs", "mod a;\nmod b;\npub use a::A;\npub(crate) use self::b::*;");
        let a = ("src/f/a.rs", "use super::B;\npub struct A;");
        let b = ("src/f/b.rs", "use crate::f::A as Other;\npub struct B;");
        between(&[list, a, b], &AB);
        let root = ("src/lib.rs", "pub mod f;\npub use f::A;");
        let b = ("src/f/b.rs", "use crate::A;\npub struct B;");
        between(&[root, list, a, b], &AB);
    }

    #[test]
    fn in_and_between_sub_folders() {
        let a = ("src/f/x/a.rs", "use super::super::y::B;\npub struct A;");
        let b = ("src/f/y/b.rs", "use crate::f::x::a::A;\npub struct B;");
        let list = ("src/f/y/mod.rs", "mod b;\npub use b::B;");
        between(&[a, list, b], &["src/f/x/a.rs", "src/f/y/b.rs"]);
        let c = ("src/f/x/c.rs", "use super::a::A;\npub struct C;");
        let a = ("src/f/x/a.rs", "use super::c::C;\npub struct A;");
        between(&[a, c], &["src/f/x/a.rs", "src/f/x/c.rs"]);
    }

    #[test]
    fn with_the_file_that_the_folder_is_named_after() {
        let child = ("src/f/a/c.rs", "use super::A;\npub struct C;");
        let file = ("src/f/a.rs", "mod c;\npub struct A;");
        between(&[file, child], &["src/f/a.rs", "src/f/a/c.rs"]);
        let defines = ("src/f/a/mod.rs", "mod c;\npub struct A;");
        between(&[defines, child], &["src/f/a/c.rs", "src/f/a/mod.rs"]);
    }

    #[test]
    fn by_a_method_that_another_file_defines() {
        let a = ("src/f/a.rs", "pub struct A;\nimpl A { fn one(&self) { self.two(1) } }");
        let b = ("src/f/b.rs", "use super::a::A;\nimpl A { pub fn two(&self, _: u8) {} }");
        between(&[a, b], &AB);
    }

    #[test]
    fn over_three_files_and_two_circles_apart() {
        let a = ("src/f/a.rs", "use super::b::B;\npub struct A;");
        let b = ("src/f/b.rs", "use super::c::C;\npub struct B;");
        let c = ("src/f/c.rs", "use super::a::A;\npub struct C;");
        between(&[a, b, c], &["src/f/a.rs", "src/f/b.rs", "src/f/c.rs"]);
        let d = ("src/g/d.rs", "use super::e::E;\npub struct D;");
        let e = ("src/g/e.rs", "use super::d::D;\npub struct E;");
        assert_eq!(circle_in(&[a, b, c, d, e]).len(), 2);
    }

    #[test]
    fn and_none_where_none_is() {
        let list = ("src/f/mod.rs", "//! See [`b::B`].\nmod a;\nmod b;\npub use a::A;");
        let a = ("src/f/a.rs", "use super::b::B;\n/// super::b\npub struct A;");
        let b = "use std::sync::Arc;\npub struct B;\nconst T: &str = \"super::a::A\";\n\
                 #[cfg(test)]\nmod tests {\n    use super::super::a::A;\n}\n";
        assert_eq!(circle_in(&[list, a, ("src/f/b.rs", b)]), Vec::<Vec<String>>::new());
    }
}
