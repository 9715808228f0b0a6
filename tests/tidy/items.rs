//! The items of a Rust file: what it defines, what it uses, what it implements.

use std::ops::Range;

/// Who sees an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    Everywhere,
    InCrate,
    InFile,
}

/// `use a::b as c`: the path, and the name that it has here; `*` where all names come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) seen: Seen,
    pub(crate) path: Vec<String>,
    pub(crate) name: String,
}

/// Any other item; for an `impl`, the name is that of the type.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) seen: Seen,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) of_trait: Option<String>,
    pub(crate) derives: Vec<String>,
    /// From the first word to the body, or to the semicolon.
    pub(crate) head: Range<usize>,
    /// What stands in its braces.
    pub(crate) body: Option<Range<usize>>,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Items {
    pub(crate) items: Vec<Item>,
    pub(crate) uses: Vec<Use>,
}

const KINDS: [&str; 10] =
    ["struct", "enum", "union", "trait", "fn", "const", "static", "type", "mod", "macro_rules"];

/// The items of `code` in a range, without those that only tests have.
pub(crate) fn items(code: &str, within: Range<usize>) -> Items {
    let mut reader = Reader { code, at: within.start, end: within.end };
    let mut found = Items::default();
    while reader.next(&mut found) {}
    found
}

/// All `use` lines, those in functions too; and the code without them.
pub(crate) fn uses_apart(code: &str) -> (Vec<Use>, String) {
    let (mut uses, mut rest) = (Vec::new(), code.to_owned());
    for (start, _) in paths(code).into_iter().filter(|(_, path)| path == &["use"]) {
        let end = start + code[start..].find(';').unwrap_or(code.len() - start);
        let before = code[..start].rsplit([';', '}', ']', '{']).next().unwrap_or("").trim();
        // Rust 2024: `impl Trait + use<'a>` is no import.
        if code[start + 3..].starts_with('<') {
            continue;
        }
        let seen = match before {
            "" => Seen::InFile,
            "pub" => Seen::Everywhere,
            _ => Seen::InCrate,
        };
        use_tree(seen, &[], &code[start + 3..end], &mut uses);
        rest.replace_range(start..end, &" ".repeat(end - start));
    }
    (uses, rest)
}

/// A word or a path: `crate`, `a::b`; and where it stands.
pub(crate) fn paths(code: &str) -> Vec<(usize, Vec<&str>)> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let end = word_end(code, at);
        if end == at {
            at += 1;
            continue;
        }
        let start = at;
        let mut segments = vec![&code[at..end]];
        at = end;
        while code[at..].starts_with("::") && word_end(code, at + 2) > at + 2 {
            let end = word_end(code, at + 2);
            segments.push(&code[at + 2..end]);
            at = end;
        }
        if bytes[start].is_ascii_alphabetic() || bytes[start] == b'_' {
            found.push((start, segments));
        }
    }
    found
}

fn word_end(code: &str, at: usize) -> usize {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    at + code.as_bytes()[at..].iter().take_while(|byte| word(byte)).count()
}

/// The position behind the bracket that closes the one at `at`.
pub(crate) fn closed(code: &str, at: usize) -> usize {
    let mut depth = 0;
    for (index, byte) in code.as_bytes().iter().enumerate().skip(at) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    code.len()
}

struct Reader<'a> {
    code: &'a str,
    at: usize,
    end: usize,
}

