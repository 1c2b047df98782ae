//! Runs tasks and polls sockets. All threads of the executor run tasks. One of them, the main thread, also polls the sockets, and waits for
//! them while no task can run.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_lite::future;
use smol::Executor;

use super::sockets::{Sockets, WakeEvent};
use crate::limits::TASKS_AT_ONCE_MAX;

/// Runs a future, the executor's tasks and the sockets on this thread until the future completes. Polls the sockets after every
/// [`TASKS_AT_ONCE_MAX`] tasks. While no task can run, waits for the sockets.
///
/// # Errors
/// epoll fails. No connection can be served then.
pub(super) fn block_on<T>(
    sockets: &Sockets,
    executor: &Executor<'static>,
    future: impl Future<Output = T>,
) -> io::Result<T> {
    let main_thread = Arc::new(MainThreadWaker { wake_event: sockets.wake_event()?, state: AtomicU8::new(AWAKE) });
    let waker = Waker::from(Arc::clone(&main_thread));
    let mut all = pin!(future::or(future, run_tasks(executor)));
    loop {
        main_thread.mark_awake();
        if let Poll::Ready(output) = all.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Ok(output);
        }
        sockets.poll_events(main_thread.try_sleep())?;
    }
}

/// Runs the executor's tasks. Yields after every [`TASKS_AT_ONCE_MAX`] tasks.
pub(super) async fn run_tasks<T>(executor: &Executor<'static>) -> T {
    loop {
        for _ in 0..TASKS_AT_ONCE_MAX {
            executor.tick().await;
        }
        future::yield_now().await;
    }
}

/// Wakes the main thread, which polls the sockets.
struct MainThreadWaker {
    wake_event: WakeEvent,
    state: AtomicU8,
}

/// The thread runs, and was not woken since it last polled its future.
const AWAKE: u8 = 0;
/// The thread runs, and must poll its future again before it sleeps.
const WOKEN: u8 = 1;
/// The thread waits for the sockets, or is about to.
const ASLEEP: u8 = 2;

impl MainThreadWaker {
    fn mark_awake(&self) {
        self.state.store(AWAKE, Ordering::SeqCst);
    }

    /// Marks the thread as asleep unless it was woken. Returns whether it may wait.
    fn try_sleep(&self) -> bool {
        self.state.compare_exchange(AWAKE, ASLEEP, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

impl Wake for MainThreadWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::SeqCst) == ASLEEP {
            self.wake_event.signal();
        }
    }
}
