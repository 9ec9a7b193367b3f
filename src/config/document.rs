//! Reads a file or a text, and the files that it includes, into a [`Config`].

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use toml::de::DeTable;

use super::{
    compile,
    error::{ConfigErrors, ErrorKind},
    include::{self, Finding},
    model::Config,
    reader::{Context, Table},
    reading::{Reading, read_text},
    sources::Sources,
    variables::Variables,
};

/// The largest configuration that is read, with everything that it includes.
const MAX_SIZE: u64 = 64 << 20;

impl Config {
    /// Reads and compiles a file, and those that it includes. Paths in them are relative to its folder;
    /// `env:` reads the environment of the process.
    ///
    /// # Errors
    /// Every error at once.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        Self::load_with(path, &|name| std::env::var(name).ok())
    }

    /// Reads and compiles a file, with `env` instead of the environment of the process.
    ///
    /// # Errors
    /// Every error at once.
    pub fn load_with(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        load(path, &Reading { env, unset_secret: None, edited: &[] })
    }

    /// Compiles a text. `file_name` appears in errors, relative paths start at `base_dir`, `env` looks up
    /// `env:NAME`.
    ///
    /// # Errors
    /// Every error at once.
    pub fn parse(
        text: &str,
        file_name: &Path,
        base_dir: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigErrors> {
        read(text, file_name, base_dir, &Reading { env, unset_secret: None, edited: &[] })
    }

    /// Reads and compiles a file in order to describe or edit it. `unset_secret` stands for secrets whose
    /// environment variable is not set. `edited` has texts of files that are not written yet.
    ///
    /// # Errors
    /// Every error at once.
    #[cfg(feature = "gateway")]
    pub(crate) fn load_for_editing(
        path: &Path,
        unset_secret: &'static str,
        edited: &[(PathBuf, String)],
    ) -> Result<Self, ConfigErrors> {
        let env = |name: &str| std::env::var(name).ok();
        load(path, &Reading { env: &env, unset_secret: Some(unset_secret), edited })
    }

    /// Reads and compiles a file as [`load`](Self::load) does, with texts that are not written yet.
    ///
    /// # Errors
    /// Every error at once.
    #[cfg(feature = "gateway")]
    pub(crate) fn load_edited(path: &Path, edited: &[(PathBuf, String)]) -> Result<Self, ConfigErrors> {
        load(path, &Reading { env: &|name| std::env::var(name).ok(), unset_secret: None, edited })
    }
}

fn load(path: &Path, reading: &Reading<'_>) -> Result<Config, ConfigErrors> {
    let text = read_text(path, MAX_SIZE, reading).map_err(|(position, message)| {
        let message = match position {
            None => format!("cannot read the configuration: {message}; name another file with --config"),
            Some(_) => message,
        };
        ConfigErrors::unreadable(path, position, message)
    })?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    read(&text, path, folder, reading)
}

fn read(
    text: &str,
    file_name: &Path,
    base_dir: &Path,
    reading: &Reading<'_>,
) -> Result<Config, ConfigErrors> {
    let (mut root, syntax) = DeTable::parse_recoverable(text);
    let mut findings: Vec<Finding> = syntax.iter().map(Finding::syntax).collect();
    let main = base_dir.join(file_name.file_name().unwrap_or_default());
    let found = include::find(root.get_ref(), base_dir, &main, reading.env, &mut findings);
    let room = MAX_SIZE.saturating_sub(text.len() as u64);
    let included = include::read(&found.files, room, text.len(), reading, &mut findings);
    for file in &included {
        include::merge(root.get_mut(), file, &mut findings);
    }
    let sources = Sources::new(file_name, text, &included);
    let variables = Variables::find(root.get_ref(), reading.env);
    let cx = Context::new(&sources, &variables, base_dir, reading);
    found.files.iter().map(|file| &file.path).chain(&found.folders).for_each(|path| cx.names(path));
    let mut broken_lines = BTreeSet::new();
    for Finding { kind, at, key, value, message, elsewhere } in findings {
        let position = cx.position(at);
        if kind == ErrorKind::Syntax && !broken_lines.insert(position.line_in_file()) {
            continue;
        }
        let message = match elsewhere {
            Some(other) => message.replace('§', &cx.place(other)),
            None => message,
        };
        cx.report(kind, position, &key, value, message);
    }
    let config = Table::document(&cx, root.get_ref(), |root| compile::config(root, file_name));
    let (files, warnings) = (cx.files(), cx.take_warnings());
    let mut problems = cx.into_problems();
    if !broken_lines.is_empty() {
        // The content of a broken line is lost. A key that seems missing may be on it, and errors about
        // the line itself would be about what the parser made of it.
        problems.retain(|error| {
            error.kind == ErrorKind::Syntax
                || !matches!(error.kind, ErrorKind::MissingKey | ErrorKind::UnknownName | ErrorKind::Conflict)
                    && error.position.is_none_or(|position| !broken_lines.contains(&position.line_in_file()))
        });
    }
    let included: Vec<PathBuf> = included.into_iter().map(|file| file.path).collect();
    match (config, ConfigErrors::collect(problems)) {
        (Some(config), None) => Ok(Config { files, included, warnings, ..config }),
        (_, Some(errors)) => Err(errors.with_files(files)),
        // A value is left out only after an error was reported. If that ever fails, the file is still
        // refused.
        (None, None) => Err(ConfigErrors::unreadable(
            file_name,
            None,
            "the configuration could not be compiled; please report this as a bug".to_owned(),
        )),
    }
}
