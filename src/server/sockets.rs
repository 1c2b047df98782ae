//! Connections' sockets, and whether they can be read or written: one epoll for all of them, edge-triggered (epoll(7)).
//!
//! A connection is one task, and waits for its own socket only. For that, this takes a seventh of the memory of smol's
//! sockets, which any number of tasks can wait for, and no system call to begin to wait.

use std::cell::RefCell;
use std::io::{self, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use atomic_waker::AtomicWaker;
use futures_lite::{future, ready};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::fs::sendfile;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use slab::Slab;
use smol::Timer;

use crate::feed::Source;
use crate::limits::{DRAIN_PAUSE_MS, EPOLL_EVENTS_AT_ONCE_MAX, READ_BYTES_MAX};

thread_local! {
    /// What a socket is read into before as much as came is copied out: no connection holds more than it got.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES_MAX].into());
}

/// Every connection's socket.
pub(super) struct Sockets {
    epoll: OwnedFd,
    /// By what the kernel is told to call them.
    changes: Mutex<Slab<Arc<Readiness>>>,
}

/// Ends a wait for changes, from any thread: an eventfd(2).
pub(super) struct WakeEvent(OwnedFd);

/// What the kernel is to call the bell.
const WAKE_EVENT: u64 = u64::MAX;

/// One connection's socket. One task at a time waits for it.
pub(super) struct Socket {
    stream: TcpStream,
    sockets: Arc<Sockets>,
    key: usize,
    changes: Arc<Readiness>,
}

/// What a socket has become ready for since that was last looked at.
#[derive(Default)]
struct Readiness {
    ready: AtomicU8,
    task: AtomicWaker,
}

/// What the kernel is to tell of.
const OUTPUT: EventFlags = EventFlags::OUT.union(EventFlags::RDHUP).union(EventFlags::ET);
const INPUT: EventFlags = EventFlags::IN;

const READABLE: u8 = 1;
const WRITABLE: u8 = 2;

impl Sockets {
    pub(super) fn new() -> io::Result<Arc<Self>> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Arc::new(Self { epoll, changes: Mutex::default() }))
    }

    /// Takes over a connection that was accepted.
    pub(super) fn add(self: &Arc<Self>, stream: TcpStream) -> io::Result<Socket> {
        stream.set_nonblocking(true)?;
        let changes = Arc::new(Readiness::default());
        let key = self.changes().insert(Arc::clone(&changes));
        let socket = Socket { stream, sockets: Arc::clone(self), key, changes };
        epoll::add(&self.epoll, &socket.stream, EventData::new_u64(key as u64), OUTPUT | INPUT)?;
        Ok(socket)
    }

    /// What ends a wait for changes.
    pub(super) fn wake_event(&self) -> io::Result<WakeEvent> {
        let wake_event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&self.epoll, &wake_event, EventData::new_u64(WAKE_EVENT), EventFlags::IN | EventFlags::ET)?;
        Ok(WakeEvent(wake_event))
    }

    /// Wakes those whose sockets have changed. If none has, and it may, it waits until one does or the bell is rung.
    pub(super) fn poll_events(&self, may_wait: bool) -> io::Result<()> {
        let mut events = [const { MaybeUninit::uninit() }; EPOLL_EVENTS_AT_ONCE_MAX];
        let timeout = Timespec::default();
        let events = match epoll::wait(&self.epoll, &mut events, (!may_wait).then_some(&timeout)) {
            Ok((events, _)) => events,
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let changes = self.changes();
        for event in events {
            // One that is gone by now may have left its key to another, who looks in vain.
            if let Some(changes) = usize::try_from(event.data.u64()).ok().and_then(|key| changes.get(key)) {
                changes.tell(event.flags);
            }
        }
        Ok(())
    }

    fn changes(&self) -> MutexGuard<'_, Slab<Arc<Readiness>>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WakeEvent {
    pub(super) fn ring(&self) {
        // It is edge-triggered and never read. It fails only after 2^64 times.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}

impl Readiness {
    fn tell(&self, flags: EventFlags) {
        let broken = EventFlags::HUP | EventFlags::ERR;
        let meanings = [(EventFlags::IN | EventFlags::RDHUP | broken, READABLE), (EventFlags::OUT | broken, WRITABLE)];
        let ready = meanings.iter().filter(|(any, _)| flags.intersects(*any)).fold(0, |all, (_, one)| all | one);
        // Who has not looked at the one before waits for something else: a peer may send a million packets meanwhile.
        if self.ready.fetch_or(ready, Ordering::Release) & ready != ready {
            self.task.wake();
        }
    }

    /// Whether there was one since this was last asked; otherwise the task is woken by the next.
    fn poll(&self, cx: &mut Context<'_>, which: u8) -> Poll<()> {
        if self.take(which) {
            return Poll::Ready(());
        }
        self.task.register(cx.waker());
        // It may have come in between.
        if self.take(which) { Poll::Ready(()) } else { Poll::Pending }
    }

    fn take(&self, which: u8) -> bool {
        self.is(which) && self.ready.fetch_and(!which, Ordering::Acquire) & which != 0
    }

    fn is(&self, which: u8) -> bool {
        self.ready.load(Ordering::Relaxed) & which != 0
    }

    fn set(&self, which: u8) {
        self.ready.fetch_or(which, Ordering::Relaxed);
    }
}

impl Socket {
    /// The socket itself.
    pub(super) fn get_ref(&self) -> &TcpStream {
        &self.stream
    }

    /// What has come, at most `bytes_max`, as soon as something has; `None` at the end. Until then no buffer is held.
    pub(super) async fn read_some(&self, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
        future::poll_fn(|cx| self.poll_read(cx, bytes_max)).await
    }

    /// Reads until the kernel has nothing more: epoll is edge-triggered, so a change is reported once. A short read does not mean
    /// that: the kernel also ends a read at TCP's urgent mark (tcp(7)).
    fn poll_read(&self, cx: &mut Context<'_>, bytes_max: usize) -> Poll<io::Result<Option<Vec<u8>>>> {
        loop {
            ready!(self.changes.poll(cx, READABLE));
            let read: io::Result<_> = SCRATCH.with_borrow_mut(|scratch| {
                let count = (&self.stream).read(&mut scratch[..bytes_max])?;
                Ok((count > 0).then(|| scratch[..count].to_vec()))
            });
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => self.changes.set(READABLE),
                read => {
                    self.changes.set(READABLE);
                    return Poll::Ready(read);
                }
            }
        }
    }

    /// Whether to be told of what comes. A socket that is not to be read for a while is left alone by this: of a million
    /// packets, one after the other, the kernel tells a million times.
    pub(super) fn listen(&self, on: bool) -> io::Result<()> {
        let flags = if on { OUTPUT | INPUT } else { OUTPUT };
        // If something has come by the time that it listens again, that is told at once.
        Ok(epoll::modify(&self.sockets.epoll, &self.stream, EventData::new_u64(self.key as u64), flags)?)
    }

    /// Writes as much as the kernel takes.
    ///
    /// # Errors
    /// `WouldBlock` if it takes nothing; [`Socket::poll_writable`] says when it is worth another try.
    pub(super) fn write(&self, source: Source<'_>) -> io::Result<usize> {
        let written = match source {
            // One piece, as there mostly is. This costs less than `write`, and than a list of one.
            Source::Memory([slice]) => send(&self.stream, slice, SendFlags::NOSIGNAL),
            Source::Memory(slices) => rustix::io::writev(&self.stream, slices),
            Source::File(file, mut offset, bytes) => sendfile(&self.stream, file, Some(&mut offset), bytes.len()),
        };
        Ok(written?)
    }

    /// Ready if the kernel may have begun to take something since it was last full.
    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.changes.poll(cx, WRITABLE)
    }

    /// Writes all of it.
    pub(super) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match (&self.stream).write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    future::poll_fn(|cx| self.poll_writable(cx)).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Ends what is sent, and reads what still comes until the peer has ended, too. Input left unread would turn the close
    /// into a reset, which destroys what is under way.
    pub(super) async fn drain(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)?;
        while self.read_some(READ_BYTES_MAX).await?.is_some() {
            // Or those who go on sending would keep a processor busy with it.
            Timer::after(Duration::from_millis(DRAIN_PAUSE_MS)).await;
        }
        Ok(())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.sockets.changes().remove(self.key);
    }
}