impl Reader<'_> {
    /// Reads one item; false at the end.
    fn next(&mut self, found: &mut Items) -> bool {
        let (mut derives, mut tested) = (Vec::new(), false);
        self.skip_space();
        while self.rest().starts_with('#') {
            let open = self.at + self.rest().find('[').unwrap_or(0);
            let end = closed(self.code, open);
            let attribute = &self.code[open..end];
            tested |= attribute.trim_start_matches('[').starts_with("cfg(test)");
            if let Some(list) = attribute.strip_prefix("[derive(") {
                let names = list.trim_end_matches([')', ']']).split(',').map(str::trim);
                derives.extend(names.filter(|name| !name.is_empty()).map(str::to_owned));
            }
            self.at = end;
            self.skip_space();
        }
        if self.at >= self.end {
            return false;
        }
        let start = self.at;
        let seen = self.visibility();
        let mut item = self.item(seen, start, found);
        if let Some(item) = item.as_mut() {
            item.derives = derives;
        }
        found.items.extend(item.filter(|_| !tested));
        true
    }

    fn item(&mut self, seen: Seen, start: usize, found: &mut Items) -> Option<Item> {
        let head_start = self.at;
        loop {
            let word = self.word();
            if word == "use" {
                let end = self.until(b";");
                let tree = self.code[self.at..end].trim().to_owned();
                self.at = end + 1;
                use_tree(seen, &[], &tree, &mut found.uses);
                return None;
            }
            if word == "impl" {
                return Some(self.implementation(start));
            }
            if word.is_empty() {
                self.at = (self.at + 1).max(start + 1);
                return None;
            }
            let is_fn = word == "const" && self.rest().trim_start().starts_with("fn ");
            if KINDS.contains(&word.as_str()) && !is_fn {
                return Some(self.named(seen, word, head_start));
            }
            let quoted = self.rest().starts_with("  ");
            if !["const", "async", "unsafe", "extern", "default"].contains(&word.as_str()) || quoted
            {
                // A call of a macro: it ends with its bracket.
                self.at = self.until(b"({[;");
                self.at =
                    if self.rest().starts_with(';') { self.at } else { closed(self.code, self.at) };
                return None;
            }
        }
    }

    fn named(&mut self, seen: Seen, kind: String, head_start: usize) -> Item {
        if kind == "macro_rules" {
            self.at += 1;
        }
        let name = self.word();
        let is_value = kind == "const" || kind == "static" || kind == "type";
        let end = self.until(if is_value { b";" } else { b";{" });
        let opens = self.code[end..].starts_with('{');
        let body = opens.then(|| end + 1..closed(self.code, end) - 1);
        self.at = body.as_ref().map_or(end + 1, |body| body.end + 1);
        let derives = Vec::new();
        Item { seen, kind, name, of_trait: None, derives, head: head_start..end, body }
    }

    fn implementation(&mut self, start: usize) -> Item {
        let end = self.until(b"{");
        let head = without_generics(&self.code[self.at..end]);
        let head = head.split(" where ").next().unwrap_or("");
        let (of_trait, target) = match head.split_once(" for ") {
            Some((of_trait, target)) => (Some(last_word(of_trait)), target),
            None => (None, head),
        };
        let name = last_word(target);
        let body = end + 1..closed(self.code, end) - 1;
        self.at = body.end + 1;
        let (kind, derives) = ("impl".to_owned(), Vec::new());
        Item {
            seen: Seen::InFile,
            kind,
            name,
            of_trait,
            derives,
            head: start..end,
            body: Some(body),
        }
    }

    fn visibility(&mut self) -> Seen {
        let before = self.at;
        if self.word() != "pub" {
            self.at = before;
            return Seen::InFile;
        }
        self.skip_space();
        if self.rest().starts_with('(') {
            self.at = closed(self.code, self.at);
            return Seen::InCrate;
        }
        Seen::Everywhere
    }

    fn rest(&self) -> &str {
        &self.code[self.at.min(self.end)..self.end]
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// The next word, which may be empty.
    fn word(&mut self) -> String {
        self.skip_space();
        let end = word_end(self.code, self.at).min(self.end);
        let word = self.code[self.at.min(end)..end].to_owned();
        self.at = end;
        word
    }

    /// Where one of `stops` stands next, outside of brackets.
    fn until(&self, stops: &[u8]) -> usize {
        let mut at = self.at;
        while at < self.end {
            let byte = self.code.as_bytes()[at];
            if stops.contains(&byte) {
                return at;
            }
            at = if b"([{".contains(&byte) { closed(self.code, at) } else { at + 1 };
        }
        self.end
    }
}

fn use_tree(seen: Seen, before: &[String], tree: &str, uses: &mut Vec<Use>) {
    let tree = tree.trim().trim_start_matches("::");
    let open = tree.find('{');
    let mut path = before.to_vec();
    let head = &tree[..open.unwrap_or(tree.len())];
    let (head, renamed) = head.split_once(" as ").unwrap_or((head, ""));
    path.extend(head.split("::").map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned));
    if let Some(open) = open {
        for each in split(&tree[open + 1..closed(tree, open) - 1], ',') {
            use_tree(seen, &path, &each, uses);
        }
        return;
    }
    if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
        path.pop();
    }
    let name =
        if renamed.is_empty() { path.last().cloned() } else { Some(renamed.trim().to_owned()) };
    uses.extend(name.map(|name| Use { seen, path, name }));
}

/// The parts between `by`, outside of brackets; an arrow is no bracket.
pub(crate) fn split(text: &str, by: char) -> Vec<String> {
    let (mut parts, mut depth, mut before) = (vec![String::new()], 0, ' ');
    for character in text.chars() {
        match character {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '>' if before != '-' && before != '=' => depth -= 1,
            _ => {}
        }
        before = character;
        match parts.last_mut() {
            Some(last) if depth != 0 || character != by => last.push(character),
            _ => parts.push(String::new()),
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

fn without_generics(text: &str) -> String {
    let (mut kept, mut depth, mut before) = (String::new(), 0, ' ');
    for character in text.chars() {
        let arrow = character == '>' && before == '-';
        depth += i32::from(character == '<');
        if depth == 0 {
            kept.push(if character.is_whitespace() { ' ' } else { character });
        }
        depth -= i32::from(character == '>' && !arrow);
        before = character;
    }
    kept
}

/// The last word of a path: `Wait` of `super::Wait<'_>`.
fn last_word(text: &str) -> String {
    let mut words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.rfind(|word| !word.is_empty()).unwrap_or("").to_owned()
}
