//! The imports between files, and the cycles among them.

use crate::modules::{Crate, Target};
use std::collections::{BTreeMap, BTreeSet};

/// What one file imports from another: items, each with the first line that names it.
pub(crate) type Items = BTreeMap<String, usize>;

/// Imports by file, then by the file that the item is defined in.
pub(crate) type Imports = BTreeMap<String, BTreeMap<String, Items>>;

/// Collects the imports of all code that is not for tests.
pub(crate) fn imports(krate: &Crate) -> Imports {
    let mut found = Imports::new();
    for (index, module) in krate.modules.iter().enumerate().filter(|(_, module)| !module.test) {
        let uses = module.imports.iter().map(|import| (&import.path, import.line, import.reexport));
        let paths = module.paths.iter().map(|(path, line)| (path, *line, false));
        for (path, line, reexport) in uses.chain(paths) {
            // The import of a module alone does not count. The items that are named through it do.
            let Some(Target::Item(from, item)) = krate.resolve(index, path) else { continue };
            let from = &krate.modules[from];
            let below = from.path.strip_prefix(&module.path).is_some_and(|rest| rest.starts_with("::"));
            // A module that only re-exports an item of a submodule does not depend on it.
            if from.file == module.file || (reexport && below && !module.words.contains(&item)) {
                continue;
            }
            let items = found.entry(module.file.clone()).or_default().entry(from.file.clone()).or_default();
            let first = items.entry(item).or_insert(line);
            *first = line.min(*first);
        }
    }
    found
}

/// The groups of files that import each other, directly or through others of the group.
pub(crate) fn cycles(imports: &Imports) -> Vec<BTreeSet<&str>> {
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        imports.keys().map(|file| (file.as_str(), reachable(imports, file))).collect();
    let mut groups = BTreeSet::new();
    for (file, reached) in &reach {
        let group: BTreeSet<&str> = reached
            .iter()
            .copied()
            .filter(|other| reach.get(other).is_some_and(|back| back.contains(file)))
            .collect();
        if !group.is_empty() {
            groups.insert(group);
        }
    }
    groups.into_iter().collect()
}

fn reachable<'a>(imports: &'a Imports, start: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(file) = open.pop() {
        for next in imports.get(file).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    reached
}

/// Imports of a group whose removal opens all its cycles: few, but not always the fewest.
///
/// The files are put in an order in which most imports lead forward (Eades, Lin and Smyth, 1993); the others
/// are the answer.
pub(crate) fn backward<'a>(imports: &Imports, group: &BTreeSet<&'a str>) -> Vec<(&'a str, &'a str)> {
    let weight = |file: &str, from: &str| {
        imports.get(file).and_then(|all| all.get(from)).map_or(0, |items| items.len())
    };
    let (mut first, mut last, mut rest) = (Vec::new(), Vec::new(), group.clone());
    let mut next = |rest: &BTreeSet<&'a str>| {
        let sums = rest.iter().map(|file| {
            let imported: usize = rest.iter().map(|other| weight(file, other)).sum();
            let importing: usize = rest.iter().map(|other| weight(other, file)).sum();
            (*file, imported, importing)
        });
        let sums: Vec<_> = sums.collect();
        if let Some((file, ..)) = sums.iter().find(|(_, imported, _)| *imported == 0) {
            last.push(*file);
            return Some(*file);
        }
        let (file, ..) = sums.iter().max_by_key(|(_, imported, importing)| {
            (*importing == 0, imported.cast_signed() - importing.cast_signed())
        })?;
        first.push(*file);
        Some(*file)
    };
    while let Some(file) = next(&rest) {
        rest.remove(file);
    }
    let order: Vec<&str> = first.into_iter().chain(last.into_iter().rev()).collect();
    let pairs =
        order.iter().enumerate().flat_map(|(at, file)| order[..at].iter().map(move |from| (*file, *from)));
    pairs.filter(|(file, from)| weight(file, from) > 0).collect()
}
