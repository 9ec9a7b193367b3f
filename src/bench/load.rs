//! One round of one scenario: threads, each with its own runtime, send requests and count the responses.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, timeout};

use super::connect::Destination;
use super::cpu::{self, CpuTime, Process};
use super::pace::{Schedule, Timer};
use super::scenario::Scenario;
use super::sender::Sender;
use super::tally::{Fault, Tally};

use crate::tasks;

/// The time between two samples of the rate.
const TICK: Duration = Duration::from_millis(100);
/// How long connections may take before a round.
const CONNECTING: Duration = Duration::from_secs(10);
/// How long requests in flight have after the end of a round. At a fixed rate, requests that are due and not
/// sent have as long before that.
const GRACE: Duration = Duration::from_millis(if cfg!(test) { 300 } else { 2000 });
/// The wait before another attempt to connect.
const PAUSE: Duration = Duration::from_millis(20);

/// The load, and where it goes.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) destination: Destination,
    pub(crate) threads: usize,
    /// The number of requests in flight. HTTP/1.1 uses a connection for each, HTTP/2 a stream of one
    /// connection per thread.
    pub(crate) connections: usize,
    /// The process whose processor time is measured.
    pub(crate) server: Option<Process>,
    /// Set by others to end the round early.
    pub(crate) stop: Arc<AtomicBool>,
}

/// The result of a round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Round {
    pub(crate) tally: Tally,
    /// The length of the round.
    pub(crate) seconds: f64,
    /// The processor time that the gateway used.
    pub(crate) server: Option<CpuTime>,
    /// The share of its time for which the busiest thread of the load was computing.
    pub(crate) busy: f64,
    /// The seconds since the start of the round, and the good responses per second then.
    pub(crate) samples: Vec<(f64, f64)>,
}

impl Load {
    /// Runs a scenario for `duration`. Calls `tick` with the rate from time to time.
    ///
    /// # Errors
    /// Fails if the system provides no thread, runtime or timer.
    pub(crate) fn round(
        &self,
        scenario: &Scenario,
        duration: Duration,
        tick: &mut dyn FnMut(f64),
    ) -> io::Result<Round> {
        let answers = Arc::new(AtomicU64::new(0));
        let sent = Arc::new(AtomicU64::new(0));
        let threads = self.threads.min(self.connections).max(1);
        let mut workers = Vec::new();
        for number in 0..threads {
            let (is_ready, ready) = mpsc::channel();
            let (begin, begins) = mpsc::channel();
            let job = Job {
                scenario: scenario.clone(),
                destination: self.destination.clone(),
                connections: self.connections / threads + usize::from(number < self.connections % threads),
                number,
                threads,
                duration,
                stop: Arc::clone(&self.stop),
                answers: Arc::clone(&answers),
                sent: Arc::clone(&sent),
            };
            let runtime = tasks::runtime()?;
            let handle = thread::Builder::new()
                .name("load".into())
                .spawn(move || drive(&runtime, job, &is_ready, &begins))?;
            workers.push((handle, ready, begin));
        }
        for (_, ready, _) in &workers {
            // If the thread has ended instead, joining it returns the error.
            let _ = ready.recv();
        }
        let before = self.server.and_then(Process::used);
        let start = Instant::now();
        for (_, _, begin) in &workers {
            let _ = begin.send(start);
        }
        let samples = watch_until(start + duration, &answers, tick, || {
            workers.iter().all(|(handle, ..)| handle.is_finished())
        });
        let after = self.server.and_then(Process::used);

        let mut round = Round { samples, ..Round::default() };
        round.server = before.zip(after).map(|(before, after)| after.since(before));
        let mut ended = start;
        for (handle, ..) in workers {
            let done = handle.join().map_err(|_| io::Error::other("a thread of the load panicked"))??;
            round.tally.add(&done.tally);
            round.busy = round.busy.max(done.busy);
            ended = ended.max(done.ended);
        }
        round.seconds = (ended - start).min(duration).as_secs_f64();
        Ok(round)
    }
}

