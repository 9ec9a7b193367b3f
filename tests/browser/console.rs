//! A gateway with a console.

use std::net::SocketAddr;
use std::path::Path;

use crate::browser::{Browser, Driver, Javascript};
use crate::support::config::cheap_hash;
use crate::support::{Config, Gateway};

/// The password of all users.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A running gateway, and a driver for browsers.
pub(crate) struct Console {
    pub(crate) gateway: Gateway,
    pub(crate) origin: String,
    driver: Driver,
}

impl Console {
    /// Starts a gateway with the users alice (owner), edgar (editor) and vera (viewer), and some clients and
    /// routes.
    pub(crate) fn start() -> Self {
        Self::of(&file())
    }

    /// Starts a gateway with this file.
    pub(crate) fn of(file: &str) -> Self {
        let gateway = Gateway::start_text(file, &[]);
        gateway.wait_for("tollgate: console http://");
        let written = gateway.written();
        let url = written.split_once("tollgate: console ").expect("the console's address").1;
        let origin = url.split_whitespace().next().expect("an address").to_owned();
        Self { gateway, origin, driver: Driver::start() }
    }

    /// Opens a browser.
    pub(crate) async fn browser(&self, javascript: Javascript) -> Browser {
        self.driver.open(&self.origin, javascript).await
    }

    /// Opens a browser and signs a user in.
    pub(crate) async fn signed_in(&self, name: &str, javascript: Javascript) -> Browser {
        let browser = self.browser(javascript).await;
        browser.sign_in(name, PASSWORD).await;
        browser.sees("Overview").await;
        browser
    }

    /// Makes a picture for the documents, if they are to be made again (`TOLLGATE_BLESS=1`). What it shows
    /// was checked before.
    pub(crate) async fn picture(&self, browser: &Browser, name: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images").join(name);
        if std::env::var_os("TOLLGATE_BLESS").is_some() {
            std::fs::create_dir_all(file.with_file_name("")).expect("a folder");
            std::fs::write(&file, browser.picture(900).await).expect("a picture");
        }
        assert!(file.exists(), "{} is missing: TOLLGATE_BLESS=1 makes it", file.display());
    }

    /// Returns the gateway's file.
    pub(crate) fn file(&self) -> String {
        std::fs::read_to_string(self.gateway.dir().join("gateway.toml")).expect("gateway.toml")
    }
}

/// Returns a gateway.toml with users.
pub(crate) fn file() -> String {
    // Nothing listens there: what requests get is not what these tests are about.
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let mut text = Config::bare().upstream("hello", nowhere).text();
    let hash = cheap_hash(PASSWORD);
    text.push_str(&format!(
        "\n[clients.server]\nsecret = \"{hash}\"\ncapabilities = [\"client_credentials\"]\nscopes = [\"read\"]\n\
         \n[[routes]]\npath = \"/hello_world\"\nscopes = [\"read\"]\nupstream = \"hello\"\n\
         \n[[routes]]\nprefix = \"/orders\"\nmethods = [\"POST\"]\nscopes = [\"write\"]\nupstream = \"hello\"\n"
    ));
    text + &users()
}

/// Returns the part of a gateway.toml that has the console and its users.
pub(crate) fn users() -> String {
    let hash = cheap_hash(PASSWORD);
    let mut text = "\n[admin]\nlisten = \"http://127.0.0.1:0\"\n".to_owned();
    for (name, role) in [("alice", "owner"), ("edgar", "editor"), ("vera", "viewer"), ("olga", "owner")] {
        text.push_str(&format!("[admin.users.{name}]\npassword = \"{hash}\"\nrole = \"{role}\"\n"));
    }
    text
}
