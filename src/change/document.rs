//! A configuration that is open for changes in memory. Text outside a change is preserved.

use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, InlineTable, Item, Key, Table, TableLike, Value};

use super::conflict::Conflict;
use super::layout;
use super::table::insert_last;
use super::texts::Texts;

/// The files of a configuration, parsed so that comments and order survive a change.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// The main file comes first.
    files: Vec<DocumentFile>,
    /// The file in which the last change was made.
    current: usize,
}

#[derive(Debug, Clone)]
struct DocumentFile {
    path: PathBuf,
    /// The name of the file, in the form of [`Texts::named`].
    name: PathBuf,
    /// The text before the changes.
    text: String,
    /// The parsed file. Empty if the file cannot be changed.
    document: DocumentMut,
    /// The reason why the file cannot be changed: the first line that the editor would rewrite, if it is
    /// known.
    unfaithful: Option<Option<usize>>,
}

impl DocumentFile {
    fn new(path: PathBuf, name: PathBuf, text: String) -> Self {
        let plain = layout::plain(&text);
        let (document, unfaithful) = match plain.parse::<DocumentMut>() {
            Ok(document) => match layout::first_difference(&plain, &document.to_string()) {
                None => (document, None),
                Some(line) => (document, Some(Some(line))),
            },
            Err(_) => (DocumentMut::new(), Some(None)),
        };
        Self { path, name, text, document, unfaithful }
    }

    fn text(&self) -> String {
        match self.unfaithful {
            Some(_) => self.text.clone(),
            None => layout::keep_lines(&self.text, &self.document.to_string()),
        }
    }
}

impl Document {
    /// Parses the files of a configuration. A file that is not valid TOML cannot be changed.
    pub(crate) fn new(texts: &Texts) -> Self {
        let file = |(path, text): (&Path, &str)| {
            DocumentFile::new(path.to_owned(), texts.name(path), text.to_owned())
        };
        Self { files: texts.iter().map(file).collect(), current: 0 }
    }

    /// Returns the texts with all changes.
    pub(crate) fn texts(&self) -> Texts {
        Texts::new(self.files.iter().map(|file| (file.path.clone(), file.text())).collect())
    }

    /// Returns the path of the file that the last change was made in.
    pub(crate) fn path(&self) -> &Path {
        self.files.get(self.current).map_or(Path::new(""), |file| &file.path)
    }

    /// Checks that an edit of the main file preserves its other parts.
    pub(super) fn check_main(&self) -> Result<(), Conflict> {
        match self.files.first() {
            Some(DocumentFile { path, unfaithful: Some(line), .. }) => {
                Err(Conflict::Unfaithful(path.clone(), *line))
            }
            _ => Ok(()),
        }
    }

    /// Returns the path of the main file.
    pub(super) fn main_path(&self) -> &Path {
        self.files.first().map_or(Path::new(""), |file| &file.path)
    }

    /// Replaces the text of a file, or that of the main file if `name` is `None`.
    pub(super) fn replace_text(&mut self, name: Option<&str>, text: &str) -> Result<(), Conflict> {
        let at = match name {
            None => Some(0),
            Some(name) => self.files.iter().position(|file| file.name == Path::new(name)),
        };
        let Some((at, file)) = at.and_then(|at| Some((at, self.files.get_mut(at)?))) else {
            return Err(Conflict::NoSuchFile(name.unwrap_or_default().to_owned()));
        };
        if let Err(error) = layout::plain(text).parse::<DocumentMut>() {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            return Err(Conflict::Syntax(1 + before.matches('\n').count()));
        }
        *file = DocumentFile::new(file.path.clone(), file.name.clone(), text.to_owned());
        self.current = at;
        Ok(())
    }

    /// Iterates over the roots of all files, the main one first.
    pub(super) fn roots(&self) -> impl DoubleEndedIterator<Item = &Table> {
        self.files.iter().map(|file| file.document.as_table())
    }