/// Samples the rate until `end`, or until all threads have finished.
#[expect(clippy::cast_precision_loss)]
fn watch_until(
    end: Instant,
    answers: &AtomicU64,
    tick: &mut dyn FnMut(f64),
    done: impl Fn() -> bool,
) -> Vec<(f64, f64)> {
    let start = Instant::now();
    let (mut last, mut counted, mut samples) = (start, 0, Vec::new());
    loop {
        let left = end.saturating_duration_since(Instant::now());
        thread::sleep(left.min(TICK));
        let (now, count) = (Instant::now(), answers.load(Ordering::Relaxed));
        let seconds = (now - last).as_secs_f64();
        // A last tick that is too short gives no useful sample.
        if seconds > TICK.as_secs_f64() / 2.0 {
            let rate = (count - counted) as f64 / seconds;
            samples.push(((now - start).as_secs_f64(), rate));
            tick(rate);
            (last, counted) = (now, count);
        }
        if now >= end || done() {
            return samples;
        }
    }
}

/// The work of one thread.
struct Job {
    scenario: Scenario,
    destination: Destination,
    connections: usize,
    number: usize,
    threads: usize,
    duration: Duration,
    stop: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
    sent: Arc<AtomicU64>,
}

/// The result of one thread.
struct Done {
    tally: Tally,
    busy: f64,
    ended: Instant,
}

/// The state that the tasks of one thread share.
struct Shared {
    job: Job,
    end: Cell<Instant>,
    /// Whether sending has ended.
    closed: Cell<bool>,
    tally: RefCell<Tally>,
    schedule: RefCell<Option<Schedule>>,
    due: Notify,
    connected: Cell<usize>,
    in_flight: Cell<usize>,
    message: Cell<usize>,
}

