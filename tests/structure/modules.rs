//! The modules of a crate: their files, their imports, and the meaning of their paths.

use crate::tokens::{Kind, Token, tokens};
use std::collections::{BTreeMap, BTreeSet};

/// Files by their path below `src/`.
pub(crate) type Files = BTreeMap<String, String>;

#[derive(Default)]
pub(crate) struct Module {
    pub(crate) file: String,
    /// `crate`, `crate::oauth`, and so on.
    pub(crate) path: String,
    /// The module is compiled for tests only.
    pub(crate) test: bool,
    pub(crate) imports: Vec<Import>,
    /// Paths in code, each with its line.
    pub(crate) paths: Vec<(Vec<String>, usize)>,
    /// Every word in code outside of imports.
    pub(crate) words: BTreeSet<String>,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    definitions: BTreeSet<String>,
}

/// One name that a `use` brings in.
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
    /// `pub`, `pub(crate)`, and so on.
    pub(crate) reexport: bool,
    /// `None` for `*`.
    name: Option<String>,
}

/// What a path means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Module(usize),
    /// An item of this module.
    Item(usize, String),
}

pub(crate) struct Crate {
    pub(crate) modules: Vec<Module>,
    /// The files that some module is in.
    pub(crate) reached: BTreeSet<String>,
}

impl Crate {
    /// Reads the crate whose root is `lib.rs`.
    pub(crate) fn read(files: &Files) -> Result<Crate, String> {
        let mut reader = Reader { files, krate: Crate { modules: Vec::new(), reached: BTreeSet::new() } };
        let root = Module { file: "lib.rs".into(), path: "crate".into(), ..Module::default() };
        reader.file(root, "")?;
        Ok(reader.krate)
    }

    /// Resolves a path that `module` writes, through re-exports, to where the item is defined.
    /// Returns `None` for a path into another crate, and for a name that only a local scope knows.
    pub(crate) fn resolve(&self, module: usize, path: &[String]) -> Option<Target> {
        self.resolve_once(module, path, &mut BTreeSet::new())
    }

    fn resolve_once<'a>(
        &'a self,
        module: usize,
        path: &'a [String],
        seen: &mut BTreeSet<(usize, &'a str)>,
    ) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let mut target = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(module),
            "super" => Target::Module(self.modules[module].parent?),
            name => self.look_up(module, name, seen)?,
        };
        for segment in rest {
            let Target::Module(here) = target else { break };
            target = match segment.as_str() {
                "super" => Target::Module(self.modules[here].parent?),
                name => self
                    .look_up(here, name, seen)
                    // A macro defines it, or it comes from another crate.
                    .unwrap_or_else(|| Target::Item(here, name.to_owned())),
            };
        }
        Some(target)
    }

    fn look_up<'a>(
        &'a self,
        module: usize,
        name: &'a str,
        seen: &mut BTreeSet<(usize, &'a str)>,
    ) -> Option<Target> {
        // `use clap;` would look for itself.
        if !seen.insert((module, name)) {
            return None;
        }
        let here = &self.modules[module];
        if let Some(child) = here.children.get(name) {
            return Some(Target::Module(*child));
        }
        if here.definitions.contains(name) {
            return Some(Target::Item(module, name.to_owned()));
        }
        if let Some(import) = here.imports.iter().find(|import| import.name.as_deref() == Some(name)) {
            return self.resolve_once(module, &import.path, seen);
        }
        here.imports.iter().filter(|import| import.name.is_none()).find_map(|glob| {
            match self.resolve_once(module, &glob.path, seen)? {
                Target::Module(from) => self.look_up(from, name, seen),
                Target::Item(..) => None,
            }
        })
    }
}

struct Reader<'a> {
    files: &'a Files,
    krate: Crate,
}

