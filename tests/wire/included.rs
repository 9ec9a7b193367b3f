//! A configuration in several files.

use crate::support::config::cheap_hash;
use crate::support::{Config, Conn, Gateway, get, run, shared};
use std::fs;

#[test]
fn included_files_are_watched_and_edited() {
    let config = Config::standard(shared().upstream.address()).text();
    let text = format!("include = [\"conf.d/*.toml\"]\n{config}");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let folder = elsewhere.path().join("conf.d");
    fs::create_dir(&folder).expect("a folder");
    let text = text.replace("conf.d/", &format!("{}/", folder.display()));
    let gateway = Gateway::start_text(&text, &[]);
    let code = |path: &str| Conn::plain(gateway.plain()).request(get(path, &[])).code();
    let route =
        |path: &str| format!("[[routes]]\npath = \"{path}\"\naccess = \"public\"\nupstream = \"api\"\n");
    assert_eq!(code("/from-a-file"), 404);

    // A new file.
    fs::write(folder.join("a.toml"), route("/from-a-file")).expect("a file");
    gateway.wait_until_written("reloaded:", 0);
    assert_eq!(code("/from-a-file"), 200);

    // A new file with an error changes nothing. It is read again when it is corrected.
    let bad = folder.join("b.toml");
    fs::write(&bad, "[[routes]]\npath = \"/from-b\"\nupstream = \"nowhere\"\n").expect("a file");
    gateway.wait_until_written(&format!("{}:3:12: routes[", bad.display()), 0);
    assert_eq!((code("/from-a-file"), code("/from-b")), (200, 404));
    let before = gateway.times_written("reloaded:");
    fs::write(&bad, route("/from-b")).expect("a file");
    gateway.wait_until_written("reloaded:", before);
    assert_eq!(code("/from-b"), 200);

    // A client in an included file is changed there.
    let hash = cheap_hash("a-secret-of-the-test");
    let clients = folder.join("c.toml");
    fs::write(&clients, format!("[clients.included]\nsecret = \"{hash}\"\nscopes = [\"read\"]\n"))
        .expect("a file");
    let output = run(gateway.dir(), &["client", "disable", "included", "--config", "gateway.toml"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(fs::read_to_string(&clients).expect("the file").contains("enabled = false"));
}
