//! The thread that writes the security log.

use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::event::{Kind, write_left_out};
use super::limit::LIMITS;
use crate::telemetry::access_log::Output;
use crate::telemetry::sink::Sink;
use crate::threads;

/// The maximum number of lines that wait to be written.
const MOST_WAITING: usize = 4_096;
/// How often the thread looks for events that were left out and not reported.
const LOOK_EVERY: Duration = Duration::from_secs(1);

enum Task {
    Line(Vec<u8>),
    Output(Output),
    Flush(Sender<()>),
}

static WRITER: OnceLock<SyncSender<Task>> = OnceLock::new();

/// Sets the output of later lines. Starts the thread if there is none.
pub(super) fn set_output(output: Output) -> io::Result<()> {
    // Two concurrent callers start only one thread.
    static STARTING: Mutex<()> = Mutex::new(());
    let _lock = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if WRITER.get().is_none() {
        if output.0.is_none() {
            return Ok(());
        }
        let (tasks, received) = sync_channel(MOST_WAITING);
        threads::spawn("tollgate-seclog", move || work(&received))?;
        let _ = WRITER.set(tasks);
    }
    if let Some(writer) = WRITER.get() {
        let _ = writer.send(Task::Output(output));
    }
    Ok(())
}

/// Hands a line to the thread. Returns whether there was room.
pub(super) fn submit(line: Vec<u8>) -> bool {
    WRITER.get().is_some_and(|writer| writer.try_send(Task::Line(line)).is_ok())
}

pub(super) fn flush(timeout: Duration) {
    let (done, flushed) = channel();
    if let Some(writer) = WRITER.get()
        && writer.try_send(Task::Flush(done)).is_ok()
    {
        let _ = flushed.recv_timeout(timeout);
    }
}

fn work(tasks: &Receiver<Task>) {
    let mut sink: Option<Sink<File>> = None;
    loop {
        match tasks.recv_timeout(LOOK_EVERY) {
            Ok(Task::Line(line)) => write(&mut sink, &line),
            Ok(Task::Output(output)) => sink = output.0.map(|file| Sink::new(file, "security log")),
            Ok(Task::Flush(done)) => {
                report_left_out(&mut sink, u64::MAX);
                drop(done);
            }
            Err(RecvTimeoutError::Timeout) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                report_left_out(&mut sink, now.as_secs());
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn write(sink: &mut Option<Sink<File>>, line: &[u8]) {
    if let Some(sink) = sink {
        sink.write(line);
    }
}

/// Reports the events that were left out in seconds before this one.
fn report_left_out(sink: &mut Option<Sink<File>>, second: u64) {
    for (kind, limit) in Kind::ALL.into_iter().zip(&LIMITS) {
        let left_out = limit.take_left_out(second);
        if left_out > 0 {
            let mut line = Vec::new();
            write_left_out(&mut line, kind, SystemTime::now(), left_out);
            write(sink, &line);
        }
    }
}
