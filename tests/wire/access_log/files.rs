//! Where the access log goes: files, a full disk, a slow reader.

use super::*;

#[test]
fn a_file_is_appended_to_and_reopened_on_sighup() {
    let gateway = Fixture::start(|config| config.server("access_log = { file = \"access.log\" }"));
    let path = gateway.gateway.dir().join("access.log");
    let has = |path: &std::path::Path, what: &str| {
        let (path, what) = (path.to_owned(), what.to_owned());
        move || fs::read_to_string(&path).ok().filter(|text| text.contains(&what))
    };
    gateway.raw(get("/before", &[])).status(404);
    eventually(&gateway.gateway, "no line in the file", has(&path, "\"/before\""));
    assert_eq!(fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o640 & !umask());
    let rotated = path.with_extension("log.1");
    fs::rename(&path, &rotated).expect("a rename");
    gateway.raw(get("/between", &[])).status(404);
    gateway.gateway.signal("HUP");
    // Logged once the new file is in use: until then a line may go to the old one.
    gateway.gateway.wait_for(" reloaded: ");
    gateway.raw(get("/after", &[])).status(404);
    eventually(&gateway.gateway, "no line in the new file", has(&path, "\"/after\""));
    // The line of a request is written after its response, so it may follow the signal.
    let (old, new) = (has(&rotated, "\"/between\""), has(&path, "\"/between\""));
    eventually(&gateway.gateway, "a line was lost", move || old().or_else(&new));
    let before = fs::read_to_string(&rotated).expect("the rotated file");
    assert!(before.contains("\"/before\"") && !before.contains("\"/after\""), "{before}");
    assert!(!gateway.gateway.written().contains("\"/before\""), "the log is in the file alone");
    // An invalid configuration does not stop the log from reopening either. The file is renamed before that:
    // the gateway may notice the change before the signal comes.
    fs::rename(&path, path.with_extension("log.2")).expect("a rename");
    fs::write(gateway.gateway.dir().join("gateway.toml"), "broken").expect("gateway.toml");
    gateway.gateway.signal("HUP");
    gateway.gateway.wait_for(" is not applied");
    gateway.raw(get("/third", &[])).status(404);
    eventually(&gateway.gateway, "no line in the third file", has(&path, "\"/third\""));
}

fn umask() -> u32 {
    let file = tempfile::tempdir().expect("a folder");
    let path = file.path().join("x");
    fs::write(&path, "").expect("a file");
    !fs::metadata(&path).expect("it").permissions().mode() & 0o777 & 0o666
}

#[test]
fn a_reload_turns_the_access_log_on_and_off() {
    let gateway = Fixture::start(|config| config);
    let path = gateway.gateway.dir().join("gateway.toml");
    let off = fs::read_to_string(&path).expect("gateway.toml");
    let answer = gateway.raw(get("/users/none", &["X-Request-Id: theirs"]));
    answer.status(401).lacks("x-request-id");
    fs::write(&path, off.replace("threads = 1", "threads = 1\naccess_log = true")).expect("gateway.toml");
    gateway.gateway.signal("HUP");
    eventually(&gateway.gateway, "not turned on", || {
        gateway.raw(get("/on", &[])).all("x-request-id").first().map(|_| ())
    });
    line(&gateway.gateway, "/on");
    fs::write(&path, off).expect("gateway.toml");
    gateway.gateway.signal("HUP");
    eventually(&gateway.gateway, "not turned off", || {
        gateway.raw(get("/off-1", &[])).all("x-request-id").is_empty().then_some(())
    });
    gateway.raw(get("/off-2", &[])).status(404);
    // The writer has run once something that comes later is seen: the end of the process.
    let mut gateway = gateway.gateway;
    gateway.signal("TERM");
    gateway.wait(PATIENCE);
    assert!(!gateway.written().contains("/users/none") && !gateway.written().contains("/off-2"));
    assert!(!gateway.written().contains("only after a restart"), "{}", gateway.written());
}

#[test]
fn the_last_lines_are_written_before_the_process_exits() {
    let mut gateway = Fixture::start(|config| config.server(TOGETHER)).gateway;
    let mut conn = Conn::plain(gateway.plain());
    for number in 0..200 {
        conn.request(get(&format!("/number-{number}"), &[])).status(404);
    }
    gateway.signal("TERM");
    assert_eq!(gateway.wait(PATIENCE).code(), Some(0));
    let find = || Some(lines(&gateway.written()).len()).filter(|found| *found == 200);
    eventually(&gateway, "lines were lost", find);
}

/// A gateway that logs to this file and serves metrics.
fn logging_to(file: &str) -> Fixture {
    Fixture::start(|config: Config| {
        config
            .server(&format!("access_log = {{ file = {file:?} }}"))
            .table("[metrics]\nlisten = \"http://127.0.0.1:0\"")
    })
}

#[test]
fn a_full_disk_loses_lines_and_nothing_else() {
    let gateway = logging_to("/dev/full");
    let bearer = gateway.bearer("server", "read");
    let mut conn = gateway.connect();
    for _ in 0..20 {
        conn.request(get("/hello", &[&bearer])).status(200);
    }
    eventually(&gateway.gateway, "not all are counted as dropped", || {
        let scrape = Scrape::of(&gateway.gateway);
        (scrape.value("tollgate_access_log_lines_dropped_total") == 21.0).then_some(())
    });
    eventually(&gateway.gateway, "it was not reported", || {
        gateway.gateway.written().contains("the access log cannot be written").then_some(())
    });
    conn.request(get("/hello", &[&bearer])).status(200);
}

#[test]
fn a_reader_that_does_not_read_delays_no_traffic() {
    let dir = tempfile::tempdir().expect("a folder");
    let pipe = dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    // Open at both ends, so that the gateway can open it before a reader does.
    let mut reader = fs::File::options().read(true).write(true).open(&pipe).expect("the pipe");
    let gateway = logging_to(pipe.to_str().expect("UTF-8"));
    // More than the pipe and a thread's buffer hold.
    let request = get(&format!("/{}", "x".repeat(1_100)), &[]);
    let mut conn = gateway.connect();
    for _ in 0..1_500 {
        conn.request(&request).status(404);
    }
    let dropped = || Scrape::of(&gateway.gateway).value("tollgate_access_log_lines_dropped_total");
    assert!(dropped() > 0.0, "{}", Scrape::of(&gateway.gateway).text);
    eventually(&gateway.gateway, "the dropped lines are not reported", || {
        gateway.gateway.written().contains("lines dropped").then_some(())
    });
    // Once somebody reads, the buffered lines arrive, and only whole lines.
    let drain = thread::spawn(move || {
        let (mut text, mut part) = (Vec::new(), [0; 64 << 10]);
        while !text.windows(10).any(|window| window == b"\"/the-end\"") {
            let count = reader.read(&mut part).expect("the pipe");
            text.extend_from_slice(&part[..count]);
        }
        String::from_utf8(text).expect("ASCII")
    });
    eventually(&gateway.gateway, "no room again", || {
        conn.request(get("/the-end", &[])).status(404);
        drain.is_finished().then_some(())
    });
    let text = drain.join().expect("the reader");
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let kept = lines(whole).into_iter().filter(|line| line["path"] != "/the-end").count();
    assert_eq!(whole.lines().count(), lines(whole).len(), "a line is torn");
    let scan_dropped = 1_500 - kept;
    assert!(scan_dropped > 0 && dropped() >= scan_dropped as f64, "{kept} kept");
}
