//! Reads a file or a text into a [`Config`].

use std::{collections::BTreeSet, fs::File, io::Read, path::Path};

use toml::de::DeTable;

use super::{
    compile,
    error::{ConfigErrors, ErrorKind, Position},
    model::Config,
    reader::Context,
};

/// The largest file that is read.
const MAX_SIZE: u64 = 64 << 20;

impl Config {
    /// Reads and compiles a file. Paths in it are relative to its folder; `env:` reads the environment of the
    /// process.
    ///
    /// # Errors
    /// Every error in the file at once.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        Self::load_with(path, &|name| std::env::var(name).ok())
    }

    /// Reads and compiles a file, with `env` instead of the environment of the process.
    ///
    /// # Errors
    /// Every error in the file at once.
    pub fn load_with(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let unreadable = |message: String| ConfigErrors::unreadable(path, None, message);
        let mut bytes = Vec::new();
        File::open(path).and_then(|file| file.take(MAX_SIZE + 1).read_to_end(&mut bytes)).map_err(
            |error| {
                unreadable(format!("cannot read the configuration: {error}; name another file with --config"))
            },
        )?;
        if bytes.len() as u64 > MAX_SIZE {
            return Err(unreadable("the configuration is larger than 64 MiB".to_owned()));
        }
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text,
            Err(error) => {
                let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
                let position = Position { line: u32::try_from(line).unwrap_or(u32::MAX), column: 1 };
                let message = "not UTF-8 in this line, and TOML must be: save the file as UTF-8".to_owned();
                return Err(ConfigErrors::unreadable(path, Some(position), message));
            }
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self::parse(text, path, folder, env)
    }

    /// Compiles a text. `file_name` appears in errors, relative paths start at `base_dir`, `env` looks up
    /// `env:NAME`.
    ///
    /// # Errors
    /// Every error in the text at once.
    pub fn parse(
        text: &str,
        file_name: &Path,
        base_dir: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigErrors> {
        let (root, syntax) = DeTable::parse_recoverable(text);
        let cx = Context::new(file_name, base_dir, env, text);
        let mut broken_lines = BTreeSet::new();
        for error in &syntax {
            // The error's own Display quotes the line, which may contain a secret.
            let position = cx.position(error.span().map_or(0, |span| span.start));
            if broken_lines.insert(position.line) {
                cx.report(ErrorKind::Syntax, position, "", None, format!("not TOML: {}", error.message()));
            }
        }
        let config = cx.document(root.get_ref(), |root| compile::config(root, file_name));
        let (files, warnings) = (cx.files(), cx.take_warnings());
        let mut problems = cx.into_problems();
        if !broken_lines.is_empty() {
            // The content of a broken line is lost. A key that seems missing may be on it, and errors about
            // the line itself would be about what the parser made of it.
            problems.retain(|error| {
                error.kind == ErrorKind::Syntax
                    || !matches!(
                        error.kind,
                        ErrorKind::MissingKey | ErrorKind::UnknownName | ErrorKind::Conflict
                    ) && error.position.is_none_or(|position| !broken_lines.contains(&position.line))
            });
        }
        match (config, ConfigErrors::collect(problems)) {
            (Some(config), None) => Ok(Self { files, warnings, ..config }),
            (_, Some(errors)) => Err(errors),
            // A value is left out only after an error was reported. If that ever fails, the file is still
            // refused.
            (None, None) => Err(ConfigErrors::unreadable(
                file_name,
                None,
                "the configuration could not be compiled; please report this as a bug".to_owned(),
            )),
        }
    }
}
