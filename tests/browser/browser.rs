//! A browser, and what a person does with it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value as Json, json};

/// How long a page may take to show something. The machine may be busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether pages may run scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Javascript {
    On,
    Off,
}

/// The process that drives browsers, ended on drop with all of them.
pub(crate) struct Driver {
    process: Child,
    url: String,
}

/// A browser window with its own cookies.
pub(crate) struct Browser {
    client: Client,
    origin: String,
}

impl Driver {
    /// Starts the driver on a port that the system picks.
    pub(crate) fn start() -> Self {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts (`sh .ci/need chromium chromedriver` installs it)");
        let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let port = line.split_once("started successfully on port ")?.1.trim_end_matches('.');
            port.parse::<u16>().ok()
        });
        // What it writes later must not fill the pipe.
        thread::spawn(move || lines.for_each(drop));
        Self { process, url: format!("http://127.0.0.1:{}", port.expect("the port of chromedriver")) }
    }

    /// Opens a browser whose addresses begin with `origin`.
    pub(crate) async fn open(&self, origin: &str, javascript: Javascript) -> Browser {
        let allowed = if javascript == Javascript::On { 1 } else { 2 };
        let capabilities = json!({
            "goog:chromeOptions": {
                "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=1280,900"],
                "prefs": { "profile.managed_default_content_settings.javascript": allowed },
            },
        });
        let Json::Object(capabilities) = capabilities else { unreachable!("an object") };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&self.url)
            .await
            .expect("Chromium starts (`sh .ci/need chromium` installs it)");
        Browser { client, origin: origin.to_owned() }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Browser {
    /// Opens a page of the console.
    pub(crate) async fn go(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.origin)).await.expect(path);
    }

    /// Returns the path of the page.
    pub(crate) async fn path(&self) -> String {
        self.client.current_url().await.expect("an address").path().to_owned()
    }

    /// Waits until the page shows a text.
    #[track_caller]
    pub(crate) fn sees(&self, text: &str) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        let (path, text) =
            (format!("//body[contains(normalize-space(.), {})]", quoted(text)), text.to_owned());
        async move {
            let found = self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(&path)).await;
            if found.is_err() {
                panic!("{place}: the page does not show {text:?}:\n{}", self.text().await);
            }
        }
    }

    /// Returns what the page shows.
    pub(crate) async fn text(&self) -> String {
        let text = self.script("return document.body.innerText", vec![]).await;
        text.as_str().expect("its text").to_owned()
    }

    /// Returns the text of the element with an id.
    pub(crate) async fn text_of(&self, id: &str) -> String {
        let path = format!("//*[@id={}]", quoted(id));
        self.with(&path, id, async |element| element.text().await).await
    }

    /// Enters a text into the field with a label.
    pub(crate) async fn fill(&self, label: &str, text: &str) {
        let enter = async |field: Element| {
            field.clear().await?;
            field.send_keys(text).await
        };
        self.with(&field(label), label, enter).await;
    }

    /// Returns what the field with a label contains.
    pub(crate) async fn value(&self, label: &str) -> String {
        let value = self.with(&field(label), label, async |field| field.prop("value").await).await;
        value.unwrap_or_default()
    }

    /// Chooses an entry of the list with a label.
    pub(crate) async fn select(&self, label: &str, entry: &str) {
        self.with(&field(label), entry, async |list| list.select_by_label(entry).await).await;
    }

    /// Clicks a checkbox or a radio button by the text beside it.
    pub(crate) async fn choose(&self, text: &str) {
        let path = format!("//label[contains(normalize-space(.), {})]/input", quoted(text));
        self.with(&path, text, async |element| element.click().await).await;
    }

    /// Opens a part that is folded, by its summary.
    pub(crate) async fn unfold(&self, summary: &str) {
        let path =
            format!("//details[not(@open)]/summary[starts-with(normalize-space(.), {})]", quoted(summary));
        self.with(&path, summary, async |element| element.click().await).await;
    }

    /// Presses the button with a text, and waits for the page that follows.
    pub(crate) async fn press(&self, text: &str) {
        // Not one in a part that is folded.
        let shown = "not(ancestor::details[not(@open)])";
        let path = format!("//button[starts-with(normalize-space(.), {})][{shown}]", quoted(text));
        self.leave(&path, text).await;
    }

    /// Follows the link with a text, and waits for the page that follows.
    pub(crate) async fn follow(&self, text: &str) {
        let path = format!("//a[starts-with(normalize-space(.), {})]", quoted(text));
        self.leave(&path, text).await;
    }

    /// Returns whether the page has a button or a link with a text.
    pub(crate) async fn offers(&self, text: &str) -> bool {
        let text = quoted(text);
        let path = format!("//*[self::button or self::a][starts-with(normalize-space(.), {text})]");
        !self.client.find_all(Locator::XPath(&path)).await.expect("a page").is_empty()
    }

    /// Signs in.
    pub(crate) async fn sign_in(&self, name: &str, password: &str) {
        self.go("/sign-in").await;
        self.fill("Name", name).await;
        self.fill("Password", password).await;
        self.press("Sign in").await;
    }

    /// Sets the width of the window and the colour scheme.
    pub(crate) async fn resize(&self, width: u32, height: u32, dark: bool) {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", media).await;
    }

    /// Returns a picture (PNG) of the whole page, at most `height` high.
    pub(crate) async fn picture(&self, height: u32) -> Vec<u8> {
        let size = self.devtools("Page.getLayoutMetrics", json!({})).await["cssContentSize"].clone();
        let whole = size["height"].as_f64().unwrap_or(0.0).min(f64::from(height));
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": whole, "scale": 1 });
        let shot = json!({ "captureBeyondViewport": true, "clip": clip });
        let shot = self.devtools("Page.captureScreenshot", shot).await;
        let data = shot["data"].as_str().expect("a picture");
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, data).expect("base64")
    }

    /// Returns how much wider than the window the page is.
    pub(crate) async fn overflow(&self) -> i64 {
        let script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        self.script(script, vec![]).await.as_i64().expect("a number")
    }

    /// Runs a script that returns something.
    pub(crate) async fn script(&self, script: &str, arguments: Vec<Json>) -> Json {
        self.client.execute(script, arguments).await.expect("the script")
    }

    /// Runs a script that calls its last argument with something.
    pub(crate) async fn script_with_callback(&self, script: &str) -> Json {
        self.client.execute_async(script, vec![]).await.expect("the script")
    }

    /// Closes the browser.
    pub(crate) async fn close(self) {
        self.client.close().await.expect("the browser closes");
    }

    async fn devtools(&self, command: &str, parameters: Json) -> Json {
        let command = Devtools(json!({ "cmd": command, "params": parameters }));
        self.client.issue_cmd(command).await.expect("a command of the developer tools")
    }

    /// Does something with an element. The page may replace the element in between, as it does when it updates
    /// itself; then the new one is taken.
    async fn with<T>(
        &self,
        path: &str,
        what: &str,
        action: impl AsyncFn(Element) -> Result<T, CmdError>,
    ) -> T {
        loop {
            match action(self.find(path).await).await {
                Ok(done) => return done,
                Err(error) if error.is_stale_element_reference() => {}
                Err(error) => panic!("{what}: {error}"),
            }
        }
    }

    /// Clicks what leads to another page, and waits until this page is gone. The click alone returns earlier on a busy
    /// machine, and a page that the test then asks for would be replaced by the one that the click leads to.
    async fn leave(&self, path: &str, what: &str) {
        let page = self.find("/html").await;
        self.with(path, what, async |element| element.click().await).await;
        let gone = async {
            while page.tag_name().await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, gone).await.is_err() {
            panic!("{what:?} leads nowhere:\n{}", self.text().await);
        }
    }

    async fn find(&self, path: &str) -> Element {
        match self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(path)).await {
            Ok(found) => found,
            Err(error) => panic!("{path} is not on the page ({error}):\n{}", self.text().await),
        }
    }
}

/// Returns the path of the field with a label.
fn field(label: &str) -> String {
    format!("//*[@id=//label[normalize-space(.)={}]/@for]", quoted(label))
}

/// A command of Chromium's developer tools, over WebDriver.
#[derive(Debug)]
struct Devtools(Json);

impl fantoccini::wd::WebDriverCompatibleCommand for Devtools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.0.to_string()))
    }
}

/// Writes a text as a literal of XPath.
fn quoted(text: &str) -> String {
    assert!(!text.contains('"'), "the tests need no quotation marks");
    format!("\"{text}\"")
}
