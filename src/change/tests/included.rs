//! Clients in files that the main file includes.

use super::*;

/// A main file, and two that it includes.
fn folder(main: &str, one: &str, two: &str) -> Fixture {
    let fixture = Fixture::new(&format!("include = [\"conf.d/*.toml\"]\n{main}"));
    fs::create_dir(fixture.dir.path().join("conf.d")).unwrap();
    for (name, text) in [("1.toml", one), ("2.toml", two)] {
        fs::write(fixture.dir.path().join("conf.d").join(name), expand(text)).unwrap();
    }
    fixture
}

fn text(fixture: &Fixture, name: &str) -> String {
    fs::read_to_string(fixture.dir.path().join("conf.d").join(name))
        .unwrap()
        .replace(OLD, "OLD")
        .replace(NEW, "NEW")
}

#[test]
fn a_client_is_changed_where_it_is() {
    let one = "# of team one\n[clients.one]\nsecret = \"OLD\"\n";
    let two = "[clients.two]\nsecret = \"OLD\"\n";
    let fixture = folder("[scopes]\nread = \"r\"\n", one, two);
    let main = fixture.text();
    fixture.edit(|file| file.set_enabled("one", false, now())).unwrap();
    assert_eq!(
        text(&fixture, "1.toml"),
        "# of team one\n[clients.one]\nsecret = \"OLD\"\nenabled = false\ntoken_generation = 1795422600000\n"
    );
    fixture
        .edit(|file| {
            file.rotate("two", &Rotation { hash: &hash(), keep_old: None, now: now(), revoke_tokens: false })
        })
        .unwrap();
    assert_eq!(text(&fixture, "2.toml"), "[clients.two]\nsecret = \"NEW\"\n");
    fixture.edit(|file| file.remove_client("one")).unwrap();
    assert!(!text(&fixture, "1.toml").contains("clients.one"));
    assert_eq!(fixture.text(), main);
    let unknown = fixture.edit(|file| file.remove_client("three")).unwrap_err();
    assert!(matches!(unknown, EditError::Conflict(Conflict::Missing(Kind::Client, ..))), "{unknown}");
}

#[test]
fn a_client_is_added_where_the_others_are() {
    let fixture = folder("[scopes]\nread = \"r\"\n", "[clients.one]\nsecret = \"OLD\"\n", "");
    fixture.add("new").unwrap();
    assert!(text(&fixture, "1.toml").contains("[clients.new]"));
    assert!(matches!(fixture.add("one"), Err(EditError::Conflict(Conflict::Exists(Kind::Client, _)))));

    let fixture = folder(
        "[scopes]\nread = \"r\"\n[clients.main]\nsecret = \"OLD\"\n",
        "[clients.one]\nsecret = \"OLD\"\n",
        "",
    );
    fixture.add("new").unwrap();
    assert!(fixture.text().contains("[clients.new]"));
    assert!(
        matches!(fixture.add("one"), Err(EditError::Conflict(Conflict::Exists(Kind::Client, _)))),
        "also one of another file"
    );
}

#[test]
fn a_change_that_another_file_contradicts_is_not_made() {
    let fixture = folder(
        "",
        "[clients.one]\nsecret = \"OLD\"\n",
        "[clients.two]\nsecret = \"OLD\"\nscopes = [\"none\"]\n",
    );
    let before = text(&fixture, "1.toml");
    let error = fixture.edit(|file| file.set_enabled("one", false, now())).unwrap_err();
    assert!(error.to_string().contains("2.toml:3:11"), "{error}");
    assert_eq!(text(&fixture, "1.toml"), before);
}
