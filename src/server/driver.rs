//! Runs tasks and polls sockets. All threads of the executor run tasks. One of them, the main thread, also polls the sockets, and waits for
//! them while no task can run.

use std::cell::Cell;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_lite::future;
use smol::Executor;

use super::sockets::{Sockets, WakeEvent};
use crate::limits::TASKS_AT_ONCE_MAX;

thread_local! {
    /// A task on this thread has called [`poll_sockets_soon`].
    static IS_POLL_DUE: Cell<bool> = const { Cell::new(false) };
}

/// Has the sockets polled before this thread runs another task: this task has taken long. Other threads do not wait for it.
#[cfg(any(feature = "tls", test))]
pub(super) fn poll_sockets_soon() {
    IS_POLL_DUE.set(true);
}

/// Runs a future, the executor's tasks and the sockets on this thread until the future completes. Polls the sockets after every
/// [`TASKS_AT_ONCE_MAX`] tasks, and after a task that asks for it. While no task can run, waits for the sockets.
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

/// Runs the executor's tasks. Yields after every [`TASKS_AT_ONCE_MAX`] tasks, and after a task that has called [`poll_sockets_soon`].
pub(super) async fn run_tasks<T>(executor: &Executor<'static>) -> T {
    loop {
        for _ in 0..TASKS_AT_ONCE_MAX {
            executor.tick().await;
            if IS_POLL_DUE.take() {
                break;
            }
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Runs a task that never stops, on the thread that polls the sockets. Returns how often it runs until input arrives at the task that
    /// waits for it.
    fn count_runs_before_input(after_run: fn()) -> usize {
        let (sockets, executor) = (Sockets::new().unwrap(), Executor::new());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        server.set_nonblocking(true).unwrap();
        let socket = sockets.watch(server).unwrap();
        let runs = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&runs);
        let busy = async move {
            loop {
                counter.fetch_add(1, Ordering::Relaxed);
                after_run();
                future::yield_now().await;
            }
        };
        executor.spawn(busy).detach();
        client.write_all(b"input").unwrap();
        let input = executor.spawn(async move { future::poll_fn(|cx| socket.poll_readable(cx)).await });
        block_on(&sockets, &executor, input).unwrap();
        runs.load(Ordering::Relaxed)
    }

    #[test]
    fn long_task_has_the_sockets_polled_before_other_tasks() {
        let often = count_runs_before_input(|| {});
        assert!(often >= TASKS_AT_ONCE_MAX / 2, "{often} runs: the task that does not ask is polled as others are");
        let rarely = count_runs_before_input(poll_sockets_soon);
        assert!(rarely <= 3, "{rarely} runs before the sockets were polled");
    }
}
