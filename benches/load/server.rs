//! The server under load: the real binary as a process of its own, on a processor of its own, and what it uses up.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use tempfile::TempDir;

const SERVER_PROCESSOR: usize = 0;
const LOAD_PROCESSOR: usize = 1;

/// The kernel's unit of processor time in `/proc`; 100 a second on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// What another server writes to its output, in its directory.
const LOG_FILE: &str = "log";

/// A running server, killed at the end whichever way that comes.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Where it listens for browsers, if it does.
    pub(crate) web: Option<SocketAddr>,
    /// Where its configuration is; removed with it.
    directory: TempDir,
}

/// Processor time used up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

impl Cpu {
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self { user: self.user.saturating_sub(earlier.user), system: self.system.saturating_sub(earlier.system) }
    }

    pub(crate) fn total(self) -> Duration {
        self.user + self.system
    }
}

impl Server {
    /// Starts the server on its processor and leaves ours to the load.
    pub(crate) fn start(binary: &Path, arguments: &[&str]) -> Self {
        Self::start_on(&[SERVER_PROCESSOR], binary, arguments)
    }

    /// Starts the server on its processor and on ours.
    pub(crate) fn start_on_both(binary: &Path, arguments: &[&str]) -> Self {
        Self::start_on(&[SERVER_PROCESSOR, LOAD_PROCESSOR], binary, arguments)
    }

    fn start_on(processors: &[usize], binary: &Path, arguments: &[&str]) -> Self {
        let arguments = known(binary, arguments);
        let directory = tempfile::tempdir().expect("a directory for the port file");
        let port_file = directory.path().join("port");
        // The server inherits ours, and counts the processors it may use before it starts threads.
        stay_on(processors);
        let child = Command::new(binary)
            .args(["--listen", "127.0.0.1:0", "--log", "warn", "--port-file"])
            .arg(&port_file)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        stay_on(&[LOAD_PROCESSOR]);
        let address: SocketAddr = ([127, 0, 0, 1], 0).into();
        let mut server = Self { child: child.expect("the server starts"), address, web: None, directory };
        let ports = server.wait_for_ports(&port_file);
        let mut addresses = ports.into_iter().map(|port| SocketAddr::new(address.ip(), port));
        server.address = addresses.next().expect("a port");
        server.web = addresses.next();
        server
    }

    /// Starts any other server, on the same processor, and waits until it accepts at the address.
    pub(crate) fn start_other(mut command: Command, address: SocketAddr, directory: TempDir) -> Self {
        let log = File::create(directory.path().join(LOG_FILE)).expect("a file for what it says");
        stay_on(&[SERVER_PROCESSOR]);
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file")).stderr(log).spawn();
        stay_on(&[LOAD_PROCESSOR]);
        let mut server = Self { child: child.expect("the server starts"), address, web: None, directory };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(address).is_err() {
            let exited = server.child.try_wait().expect("a child");
            assert!(exited.is_none() && Instant::now() < deadline, "{command:?} does not start: {}", server.said());
            thread::sleep(Duration::from_millis(10));
        }
        server
    }

    /// What it wrote to its output.
    fn said(&self) -> String {
        fs::read_to_string(self.directory.path().join(LOG_FILE)).unwrap_or_default()
    }

    fn wait_for_ports(&mut self, file: &Path) -> Vec<u16> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Ok(ports) = fs::read_to_string(file) {
                return ports.lines().map(|port| port.parse().expect("a port")).collect();
            }
            let exited = self.child.try_wait().expect("a child");
            assert!(exited.is_none() && Instant::now() < deadline, "the server does not start: {exited:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn cpu(&self) -> Cpu {
        cpu_of(&self.child.id().to_string())
    }

    /// Processor time used up by all its threads, to the nanosecond; a thread that is running is up to a tick ahead.
    pub(crate) fn cpu_precise(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("/proc");
        let nanoseconds = tasks.filter_map(|task| {
            // A thread may be gone by now.
            let stat = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            stat.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanoseconds.sum())
    }

    /// Open descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("/proc").count()
    }

    /// Lowers how many descriptors it may have open, while it runs.
    pub(crate) fn limit_descriptors(&self, most: u64) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        prlimit(pid, Resource::Nofile, limit).expect("the limit can be lowered");
    }

    /// Whether it runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Resident memory, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// From here on [`Server::resident_bytes_max`] is the most there was since.
    pub(crate) fn forget_resident_bytes_max(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").expect("a process of the same user");
    }

    /// The most resident memory there ever was, in bytes.
    pub(crate) fn resident_bytes_max(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, key: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("/proc");
        let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("a line of this name");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The options, each with its value, that this build has: to compare, an older one is run without those that it lacks.
fn known<'a>(binary: &Path, options: &[&'a str]) -> Vec<&'a str> {
    let help = Command::new(binary).arg("--help").output().expect("the server starts").stdout;
    let help = String::from_utf8_lossy(&help);
    let (known, unknown): (Vec<_>, Vec<_>) = options.chunks(2).partition(|option| help.contains(option[0]));
    for option in unknown {
        eprintln!("load: this build has no {}; measured without it", option[0]);
    }
    known.concat()
}

/// What the load itself used up.
pub(crate) fn own_cpu() -> Cpu {
    cpu_of("self")
}

/// The day, the processor and the kernel.
pub(crate) fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let kernel = read("/proc/sys/kernel/osrelease");
    let today = chrono::Local::now().format("%Y-%m-%d");
    format!("{today}, {}, Linux {}", model.trim_start_matches([' ', '\t', ':']), kernel.trim())
}

/// Bytes that all TCP sockets of this machine hold in the kernel, both ends.
pub(crate) fn kernel_tcp_bytes() -> u64 {
    let page_bytes = rustix::param::page_size() as u64;
    let stat = fs::read_to_string("/proc/net/sockstat").expect("/proc");
    let line = stat.lines().find(|line| line.starts_with("TCP:")).expect("a line on TCP");
    let (_, pages) = line.rsplit_once("mem ").expect("a figure for memory");
    pages.parse::<u64>().expect("a number") * page_bytes
}

fn cpu_of(pid: &str) -> Cpu {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("/proc");
    // The process's name, in parentheses, may contain anything; counted from there, user time is the twelfth field.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let mut times = fields.split_whitespace().skip(11).map(|ticks| TICK * ticks.parse().expect("ticks"));
    Cpu { user: times.next().expect("user time"), system: times.next().expect("system time") }
}

/// Keeps this thread, and the processes it starts, on these processors, if there are two.
fn stay_on(processors: &[usize]) {
    let mut set = CpuSet::new();
    for &processor in processors {
        set.set(processor);
    }
    if sched_setaffinity(None, &set).is_err() {
        eprintln!("load: there is no processor {processors:?}: server and load disturb each other");
    }
}
