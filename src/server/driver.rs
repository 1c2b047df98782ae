//! Drives tasks and sockets. All threads of the executor run tasks. One of them, the main thread, also polls the sockets, and waits for
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

/// Drives a future and the executor's tasks on this thread, and all sockets with them: it looks at them after every few
/// tasks and, while none can run, waits for them.
///
/// # Errors
/// Those of epoll: nobody can be served.
pub(super) fn block_on<T>(
    sockets: &Sockets,
    executor: &Executor<'static>,
    future: impl Future<Output = T>,
) -> io::Result<T> {
    let main_thread = Arc::new(MainThreadWaker { wake_event: sockets.wake_event()?, state: AtomicU8::new(AWAKE) });
    let waker = Waker::from(Arc::clone(&main_thread));
    let mut all = pin!(future::or(future, run_tasks(executor)));
    loop {
        main_thread.wake_up();
        if let Poll::Ready(output) = all.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Ok(output);
        }
        sockets.poll_events(main_thread.fall_asleep())?;
    }
}

/// Runs the executor's tasks, and yields after every few.
pub(super) async fn run_tasks<T>(executor: &Executor<'static>) -> T {
    loop {
        for _ in 0..TASKS_AT_ONCE_MAX {
            executor.tick().await;
        }
        future::yield_now().await;
    }
}

/// Wakes the thread that drives the sockets.
struct MainThreadWaker {
    wake_event: WakeEvent,
    state: AtomicU8,
}

/// The thread runs, and nothing came that it has not seen.
const AWAKE: u8 = 0;
/// The thread runs, and is to look again.
const RUNG: u8 = 1;
/// The thread waits, or is about to.
const ASLEEP: u8 = 2;

impl MainThreadWaker {
    fn wake_up(&self) {
        self.state.store(AWAKE, Ordering::SeqCst);
    }

    /// Whether the thread may wait: it need not look again.
    fn fall_asleep(&self) -> bool {
        self.state.compare_exchange(AWAKE, ASLEEP, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

impl Wake for MainThreadWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(RUNG, Ordering::SeqCst) == ASLEEP {
            self.wake_event.ring();
        }
    }
}
