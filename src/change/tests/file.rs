//! How a file is replaced: what others do at the same time, links, modes and folders.

use std::os::unix::fs::symlink;

use super::*;

#[test]
fn an_invalid_result_is_not_written() {
    let good = "[scopes]\nread = \"R\"\n[clients.a]\nsecret = \"OLD\"\n";
    let wrong = format!("{good}\n[serve]\n");
    let not_toml = format!("{good}secret : \"OLD\"\n");
    type Change = fn(&mut Document) -> Result<(), Conflict>;
    let table: [(&str, Change, &str); 9] = [
        (good, |file| add(file, "a"), "the client \"a\" already exists"),
        (good, |file| add(file, ""), "the changed file would have errors"),
        (good, |file| add(file, "ü"), "the changed file would have errors"),
        ("", |file| add(file, "b"), "[scopes]\n  read = \"What it allows\""),
        (good, |file| file.remove_client("b"), "there is no client \"b\" (did you mean \"a\"?)"),
        (good, |file| file.set_enabled("xyz", false, now()), "there is no client \"xyz\";"),
        (&wrong, |file| add(file, "b"), "the file already has errors"),
        (&not_toml, |file| add(file, "b"), "is not TOML"),
        ("clients = 1\nscopes.read = \"R\"\n", |file| add(file, "b"), "clients is not a table"),
    ];
    for (text, change, said) in table {
        let fixture = Fixture::new(text);
        let error = fixture.edit(change).expect_err(text);
        let shown = format!("{error}\n{error:?}");
        assert!(shown.contains(said), "{said:?} is not in\n{shown}");
        assert!(!shown.contains("argon2"), "a hash is shown\n{shown}");
        assert!(error.is_usage(), "{shown}");
        fixture.is(text);
        fixture.nothing_else_in_the_folder();
    }
}

#[test]
fn a_change_by_another_program_is_kept() {
    for how in ["written", "renamed"] {
        let fixture = Fixture::new("[scopes]\nread = \"R\"\n");
        let mut file = ConfigFile::open(&fixture.path).unwrap();
        add(file.document(), "b").unwrap();
        let theirs = "[scopes]\nread = \"S\"\n";
        if how == "written" {
            fs::write(&fixture.path, theirs).unwrap();
        } else {
            let beside = fixture.dir.path().join("theirs");
            fs::write(&beside, theirs).unwrap();
            fs::rename(&beside, &fixture.path).unwrap();
        }
        let error = file.save().unwrap_err();
        assert!(matches!(error, EditError::File(_, FileError::ChangedMeanwhile)), "{how}: {error}");
        assert!(!error.is_usage());
        fixture.is(theirs);
        fixture.nothing_else_in_the_folder();
    }
}

#[test]
fn edits_at_the_same_time_are_all_made() {
    let fixture = Fixture::new("[scopes]\nread = \"R\"\n");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let fixture = &fixture;
            scope.spawn(move || fixture.add(&format!("client-{number}")).unwrap());
        }
    });
    for number in 0..8 {
        assert!(fixture.text().contains(&format!("[clients.client-{number}]")), "{}", fixture.text());
    }
}

#[test]
fn a_link_stays_a_link_and_the_mode_stays() {
    let fixture = Fixture::new("[scopes]\nread = \"R\"\n");
    fs::set_permissions(&fixture.path, fs::Permissions::from_mode(0o640)).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("linked.toml");
    symlink(&fixture.path, &link).unwrap();
    let mut file = ConfigFile::open(&link).unwrap();
    add(file.document(), "b").unwrap();
    file.save().unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fixture.text().contains("[clients.b]"));
    let mode = fs::metadata(&fixture.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);
    let names = |dir: &Path| fs::read_dir(dir).unwrap().count();
    assert_eq!((names(fixture.dir.path()), names(elsewhere.path())), (1, 1));
}

#[test]
fn a_folder_without_write_permission_is_named() {
    let fixture = Fixture::new("[scopes]\nread = \"R\"\n");
    let mut file = ConfigFile::open(&fixture.path).unwrap();
    add(file.document(), "b").unwrap();
    // The folder is removed, because permissions do not stop a privileged user.
    fs::remove_dir_all(fixture.dir.path()).unwrap();
    let error = file.save().unwrap_err();
    assert!(matches!(error, EditError::File(_, FileError::Folder(..))) && !error.is_usage(), "{error:?}");
    let (error, folder) = (error.to_string(), fixture.dir.path().display().to_string());
    assert!(error.contains(&format!("no file can be created in {folder}")), "{error}");
}

#[test]
fn a_file_that_cannot_be_replaced_is_explained() {
    let busy = FileError::Write(std::io::ErrorKind::ResourceBusy.into()).to_string();
    assert!(busy.contains("file itself mounted") && busy.contains("its folder"), "{busy}");
}
