//! `include`: which files are read, and the positions in errors.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::config::ErrorKind;

/// A folder with a main file and others.
struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text.replace("HASH", HASH)).unwrap();
        }
        Self(folder)
    }

    fn main(&self) -> PathBuf {
        self.0.path().join("gateway.toml")
    }

    fn load(&self) -> Result<Config, ConfigErrors> {
        Config::load_with(&self.main(), &|_| None)
    }

    /// The errors, with the folder taken off their paths.
    fn errors(&self) -> Vec<String> {
        let folder = format!("{}/", self.0.path().display());
        let errors = self.load().unwrap_err();
        errors.iter().map(|error| error.to_string().replace(&folder, "")).collect()
    }
}

const MAIN: &str = "include = [\"conf.d/*.toml\", \"extra.toml\"]\n[scopes]\nread = \"Read\"\n\
    [upstreams.a]\nservers = [\"http://127.0.0.1:1\"]\n[[routes]]\npath = \"/first\"\nupstream = \"a\"\n";

#[test]
fn the_tables_of_all_files_are_joined_in_the_order_of_their_names() {
    let files = Files::new(&[
        ("gateway.toml", MAIN),
        (
            "conf.d/20-b.toml",
            "[[routes]]\npath = \"/third\"\nupstream = \"b\"\n[clients.b]\nsecret = \"HASH\"\n",
        ),
        (
            "conf.d/10-a.toml",
            "[upstreams.b]\nservers = [\"http://127.0.0.1:2\"]\n[[routes]]\npath = \"/second\"\nscopes = [\"read\"]\n\
             upstream = \"b\"\n[server.limits]\nmax_headers = 7\n",
        ),
        ("conf.d/.hidden.toml", "nonsense"),
        ("conf.d/notes.txt", "nonsense"),
        ("extra.toml", "[scopes]\nwrite = \"Write\"\n[server]\nthreads = 3\n"),
    ]);
    let config = files.load().unwrap_or_else(|errors| panic!("{errors}"));
    let paths: Vec<&str> = config.routes.iter().map(|route| route.path.as_str()).collect();
    assert_eq!(paths, ["/first", "/second", "/third"]);
    assert_eq!(config.server.limits.max_headers, 7);
    assert_eq!(config.server.threads.map(usize::from), Some(3));
    assert_eq!(config.scopes.len(), 2);
    assert_eq!(config.clients[0].id.as_str(), "b");
    let in_folder = |name: &str| files.0.path().join(name);
    assert_eq!(
        config.included,
        ["conf.d/10-a.toml", "conf.d/20-b.toml", "extra.toml"].map(in_folder),
        "in the order of the patterns, and of the names"
    );
    // The folder is watched, so that new files are noticed.
    assert!(config.files.contains(&in_folder("conf.d")), "{:?}", config.files);
    assert_eq!(config.file_of(config.routes[0].position), files.main());
    assert_eq!(config.file_of(config.routes[2].position), in_folder("conf.d/20-b.toml"));
    assert_eq!(config.routes[2].position.line, 1);
}

#[test]
fn every_error_names_its_file_line_and_column() {
    let files = Files::new(&[
        ("gateway.toml", &MAIN.replace("\"Read\"", "7")),
        ("conf.d/a.toml", "# ü\n[clients.a]\nsecret = \"HASH\"\nscopes = [\"ü\", \"raed\"]\n"),
        ("conf.d/b.toml", "[[routes]]\npath = \"/first\"\nupstream = \"a\"\n[upstreams.c]\nservres = []\n"),
        (
            "extra.toml",
            "include = [\"more.toml\"]\n[scopes]\nread = \"Again\"\n[upstreams.a]\nservers = []\n",
        ),
    ]);
    let errors = files.errors();
    let expected = [
        ("gateway.toml:3:8: scopes.read", "must be a description"),
        ("conf.d/a.toml:4:11: clients.a.scopes[0]", ""),
        ("conf.d/a.toml:4:16: clients.a.scopes[1]", "did you mean"),
        ("conf.d/b.toml:1:1: routes", "as the route at gateway.toml:6:1"),
        ("conf.d/b.toml:5:1: upstreams.c.servres", "did you mean `servers`"),
        ("extra.toml:1:1: include", "only the main file includes others"),
        ("extra.toml:3:1: scopes.read", "is at gateway.toml:3:1 already"),
        ("extra.toml:4:12: upstreams.a", "is at gateway.toml:4:12 already"),
    ];
    for (place, text) in expected {
        assert!(
            errors.iter().any(|error| error.starts_with(place) && error.contains(text)),
            "{place} {text}\n{errors:#?}"
        );
    }
}

#[test]
fn a_line_that_is_not_toml_is_found_in_its_file() {
    let files = Files::new(&[
        ("gateway.toml", "include = [\"a.toml\", \"b.toml\"]\n"),
        ("a.toml", "[scopes]\nread = \"Read\"\n"),
        ("b.toml", "\n\n[scopes\nwrite = 7\n"),
    ]);
    let errors = files.errors();
    assert!(errors[0].starts_with("b.toml:3:") && errors[0].contains("not TOML"), "{errors:#?}");
}

#[test]
fn files_that_cannot_be_included_are_errors_of_the_pattern() {
    for (include, kind, text) in [
        ("\"missing.toml\"", ErrorKind::FileUnavailable, "cannot read"),
        ("\"nowhere/*.toml\"", ErrorKind::FileUnavailable, "cannot list the folder"),
        ("\"*/a.toml\"", ErrorKind::InvalidValue, "only behind the last slash"),
        ("\"*.toml\"", ErrorKind::Conflict, "the file that it is in"),
        ("\"gateway.toml\"", ErrorKind::Conflict, "the file that it is in"),
        ("\"latin1\"", ErrorKind::FileUnavailable, "line 2: not UTF-8"),
        ("\"\"", ErrorKind::InvalidValue, "is empty"),
        ("7", ErrorKind::WrongType, "must be the path of a file"),
    ] {
        let files = Files::new(&[("gateway.toml", &format!("include = [{include}]\n"))]);
        fs::write(files.0.path().join("latin1"), b"# a\n# \xe9\n").unwrap();
        let errors = files.load().unwrap_err();
        let error = errors.iter().next().unwrap();
        assert_eq!((error.kind, error.position.unwrap().column), (kind, 12), "{errors}");
        assert!(error.to_string().contains(text), "{errors}");
        assert_eq!(errors.len(), 1, "{errors}");
    }
    let files = Files::new(&[
        ("gateway.toml", "include = [\"conf.d/*.toml\", \"conf.d/a.toml\"]\n"),
        ("conf.d/a.toml", "[scopes]\na = \"A\"\n"),
    ]);
    assert_eq!(files.load().unwrap().included.len(), 1, "a file is included once");
}
