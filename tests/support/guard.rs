//! Processes that end with the test.

use super::Gateway;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A shell that ends the gateway when the test process exits. Shared gateways are in statics, which are never
/// dropped; the shell sees the end of its pipe instead.
pub(crate) fn guard(pid: u32, dir: &Path) -> Child {
    Command::new("sh")
        .args(["-c", "read -r _; kill -KILL \"$1\"; rm -rf -- \"$2\"", "guard"])
        .arg(pid.to_string())
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh starts")
}

/// Ends a process that the test has not started itself, when it is dropped.
pub(crate) struct Guard(Child);

impl Guard {
    /// Returns the guard of a process.
    pub(crate) fn of(process: u32) -> Self {
        Self(guard(process, Path::new("nothing")))
    }

    /// Returns the guard of the process that has taken over from a gateway, according to its log.
    #[track_caller]
    pub(crate) fn of_successor(gateway: &Gateway) -> Self {
        let text = gateway.written();
        let process = text.split(" has taken over").next().and_then(|text| text.rsplit(' ').next());
        Self::of(process.and_then(|process| process.parse().ok()).expect("the new process"))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // The end of its standard input makes it kill the process.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
