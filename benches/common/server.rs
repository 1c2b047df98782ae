//! A server under load: a process on its own processor, and the CPU time and memory that it uses.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};
use tempfile::TempDir;

/// The processor that the server runs on.
pub(crate) const SERVER_PROCESSOR: usize = 0;

/// The processor that the load generator runs on.
pub(crate) const LOAD_PROCESSOR: usize = 1;

/// The unit of processor time in `/proc`: 100 a second on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// How long a server may take to start.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// A running server, killed when it is dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    /// The addresses on which it listens, in the order of its options.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Holds its port file or its configuration; removed with it.
    _directory: TempDir,
}

/// CPU time of a process.
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

    /// The same shares of another total: the kernel counts the sum in nanoseconds, but user and system time in ticks.
    pub(crate) fn scaled_to(self, total: Duration) -> Self {
        let share = self.user.as_secs_f64() / self.total().as_secs_f64().max(f64::MIN_POSITIVE);
        let user = total.mul_f64(share);
        Self { user, system: total.saturating_sub(user) }
    }
}

impl Server {
    /// Starts chinwagd on the server's processor.
    pub(crate) fn start(program: &Path, arguments: &[&str]) -> Self {
        Self::start_on(&[SERVER_PROCESSOR], program, arguments)
    }

    /// Starts chinwagd on these processors. The load generator stays on its processor.
    pub(crate) fn start_on(processors: &[usize], program: &Path, arguments: &[&str]) -> Self {
        let arguments = known(program, arguments);
        let directory = tempfile::tempdir().expect("a directory for the port file");
        let port_file = directory.path().join("port");
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0", "--log", "warn", "--port-file"]).arg(&port_file).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut server = Self::spawn(&mut command, processors, directory);
        let ports = server.await_start(|| fs::read_to_string(&port_file).ok());
        let ports = ports.unwrap_or_else(|| panic!("{command:?} does not start"));
        let address = |port: &str| SocketAddr::from(([127, 0, 0, 1], port.parse().expect("a port")));
        server.addresses = ports.lines().map(address).collect();
        server
    }

    /// Starts any server on these processors. Its addresses are not known yet.
    pub(crate) fn spawn(command: &mut Command, processors: &[usize], directory: TempDir) -> Self {
        // The child inherits the affinity of this thread: a server may count its processors before it starts threads.
        run_on(processors);
        let child = command.spawn();
        run_on(&[LOAD_PROCESSOR]);
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, addresses: Vec::new(), _directory: directory }
    }

    /// Calls `find` until it returns something: the server listens then. Returns `None` if the server exits or takes too long.
    pub(crate) fn await_start<T>(&mut self, find: impl Fn() -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            let found = find();
            let has_exited = self.child.try_wait().expect("a child").is_some();
            if found.is_some() || has_exited || Instant::now() >= deadline {
                return found.filter(|_| !has_exited);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    pub(crate) fn cpu(&self) -> Cpu {
        cpu_of(&self.child.id().to_string())
    }

    /// CPU time of all its threads, in nanoseconds. The time of a running thread may be a tick behind.
    pub(crate) fn cpu_precise(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("/proc");
        let nanoseconds = tasks.filter_map(|task| {
            // The thread may have ended.
            let stat = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            stat.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanoseconds.sum())
    }

    /// Resident memory, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// The maximum of the resident memory so far, in bytes.
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
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Removes the options, with their values, that this build of chinwagd does not have. So an older build can be measured, too.
fn known<'a>(program: &Path, options: &[&'a str]) -> Vec<&'a str> {
    let help = Command::new(program).arg("--help").output();
    let help = help.unwrap_or_else(|error| panic!("{}: {error}", program.display())).stdout;
    let help = String::from_utf8_lossy(&help);
    let (known, unknown): (Vec<_>, Vec<_>) = options.chunks(2).partition(|option| help.contains(option[0]));
    for option in unknown {
        eprintln!("this build of chinwagd does not have {}; it is measured without it", option[0]);
    }
    known.concat()
}

/// CPU time of the load generator.
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

fn cpu_of(pid: &str) -> Cpu {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("/proc");
    // The process name, in parentheses, may contain any character. User time is the twelfth field after it.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let mut times = fields.split_whitespace().skip(11).map(|ticks| TICK * ticks.parse().expect("ticks"));
    Cpu { user: times.next().expect("user time"), system: times.next().expect("system time") }
}

/// Restricts this thread, and the processes that it starts, to these processors, if the machine has them.
fn run_on(processors: &[usize]) {
    let mut set = CpuSet::new();
    for &processor in processors {
        set.set(processor);
    }
    if sched_setaffinity(None, &set).is_err() {
        eprintln!("this machine has no processor {processors:?}: server and load generator share one");
    }
}