    /// Selects the main file if `is_meant` accepts it, or else the last file that `is_meant` accepts. Selects
    /// the main file if `is_meant` accepts none.
    pub(super) fn turn_to(&mut self, is_meant: impl Fn(&Table) -> bool) -> Result<(), Conflict> {
        let main = self.files.first().is_some_and(|file| is_meant(file.document.as_table()));
        let last = self.files.iter().rposition(|file| is_meant(file.document.as_table()));
        self.current = if main { 0 } else { last.unwrap_or(0) };
        match self.files.get(self.current) {
            Some(DocumentFile { path, unfaithful: Some(line), .. }) => {
                Err(Conflict::Unfaithful(path.clone(), *line))
            }
            _ => Ok(()),
        }
    }

    /// Returns the document of the selected file.
    pub(super) fn current(&mut self) -> &mut DocumentMut {
        // The main file always exists.
        &mut self.files[self.current].document
    }

    /// Returns whether the selected file has no text yet.
    pub(super) fn is_blank(&self) -> bool {
        self.files.get(self.current).is_some_and(|file| file.text.trim().is_empty())
    }

    /// Returns the table with this name in the selected file. Creates the table if it does not exist.
    pub(super) fn table(&mut self, path: &[&str]) -> Result<(&mut dyn TableLike, bool), Conflict> {
        let not_a_table = || Conflict::NotATable(path.join("."));
        let mut inline = false;
        let mut table: &mut dyn TableLike = self.current().as_table_mut();
        for name in path {
            if table.get(name).is_none() {
                let item = if inline {
                    Item::Value(Value::InlineTable(InlineTable::new()))
                } else {
                    let mut made = Table::new();
                    made.set_implicit(true);
                    Item::Table(made)
                };
                table.insert(name, item);
            }
            let item = table.get_mut(name).ok_or_else(not_a_table)?;
            inline = item.is_inline_table();
            table = item.as_table_like_mut().ok_or_else(not_a_table)?;
        }
        Ok((table, inline))
    }

    /// Returns a position after every table of the selected file.
    pub(super) fn end(&mut self) -> isize {
        let tables = self.current().iter().filter_map(|(_, item)| layout::last_position(item));
        tables.max().unwrap_or(0) + 1
    }
}

impl Document {
    /// Adds a table after the last one in the table `parent`, as an inline table if the others are inline
    /// tables.
    pub(super) fn add_table(
        &mut self,
        parent: &[&str],
        name: &str,
        entries: Vec<(String, Value)>,
    ) -> Result<(), Conflict> {
        self.turn_to(|root| find(root, parent).is_some())?;
        let end = self.end();
        let blank = if self.is_blank() { "" } else { "\n" };
        let last = find(self.current().as_table(), parent).and_then(layout::last_position).unwrap_or(end);
        let (tables, inline) = self.table(parent)?;
        if inline {
            let table =
                entries.into_iter().map(|(key, value)| (Key::new(key), value)).collect::<InlineTable>();
            insert_last(tables, true, name, Value::InlineTable(table));
            return Ok(());
        }
        let mut table = Table::new();
        for (key, value) in entries {
            table.insert(&key, Item::Value(value));
        }
        table.set_position(Some(last));
        // The position is computed before the table is inserted. Afterwards, the table itself would be the
        // next one.
        let tail = layout::take_tail(self.current(), last);
        table.decor_mut().set_prefix(format!("{tail}{blank}"));
        self.table(parent)?.0.insert(name, Item::Table(table));
        Ok(())
    }

    /// Removes a key of the table `parent` in the selected file, with the comment directly above it.
    pub(super) fn remove_table(&mut self, parent: &[&str], name: &str) -> Result<(), Conflict> {
        let Some(removed) = self.table(parent)?.0.remove(name) else { return Ok(()) };
        if let Item::Table(table) = &removed
            && !table.is_dotted()
            && let (Some(first), Some(last)) = (table.position(), layout::last_position(&removed))
        {
            let above = table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
            layout::close_gap(self.current(), first, last, above);
        }
        Ok(())
    }
}

/// Returns the value at a path of keys.
pub(super) fn find<'t>(root: &'t Table, path: &[&str]) -> Option<&'t Item> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(root.get(first)?, |item, key| item.as_table_like()?.get(key))
}