impl Reader<'_> {
    /// Reads the file of `module`, whose children are in `folder` (with its slash).
    fn file(&mut self, module: Module, folder: &str) -> Result<usize, String> {
        let source = self.files.get(&module.file).ok_or_else(|| format!("there is no {}", module.file))?;
        self.krate.reached.insert(module.file.clone());
        let (index, test) = (self.add(module), false);
        self.items(index, &tokens(source), test, folder)?;
        Ok(index)
    }

    fn add(&mut self, module: Module) -> usize {
        self.krate.modules.push(module);
        self.krate.modules.len() - 1
    }

    /// Reads the items of a module. `test` says that the items are for tests only.
    fn items(&mut self, module: usize, all: &[Token], test: bool, folder: &str) -> Result<(), String> {
        let mut test = test || self.krate.modules[module].test;
        let (mut at, mut depth, mut reexport, mut file) = (0, 0_usize, false, None);
        while let Some(token) = all.get(at) {
            let next = all.get(at + 1);
            let after_path = at > 0 && (all[at - 1].is("::") || all[at - 1].is("."));
            match token.text {
                "#" if token.kind == Kind::Mark => {
                    let inner = next.is_some_and(|next| next.is("!"));
                    let open = at + 1 + usize::from(inner);
                    let end = closing(all, open);
                    let attribute = &all[open..end];
                    at = end + 1;
                    if let [_, name, equals, value] = attribute
                        && name.is_word("path")
                        && equals.is("=")
                    {
                        file = Some(value.text.to_owned());
                    }
                    if is_test_only(attribute) {
                        if inner {
                            test = true;
                        } else {
                            let end = item_end(all, at);
                            self.items(module, &all[at..end], true, folder)?;
                            at = end;
                        }
                    }
                    continue;
                }
                "pub" if token.kind == Kind::Word => {
                    reexport = true;
                    let inside = all.get(at + 2).map_or("", |token| token.text);
                    at += 1;
                    if next.is_some_and(|next| next.is("("))
                        && ["crate", "super", "self", "in"].contains(&inside)
                    {
                        at = closing(all, at) + 1;
                    }
                    continue;
                }
                "use" if token.kind == Kind::Word && !next.is_some_and(|next| next.is("<")) => {
                    let end = item_end(all, at);
                    let mut found = Vec::new();
                    use_tree(&all[at + 1..end - 1], &[], reexport, &mut found);
                    if !test {
                        self.krate.modules[module].imports.append(&mut found);
                    }
                    at = end;
                }
                "mod" if token.kind == Kind::Word && next.is_some_and(|next| next.kind == Kind::Word) => {
                    at = self.child(module, all, at, test, folder, file.take())?;
                }
                "{" | "}" if token.kind == Kind::Mark => {
                    depth = if token.is("{") { depth + 1 } else { depth.saturating_sub(1) };
                    at += 1;
                }
                _ if token.kind == Kind::Word && !after_path => {
                    let path = path(&all[at..]);
                    if !test {
                        let here = &mut self.krate.modules[module];
                        if let Some(name) = next
                            && depth == 0
                            && defines(token.text)
                            && name.kind == Kind::Word
                        {
                            here.definitions.insert(name.text.to_owned());
                            // The name of an item in its own definition is not a use of it.
                            at += 1;
                        } else if path.len() > 1 {
                            here.paths.push((path.clone(), token.line));
                        }
                        here.words.insert(path[0].clone());
                    }
                    at += 2 * path.len() - 1;
                }
                _ => at += 1,
            }
            reexport = false;
        }
        Ok(())
    }

    /// Reads the module that `mod` at `at` declares, and returns where the declaration ends.
    fn child(
        &mut self,
        parent: usize,
        all: &[Token],
        at: usize,
        test: bool,
        folder: &str,
        file: Option<String>,
    ) -> Result<usize, String> {
        let name = all[at + 1].text;
        let path = format!("{}::{name}", self.krate.modules[parent].path);
        let mut module = Module { path, test, parent: Some(parent), ..Module::default() };
        let below = format!("{folder}{name}/");
        let (index, end) = if all.get(at + 2).is_some_and(|token| token.is("{")) {
            module.file = self.krate.modules[parent].file.clone();
            let (index, end) = (self.add(module), closing(all, at + 2));
            self.items(index, &all[at + 3..end], test, &below)?;
            (index, end + 1)
        } else {
            // `#[path]` starts at the folder of the file that it is written in.
            let beside = self.krate.modules[parent].file.rsplit_once('/').map_or("", |(folder, _)| folder);
            module.file = match file {
                Some(file) if beside.is_empty() => file,
                Some(file) => format!("{beside}/{file}"),
                None if self.files.contains_key(&format!("{below}mod.rs")) => format!("{below}mod.rs"),
                None => format!("{folder}{name}.rs"),
            };
            (self.file(module, &below)?, at + 3)
        };
        self.krate.modules[parent].children.insert(name.to_owned(), index);
        Ok(end)
    }
}

