//! An event loop on one thread: an epoll that finds the connections with input, and loops that take turns until something holds.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

/// How long to wait for the next input before giving up.
const PATIENCE: Duration = Duration::from_secs(20);

/// The longest turn of [`EventLoop::turn_until`].
const TURN_MAX: Duration = Duration::from_millis(100);

/// Finds the connections that have input.
pub(crate) struct Poller {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Poller {
    pub(crate) fn new() -> Self {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
        Self { epoll, events: Vec::with_capacity(1024) }
    }

    pub(crate) fn add(&self, socket: impl AsFd, number: usize) {
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(&self.epoll, socket, data, epoll::EventFlags::IN).expect("epoll takes a socket");
    }

    pub(crate) fn remove(&self, socket: impl AsFd) {
        epoll::delete(&self.epoll, socket).expect("it was added");
    }

    /// Waits up to `wait` until connections have input. Returns how many there are.
    fn wait(&mut self, wait: Duration) -> usize {
        self.events.clear();
        let timeout = Timespec::try_from(wait).expect("a short time");
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => self.events.len(),
            Err(error) => panic!("epoll: {error}"),
        }
    }

    /// The number of one of the connections that the last wait found.
    fn ready(&self, index: usize) -> usize {
        usize::try_from({ self.events[index].data }.u64()).expect("64-bit")
    }
}

/// Connections that one thread drives.
pub(crate) trait EventLoop {
    fn poller(&mut self) -> &mut Poller;

    /// Reads once from the connection that was added with this number.
    fn read(&mut self, number: usize);

    /// Called after each turn.
    fn finish_turn(&mut self) {}

    /// Reads once from every connection that has input; waits up to `wait` for the first. Returns whether there was input.
    fn turn(&mut self, wait: Duration) -> bool {
        let count = self.poller().wait(wait);
        for index in 0..count {
            let number = self.poller().ready(index);
            self.read(number);
        }
        self.finish_turn();
        count > 0
    }

    fn turn_for(&mut self, duration: Duration) {
        let end = Instant::now() + duration;
        while let Some(rest) = end.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero()) {
            self.turn(rest);
        }
    }

    /// Takes turns until this moment, at least one: input is read also by a sender that is late.
    fn turn_until_due(&mut self, due: Instant) {
        self.turn(Duration::ZERO);
        self.turn_for(due.saturating_duration_since(Instant::now()));
    }

    /// Takes turns until `holds` is true. Returns false if no input comes for [`PATIENCE`].
    fn turn_until(&mut self, holds: impl Fn(&Self) -> bool) -> bool {
        let mut quiet_since = Instant::now();
        while !holds(self) {
            if self.turn(TURN_MAX) {
                quiet_since = Instant::now();
            }
            if quiet_since.elapsed() > PATIENCE {
                return false;
            }
        }
        true
    }
}
