//! Functions of a server process that only this load generator needs: a second listener, descriptors, memory in the kernel.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::common::certificate::Certificate;
use crate::common::server::Server;
use crate::common::tls::TlsClient;

impl Server {
    /// Starts chinwagd on these processors, with a second listener: for TLS. Returns a client for it, too.
    pub(crate) fn start_with_tls(processors: &[usize], program: &Path, arguments: &[&str]) -> (Self, TlsClient) {
        let certificate = Certificate::make(program).unwrap_or_else(|error| panic!("{error}"));
        let listener = certificate.listener_options();
        let options: Vec<_> = listener.iter().map(String::as_str).chain(arguments.iter().copied()).collect();
        (Self::start_on(processors, program, &options), TlsClient::new(&certificate))
    }

    /// The address of its second listener, if it was started with `--listen`: for WebSocket or TLS.
    pub(crate) fn second_address(&self) -> SocketAddr {
        self.addresses[1]
    }

    /// Open descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("/proc").count()
    }

    /// Lowers the limit of open descriptors while the server runs.
    pub(crate) fn limit_descriptors(&self, most: u64) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        prlimit(pid, Resource::Nofile, limit).expect("the limit can be lowered");
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Restarts [`Server::resident_bytes_max`] at the present value.
    pub(crate) fn reset_resident_bytes_max(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").expect("a process of the same user");
    }
}

/// Memory of all TCP sockets of this machine in the kernel, both ends of each connection.
pub(crate) fn kernel_tcp_bytes() -> u64 {
    let page_bytes = rustix::param::page_size() as u64;
    let stat = fs::read_to_string("/proc/net/sockstat").expect("/proc");
    let line = stat.lines().find(|line| line.starts_with("TCP:")).expect("a line on TCP");
    let (_, pages) = line.rsplit_once("mem ").expect("a figure for memory");
    pages.parse::<u64>().expect("a number") * page_bytes
}
