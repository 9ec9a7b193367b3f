//! Runs work on threads that may block.

use std::any::Any;

use tokio::task::spawn_blocking;

/// Work whose types are erased. The runtime's code for a task is compiled for each type of work, and the
/// pages and the API have more than a hundred.
type Work = Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>;

/// Runs `work` on a thread that may block. Returns `None` if it panicked, which is logged.
pub(super) async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let done = run(Box::new(|| Box::new(work()))).await?;
    // It has the type that the work returns.
    done.downcast().ok().map(|done| *done)
}

async fn run(work: Work) -> Option<Box<dyn Any + Send>> {
    spawn_blocking(work)
        .await
        .inspect_err(|error| log::error!("work for the listener of [admin] panicked: {error}"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn results_are_returned_and_panics_are_none() {
        assert_eq!(run_blocking(|| "done").await, Some("done"));
        assert_eq!(run_blocking(|| -> u8 { panic!("in a test") }).await, None);
    }
}