fn drive(
    runtime: &Runtime,
    job: Job,
    is_ready: &mpsc::Sender<()>,
    begins: &mpsc::Receiver<Instant>,
) -> io::Result<Done> {
    let local = LocalSet::new();
    let round = async {
        let timer = job.scenario.rate.map(|_| Timer::new()).transpose()?;
        let shared = Rc::new(Shared {
            end: Cell::new(Instant::now()),
            closed: Cell::new(false),
            tally: RefCell::default(),
            schedule: RefCell::new(None),
            due: Notify::new(),
            connected: Cell::new(0),
            in_flight: Cell::new(0),
            message: Cell::new(job.number),
            job,
        });
        let (start, started) = watch::channel(false);
        let tasks = shared.spawn_tasks(&started).await;
        let _ = timeout(CONNECTING, async {
            while shared.connected.get() < tasks.len() {
                sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        let _ = is_ready.send(());
        // No task has work until then, so this may block.
        let Ok(beginning) = begins.recv() else {
            return Err(io::Error::other("the round was cancelled"));
        };
        let job = &shared.job;
        shared.end.set(beginning + job.duration);
        if let Some(rate) = job.scenario.rate {
            *shared.schedule.borrow_mut() = Some(Schedule::new(beginning, rate, job.number, job.threads));
        }
        let used = cpu::of_this_thread();
        let _ = start.send(true);
        if let Some(timer) = timer {
            shared.keep_pace(&timer).await?;
        }
        let all_done = async {
            while tasks.iter().any(|task| !task.is_finished()) {
                sleep(PAUSE / 4).await
            }
        };
        let patience = async {
            while !shared.is_over() {
                sleep(PAUSE).await;
            }
            if job.scenario.rate.is_some() {
                sleep(GRACE).await;
            }
            shared.closed.set(true);
            sleep(GRACE).await;
        };
        tokio::select! {
            () = all_done => {}
            () = patience => {}
        }
        let ended = Instant::now();
        let busy = (cpu::of_this_thread() - used).as_secs_f64() / (ended - beginning).as_secs_f64();
        for task in tasks {
            task.abort();
        }
        shared.close();
        Ok(Done { tally: shared.tally.take(), busy, ended })
    };
    tasks::block_on(runtime, local.run_until(round))
}

impl Shared {
    /// Spawns the tasks that send requests, each with its connection. They wait for the start.
    async fn spawn_tasks(
        self: &Rc<Self>,
        started: &watch::Receiver<bool>,
    ) -> Vec<tokio::task::JoinHandle<()>> {
        let (job, http2) = (&self.job, self.job.destination.http2);
        let mut first = Sender::new(job.destination.clone(), job.scenario.is_head());
        if http2 {
            // A failure here occurs again later, and is counted then.
            let _ = first.connect().await;
        }
        let senders = (0..job.connections).map(|_| first.sibling());
        senders
            .map(|mut sender| {
                let (shared, mut started) = (Rc::clone(self), started.clone());
                tokio::task::spawn_local(async move {
                    let _ = sender.connect().await;
                    shared.connected.set(shared.connected.get() + 1);
                    if started.wait_for(|started| *started).await.is_ok() {
                        shared.send_requests(sender).await;
                    }
                })
            })
            .collect()
    }

    fn is_over(&self) -> bool {
        self.job.stop.load(Ordering::Relaxed) || Instant::now() >= self.end.get()
    }

    /// Waits until the next request is due. Returns when it was due, or `None` after the end of the round.
    /// Requests of a schedule that were due before the end are still sent: those that waited longest must not
    /// be missing.
    async fn next(&self) -> Option<Instant> {
        loop {
            match &mut *self.schedule.borrow_mut() {
                None => {
                    if self.is_over() {
                        return None;
                    }
                    let Some(most) = self.job.scenario.most else { return Some(Instant::now()) };
                    let sent = self.job.sent.fetch_add(1, Ordering::Relaxed);
                    return (sent < most).then(Instant::now);
                }
                Some(schedule) => {
                    let is_open = !self.closed.get() && !self.job.stop.load(Ordering::Relaxed);
                    let due = if is_open { schedule.take() } else { None };
                    if due.is_some() || self.is_over() {
                        return due;
                    }
                }
            }
            self.due.notified().await;
        }
    }

    async fn send_requests(&self, mut sender: Sender) {
        while let Some(due) = self.next().await {
            let messages = &self.job.scenario.messages;
            let at = self.message.get();
            self.message.set(at.wrapping_add(self.job.threads));
            let Some(message) = messages.get(at % messages.len().max(1)) else { return };
            self.in_flight.set(self.in_flight.get() + 1);
            let outcome = sender.send(message).await;
            self.in_flight.set(self.in_flight.get() - 1);
            let now = Instant::now();
            match outcome {
                Ok(status) => self.count(status, now - due, now),
                Err(fault) => {
                    self.tally.borrow_mut().fault(fault, 1);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn count(&self, status: u16, latency: Duration, now: Instant) {
        let mut tally = self.tally.borrow_mut();
        *tally.statuses.entry(status).or_default() += 1;
        let in_time = now <= self.end.get();
        tally.in_time += u64::from(in_time);
        if !self.job.scenario.expects(status) {
            tally.unexpected += 1;
            return;
        }
        tally.latency.record(latency);
        if in_time {
            tally.good += 1;
            self.job.answers.fetch_add(1, Ordering::Relaxed);
        } else {
            tally.late += 1;
        }
    }

    /// Wakes a task for each request that is due, until the round is over.
    async fn keep_pace(&self, timer: &Timer) -> io::Result<()> {
        while !self.is_over() {
            let now = Instant::now();
            let Some((due, next)) =
                self.schedule.borrow_mut().as_mut().map(|schedule| (schedule.catch_up(now), schedule.next()))
            else {
                break;
            };
            for _ in 0..due.min(self.job.connections as u64) {
                self.due.notify_one();
            }
            let until = next.min(self.end.get()).saturating_duration_since(now);
            timer.sleep(until.min(PAUSE)).await?;
        }
        if let Some(schedule) = &mut *self.schedule.borrow_mut() {
            schedule.catch_up(self.end.get().min(Instant::now()));
        }
        self.due.notify_waiters();
        Ok(())
    }

    /// Counts requests without a response, and requests that were due and never sent. The latency of the
    /// latter is at least the time that they waited.
    fn close(&self) {
        if self.job.stop.load(Ordering::Relaxed) {
            return;
        }
        let (now, mut tally) = (Instant::now(), self.tally.borrow_mut());
        tally.fault(Fault::Unanswered, self.in_flight.get() as u64);
        while let Some(due) = self.schedule.borrow_mut().as_mut().and_then(Schedule::take) {
            tally.unsent += 1;
            tally.latency.record(now.saturating_duration_since(due));
        }
    }
}

#[cfg(test)]
mod tests;
