//! A new process that never serves. The running gateway waits for it for two minutes.

use crate::handover::Hanging;
use std::time::{Duration, Instant};

#[test]
#[ignore = "takes minutes: tests/chaos/run hang"]
fn a_new_process_that_never_serves_is_given_up() {
    let hanging = Hanging::start();
    let begun = Instant::now();
    let (upgrade, process) = hanging.upgrade(Duration::from_secs(300));
    let mut served = 0;
    while !upgrade.is_finished() {
        hanging.serves();
        served += 1;
    }
    let output = upgrade.join().expect("the command ends");
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(
        output.stderr.contains("nothing has changed: the new process does not serve within 120 s"),
        "{output:?}"
    );
    assert!(!std::path::Path::new(&format!("/proc/{process}")).exists(), "the new process is ended");
    eprintln!("given up after {:?}, in which the running gateway served {served} clients", begun.elapsed());
    hanging.then_upgrades();
}
