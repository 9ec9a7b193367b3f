//! A gateway that runs only during a benchmark: the same binary in another process, so that its processor
//! time can be measured.
//!
//! The parent process writes the changes of the configuration to the gateway's standard input. The file
//! itself is never changed. The gateway writes its URL to standard output. It ends when its standard input is
//! closed, which happens when the parent process ends.

mod order;
mod serve;

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

pub(crate) use self::order::CLIENT;
use self::order::{Order, PUBLIC_PATH};
pub(crate) use self::serve::serve;
use crate::bench::error::BenchError;
use crate::bench::plan::RequestLine;
use crate::bench::routes::Choice;
use crate::change::new_secret;
use crate::oauth::secret::Secret;

/// How long a gateway may take to start. At the first start, it creates a certificate.
const MAX_START: Duration = Duration::from_secs(20);
/// The maximum size of the stored messages of a gateway that does not start, in bytes.
const MAX_MESSAGES: u64 = 64 * 1024;

/// A temporary gateway. It ends when this is dropped.
pub(crate) struct TemporaryGateway {
    child: Child,
    pub(crate) url: String,
    pub(crate) secret: Secret,
    /// The public copy of the protected route.
    pub(crate) public: Option<Choice>,
}

impl TemporaryGateway {
    /// Starts a gateway in front of the API at `stand_in`, with a public copy of `route`.
    ///
    /// # Errors
    /// Fails if the gateway does not start.
    pub(crate) fn start(
        path: &Path,
        stand_in: SocketAddr,
        route: Option<&Choice>,
    ) -> Result<Self, BenchError> {
        let (secret, hash) = new_secret::generate().map_err(BenchError::failed)?;
        let failed = |error: io::Error| BenchError::failed(format!("cannot start a gateway: {error}"));
        let mut child = Command::new(std::env::current_exe().map_err(failed)?)
            .args(["bench", "--as-gateway", "--config"])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C ends the measurement, after which the parent still reads the figures of the gateway.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let order = Order { stand_in, hash, route: route.and_then(|route| route.index) };
        let outcome = send_order(&mut child, &order);
        let public = route.filter(|route| route.index.is_some()).map(|route| Choice {
            line: RequestLine { path: PUBLIC_PATH.to_owned(), ..route.line.clone() },
            ..route.clone()
        });
        // From here on, dropping the gateway ends the child process.
        let mut gateway = Self { child, url: String::new(), secret, public };
        gateway.url = outcome?;
        Ok(gateway)
    }

    /// Returns the id of the gateway's process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for TemporaryGateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends the order and waits for the URL.
fn send_order(child: &mut Child, order: &Order) -> Result<String, BenchError> {
    let gone = || BenchError::failed("the temporary gateway has ended");
    // The handle stays with the child: standard input is open as long as the gateway is needed.
    let stdin = child.stdin.as_mut().ok_or_else(gone)?;
    // If the gateway does not read the order, it writes the reason to standard error.
    let _ = writeln!(stdin, "{}", order.line()).and_then(|()| stdin.flush());
    let stdout = child.stdout.take().ok_or_else(gone)?;
    let (sender, url) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let mut reader = BufReader::new(stdout);
        if matches!(reader.read_line(&mut line), Ok(1..)) {
            let _ = sender.send(line.trim_end().to_owned());
        }
        drop(sender);
        let _ = io::copy(&mut reader, &mut io::sink());
    });
    let mut stderr = child.stderr.take().ok_or_else(gone)?;
    let messages = thread::spawn(move || {
        let mut text = Vec::new();
        let _ = (&mut stderr).take(MAX_MESSAGES).read_to_end(&mut text);
        let _ = io::copy(&mut stderr, &mut io::sink());
        String::from_utf8_lossy(&text).trim().to_owned()
    });
    match url.recv_timeout(MAX_START) {
        Ok(url) => Ok(url),
        Err(RecvTimeoutError::Timeout) => Err(BenchError::failed(format!(
            "the temporary gateway did not listen within {} s",
            MAX_START.as_secs()
        ))),
        Err(RecvTimeoutError::Disconnected) => {
            let _ = child.kill();
            let text = messages.join().unwrap_or_default();
            Err(BenchError::failed(format!("a gateway of this configuration does not start:\n{text}")))
        }
    }
}