/// Returns whether this keyword comes before the name of an item that it defines.
fn defines(keyword: &str) -> bool {
    ["fn", "struct", "enum", "union", "trait", "type", "const", "static"].contains(&keyword)
}

/// The words of a path at the start of these tokens.
fn path(all: &[Token]) -> Vec<String> {
    let mut path = vec![all[0].text.to_owned()];
    for pair in all[1..].chunks_exact(2) {
        if !pair[0].is("::") || pair[1].kind != Kind::Word {
            break;
        }
        path.push(pair[1].text.to_owned());
    }
    path
}

/// The names that the tree after `use` brings in.
fn use_tree(tree: &[Token], prefix: &[String], reexport: bool, found: &mut Vec<Import>) {
    let (mut path, mut at) = (prefix.to_vec(), 0);
    while let Some(token) = tree.get(at) {
        if token.is("{") {
            let inside = &tree[at + 1..closing(tree, at)];
            let mut start = 0;
            for end in 0..=inside.len() {
                let nested = inside[start..end].iter().filter(|t| t.is("{")).count()
                    > inside[start..end].iter().filter(|t| t.is("}")).count();
                if !nested && inside.get(end).is_none_or(|token| token.is(",")) {
                    use_tree(&inside[start..end], &path, reexport, found);
                    start = end + 1;
                }
            }
            return;
        }
        if token.is("*") {
            found.push(Import { path, line: token.line, reexport, name: None });
            return;
        }
        if token.is_word("as") {
            break;
        }
        // `{self}` is the module itself.
        if token.kind == Kind::Word && (token.text != "self" || path.is_empty()) {
            path.push(token.text.to_owned());
        }
        at += 1;
    }
    if let (Some(last), Some(first)) = (path.last(), tree.first()) {
        let name = tree.get(at + 1).map_or(last.as_str(), |renamed| renamed.text).to_owned();
        found.push(Import { line: first.line, reexport, name: Some(name), path });
    }
}

/// The index of the bracket that closes the one at `open`.
fn closing(all: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in all.iter().enumerate().skip(open).filter(|(_, token)| token.kind == Kind::Mark) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth == 1 => return at,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
    }
    all.len()
}

/// The index after the item, statement, field or match arm at `start`.
fn item_end(all: &[Token], start: usize) -> usize {
    let mut at = start;
    let mut keyword = None;
    while let Some(token) = all.get(at) {
        keyword = keyword.or((token.kind == Kind::Word && token.text != "pub").then_some(token.text));
        let with_semicolon =
            keyword.is_some_and(|word| ["use", "let", "const", "static", "type"].contains(&word));
        let is_item = with_semicolon
            || keyword.is_some_and(|word| {
                defines(word) || ["mod", "impl", "async", "extern", "macro_rules"].contains(&word)
            });
        match token.text {
            _ if token.kind != Kind::Mark => at += 1,
            "#" | "(" | "[" => at = closing(all, at + usize::from(token.is("#"))) + 1,
            "{" if with_semicolon => at = closing(all, at) + 1,
            "{" => return (closing(all, at) + 1).min(all.len()),
            ";" => return at + 1,
            "," if !is_item => return at + 1,
            "}" | ")" | "]" => return at,
            _ => at += 1,
        }
    }
    all.len()
}

/// Whether an attribute (with its opening bracket) is `cfg(test)` or `cfg(all(test, …))`.
fn is_test_only(attribute: &[Token]) -> bool {
    let words: Vec<&str> = attribute.iter().skip(1).map(|token| token.text).take(5).collect();
    words.starts_with(&["cfg", "(", "test"]) || words.starts_with(&["cfg", "(", "all", "(", "test"])
}
