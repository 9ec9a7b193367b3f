//! The state that the console keeps in memory: series of the traffic, and messages from a form to the next
//! page.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};

use super::series::SeriesStore;
use super::view::frame::Notice;
use crate::admin::state::AdminState;
use crate::oauth::secret::Secret;
use crate::tasks::task;
use crate::telemetry::Totals;

/// The maximum number of messages that wait for their page. The oldest one is removed first, because messages
/// are usually read within a second.
const MOST_MESSAGES: usize = 256;
/// The maximum number of pages that are notified of changes at the same time.
pub(super) const MOST_STREAMS: usize = 8;

/// The state of the console.
pub(super) struct Console {
    pub(super) series: Arc<SeriesStore>,
    pub(super) streams: Arc<Semaphore>,
    messages: Mutex<VecDeque<(String, Message)>>,
}

/// A message from a form to the next page.
pub(super) enum Message {
    Notice(Notice),
    Secret(NewSecret),
    InitialToken(NewInitialToken),
}

/// A new secret that is shown once.
pub(super) struct NewSecret {
    pub(super) client: String,
    pub(super) is_new_client: bool,
    pub(super) secret: Secret,
    pub(super) warnings: Vec<String>,
}

impl fmt::Debug for NewSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSecret").field("client", &self.client).finish_non_exhaustive()
    }
}

/// A new initial access token that is shown once.
pub(super) struct NewInitialToken {
    pub(super) name: String,
    pub(super) token: Secret,
}

impl Console {
    /// Makes the state, and starts a task that reads the counters once a second as long as the state is used.
    pub(super) fn start(admin: &AdminState) -> Arc<Self> {
        let console = Arc::new(Self {
            series: Arc::clone(admin.series()),
            streams: Arc::new(Semaphore::new(MOST_STREAMS)),
            messages: Mutex::default(),
        });
        // Without a runtime, no requests are served either.
        if let Ok(runtime) = Handle::try_current() {
            let (weak, proxy) = (Arc::downgrade(&console), admin.proxy());
            runtime.spawn(task(async move {
                let mut seconds = interval(Duration::from_secs(1));
                seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
                loop {
                    seconds.tick().await;
                    let Some(console) = weak.upgrade() else { return };
                    console.series.sample(Totals::read(&proxy.gauges()));
                }
            }));
        }
        console
    }

    /// Stores a message for the next page of a session, which is identified by its form token.
    pub(super) fn leave(&self, session: &str, message: Message) {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        if messages.len() >= MOST_MESSAGES {
            messages.pop_front();
        }
        messages.push_back((session.to_owned(), message));
    }

    /// Removes and returns the notices for a session.
    pub(super) fn notices(&self, session: &str) -> Vec<Notice> {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let mut notices = Vec::new();
        let is_notice =
            |entry: &(String, Message)| entry.0 == session && matches!(entry.1, Message::Notice(_));
        while let Some(at) = messages.iter().position(is_notice) {
            if let Some((_, Message::Notice(notice))) = messages.remove(at) {
                notices.push(notice);
            }
        }
        notices
    }

    /// Removes and returns the last new secret of a session, because it is shown only once.
    pub(super) fn secret(&self, session: &str) -> Option<NewSecret> {
        self.take(session, |message| match message {
            Message::Secret(secret) => Ok(secret),
            other => Err(other),
        })
    }

    /// Removes and returns the last new initial access token of a session, because it is shown only once.
    pub(super) fn initial_token(&self, session: &str) -> Option<NewInitialToken> {
        self.take(session, |message| match message {
            Message::InitialToken(token) => Ok(token),
            other => Err(other),
        })
    }

    /// Removes the last message of a session that `wanted` accepts. `wanted` returns other messages unchanged.
    fn take<T>(&self, session: &str, wanted: impl Fn(Message) -> Result<T, Message>) -> Option<T> {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        for at in (0..messages.len()).rev() {
            if messages.get(at).is_none_or(|(of, _)| of != session) {
                continue;
            }
            let (of, message) = messages.remove(at)?;
            match wanted(message) {
                Ok(taken) => return Some(taken),
                Err(other) => messages.insert(at, (of, other)),
            }
        }
        None
    }
}
