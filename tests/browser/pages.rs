//! Every page: no violation that axe finds, nothing wider than the window, and pictures for people to look
//! at.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use crate::browser::{Browser, Javascript};

/// The version of axe-core. It is fetched from npm and is not part of the repository.
const AXE: &str = "axe-core@4.14.1";

/// The pages of a user who may do everything.
const PAGES: [(&str, &str); 22] = [
    ("overview", "/"),
    ("clients", "/clients"),
    ("new-client", "/clients/new"),
    ("client", "/clients/show/server"),
    ("registration", "/clients/registration"),
    ("scopes", "/scopes"),
    ("routes", "/routes"),
    ("route", "/routes/show?route=%2Fhello_world"),
    ("new-route", "/routes/new"),
    ("edit-route", "/routes/edit?route=%2Fhello_world"),
    ("explain", "/explain?method=POST&url=%2Forders&client=server"),
    ("changes", "/changes"),
    ("history", "/history"),
    ("version", "/history/2"),
    ("compare", "/history/compare?from=1&to=2"),
    ("upstreams", "/upstreams"),
    ("new-upstream", "/upstreams/new"),
    ("edit-upstream", "/upstreams/edit?name=hello"),
    ("shadow", "/shadow"),
    ("audit", "/audit"),
    ("users", "/users"),
    ("not-found", "/clients/show/nobody"),
];

#[tokio::test]
async fn every_page_is_accessible_and_fits_its_window() {
    let console = crate::registration::console();
    let browser = console.signed_in("alice", Javascript::On).await;
    let mut look = Look::new();
    prepare(&browser, &mut look).await;
    for (name, path) in PAGES.into_iter().chain([("sign-in", "/sign-in"), ("setup", "/setup?code=x")]) {
        browser.go(path).await;
        look.at(&browser, name).await;
    }
    assert!(look.failures.is_empty(), "{}", look.failures.join("\n"));
    browser.close().await;
}

/// What is looked at on every page.
struct Look {
    axe: Option<String>,
    /// Pictures are for people. `TOLLGATE_PICTURES=folder` keeps them.
    pictures: Option<PathBuf>,
    failures: Vec<String>,
}

impl Look {
    fn new() -> Self {
        let pictures = std::env::var_os("TOLLGATE_PICTURES").map(PathBuf::from);
        Self { axe: axe(), pictures, failures: Vec::new() }
    }

    /// Looks at the page that the browser shows.
    async fn at(&mut self, browser: &Browser, name: &str) {
        // Colours differ in the two schemes and places at the two widths, so two of the four show all that
        // can be wrong.
        let all = [(1280, false), (390, true), (1280, true), (390, false)];
        for (width, dark) in all.into_iter().take(if self.pictures.is_some() { 4 } else { 2 }) {
            browser.resize(width, 900, dark).await;
            let scheme = if dark { "dark" } else { "light" };
            let overflow = browser.overflow().await;
            if overflow > 0 {
                self.failures.push(format!("{name} at {width}: {overflow} px wider than the window"));
            }
            if let Some(folder) = &self.pictures {
                std::fs::create_dir_all(folder).expect("a folder");
                let picture = folder.join(format!("{name}-{width}-{scheme}.png"));
                std::fs::write(picture, browser.picture(2_600).await).expect("a picture");
            }
            if let Some(axe) = self.axe.as_deref().filter(|_| (width == 390) == dark) {
                let found = violations(browser, axe).await;
                self.failures
                    .extend(found.into_iter().map(|found| format!("{name} at {width}, {scheme}: {found}")));
            }
        }
    }
}

/// Makes history, and changes that are not committed. Looks at the page with the secret of a new client.
async fn prepare(browser: &Browser, look: &mut Look) {
    browser.go("/clients/show/server").await;
    browser.choose("write").await;
    browser.press("Add to changes").await;
    browser.go("/changes").await;
    browser.fill("Comment", "Let server write").await;
    browser.press("Commit").await;
    browser.sees("is committed and in use").await;
    browser.go("/clients/new").await;
    browser.fill("Client id", "report").await;
    browser.choose("read").await;
    browser.press("Add to changes").await;
    browser.sees("The secret of report").await;
    // This page is shown once.
    look.at(browser, "secret").await;
    // Messages are shown once, so they are not in the pictures.
    browser.go("/").await;
}

/// Returns what axe finds wrong with a page.
async fn violations(browser: &Browser, axe: &str) -> Vec<String> {
    browser.script(axe, vec![]).await;
    let run = "const done = arguments[0]; axe.run().then(found => done(found.violations.map(violation =>
        violation.id + ': ' + violation.nodes.map(node => node.html + ' (' + node.failureSummary + ')').join('; '))))";
    let found = browser.script_with_callback(run).await;
    let found = found.as_array().expect("a list").iter();
    found.filter_map(Json::as_str).map(str::to_owned).collect()
}

/// Returns the text of axe-core. In CI it must be there; elsewhere its part of the test is left out without a
/// network.
fn axe() -> Option<String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(AXE.replace('@', "-"));
    let script = folder.join("package/axe.min.js");
    if !script.exists() {
        std::fs::create_dir_all(&folder).expect("a folder");
        let fetch = "npm pack --silent \"$0\" && tar -xzf axe-core-*.tgz";
        let fetched = Command::new("sh").args(["-c", fetch, AXE]).current_dir(&folder).output();
        let why = match fetched {
            Ok(_) if script.exists() => return std::fs::read_to_string(&script).ok(),
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        assert!(std::env::var_os("CI").is_none(), "{AXE} cannot be fetched from npm: {why}");
        eprintln!("SKIPPED: axe does not look at the pages, because {AXE} cannot be fetched from npm: {why}");
        return None;
    }
    std::fs::read_to_string(&script).ok()
}
