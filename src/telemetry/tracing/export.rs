//! The thread that sends spans to a collector.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};
use std::{fmt, io};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::runtime::Runtime;

use crate::http_client::{Bounds, HttpClient as Client, PlainHttp, Trust};
use crate::tasks;
use crate::threads;

/// The maximum number of spans that wait to be sent.
const MOST_WAITING: usize = 4_096;
/// The maximum number of spans in one request to the collector.
const MOST_AT_ONCE: usize = 512;
/// The longest time that a span waits.
const SEND_EVERY: Duration = Duration::from_secs(1);
/// The timeout of a request to the collector.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The interval between two reports about a failing collector.
const REPORT_EVERY: Duration = Duration::from_secs(60);
/// The largest answer of a collector, in bytes.
const MOST_ANSWER: usize = 64 << 10;

/// The destination of the spans.
pub(crate) struct Collector {
    pub(crate) endpoint: String,
    /// The value of `Authorization`.
    pub(crate) authorization: Option<String>,
    pub(crate) service_name: String,
}

enum Task {
    Span(Box<SpanData>),
    Flush(Sender<()>),
}

/// Takes spans, and sends them from another thread.
pub(super) struct Exporter {
    tasks: SyncSender<Task>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    lost: AtomicU64,
}

impl Exporter {
    /// Starts the thread.
    pub(super) fn start(collector: &Collector) -> io::Result<Self> {
        let bounds =
            Bounds { time: TIMEOUT, body: MOST_ANSWER, plain_http: PlainHttp::Allowed, accepts: |_| true };
        let client = Client::new(&Trust::default(), bounds).map_err(io::Error::other)?;
        let headers = collector.authorization.iter();
        let headers: HashMap<String, String> =
            headers.map(|value| ("authorization".to_owned(), value.clone())).collect();
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(OverHyper(client))
            .with_endpoint(collector.endpoint.clone())
            .with_headers(headers)
            .with_timeout(TIMEOUT)
            .build()
            .map_err(io::Error::other)?;
        exporter.set_resource(&resource(&collector.service_name));
        let runtime = tasks::runtime()?;
        let (tasks, received) = sync_channel(MOST_WAITING);
        let counts = Arc::new(Counts::default());
        let work = Work { exporter, runtime, counts: Arc::clone(&counts), reported: None };
        threads::spawn("tollgate-traces", move || {
            // Lower priority than the threads that serve traffic.
            let _ = rustix::process::nice(10);
            work.run(&received);
        })?;
        Ok(Self { tasks, counts })
    }

    /// Hands a span over. If too many wait, it is dropped and counted.
    pub(super) fn submit(&self, span: SpanData) {
        if self.tasks.try_send(Task::Span(Box::new(span))).is_err() {
            self.counts.lost.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn flush(&self, timeout: Duration) {
        let (done, flushed) = channel();
        if self.tasks.try_send(Task::Flush(done)).is_ok() {
            let _ = flushed.recv_timeout(timeout);
        }
    }

    /// Returns the numbers of spans that were sent, and of those that were lost.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.counts.sent.load(Relaxed), self.counts.lost.load(Relaxed))
    }
}

fn resource(service_name: &str) -> Resource {
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    Resource::builder_empty().with_service_name(service_name.to_owned()).with_attribute(version).build()
}

struct Work {
    exporter: SpanExporter,
    runtime: Runtime,
    counts: Arc<Counts>,
    reported: Option<Instant>,
}

impl Work {
    #[expect(clippy::disallowed_methods, reason = "only decides when a batch is sent")]
    fn run(mut self, tasks: &Receiver<Task>) {
        let mut batch: Vec<SpanData> = Vec::new();
        let mut since = Instant::now();
        loop {
            let left = SEND_EVERY.saturating_sub(since.elapsed());
            match tasks.recv_timeout(if batch.is_empty() { SEND_EVERY } else { left }) {
                Ok(Task::Span(span)) => {
                    if batch.is_empty() {
                        since = Instant::now();
                    }
                    batch.push(*span);
                    if batch.len() >= MOST_AT_ONCE || since.elapsed() >= SEND_EVERY {
                        self.send(std::mem::take(&mut batch));
                    }
                }
                Ok(Task::Flush(done)) => {
                    self.send(std::mem::take(&mut batch));
                    drop(done);
                }
                Err(RecvTimeoutError::Timeout) => self.send(std::mem::take(&mut batch)),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "only limits how often a message is logged")]
    fn send(&mut self, batch: Vec<SpanData>) {
        if batch.is_empty() {
            return;
        }
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        match tasks::block_on(&self.runtime, self.exporter.export(batch)) {
            Ok(()) => {
                self.counts.sent.fetch_add(count, Relaxed);
            }
            Err(error) => {
                self.counts.lost.fetch_add(count, Relaxed);
                let now = Instant::now();
                if self.reported.is_none_or(|last| now.duration_since(last) >= REPORT_EVERY) {
                    self.reported = Some(now);
                    log::warn!("spans cannot be sent to the collector ([tracing]), and are lost: {error}");
                }
            }
        }
    }
}

/// The HTTP client of the exporter.
struct OverHyper(Client);

impl fmt::Debug for OverHyper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OverHyper")
    }
}

#[async_trait]
impl HttpClient for OverHyper {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        Ok(self.0.send(request.map(Full::new)).await?)
    }
}
