//! Throughput: every sender keeps a window of unacknowledged messages, and every reader reads.

use std::path::Path;
use std::time::{Duration, Instant};

use argh::FromArgs;

use crate::common::event_loop::EventLoop as _;
use crate::common::figures::{Run, Runs};
use crate::common::log::TEXT_BYTES;
use crate::common::server::{Cpu, LOAD_PROCESSOR, SERVER_PROCESSOR, Server, own_cpu};
use crate::common::tls;
use crate::load::{Access, Checking, Load};
use crate::report::Report;
use crate::wire::{LINE_BYTES, parse_senders};

/// Throughput: deliveries per second, CPU time per delivery, memory per connection.
#[derive(FromArgs)]
#[argh(subcommand, name = "saturated")]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(crate) struct Saturated {
    /// readers (default: 1000)
    #[argh(option, default = "1000")]
    readers: usize,

    /// senders (default: 10)
    #[argh(option, default = "10", from_str_fn(parse_senders))]
    senders: usize,

    /// messages that each sender keeps unacknowledged (default: 512)
    #[argh(option, default = "512")]
    window: u64,

    /// seconds of the measurement (default: 4)
    #[argh(option, default = "4")]
    seconds: u64,

    /// seconds of load before the measurement (default: 1)
    #[argh(option, default = "1")]
    warm_up_seconds: u64,

    /// compare the bytes of ten readers only; for the others, the kernel discards the bytes, and their number is compared
    #[argh(switch)]
    discard: bool,

    /// connect the readers over WebSocket; all bytes are compared then
    #[argh(switch)]
    web: bool,

    /// connect the readers over TLS instead of --web; all bytes are compared then
    #[argh(switch)]
    tls: bool,

    /// run the server on both processors; the load generator shares one of them
    #[argh(switch)]
    both: bool,
}

impl Default for Saturated {
    fn default() -> Self {
        Self {
            readers: 1000,
            senders: 10,
            window: 512,
            seconds: 4,
            warm_up_seconds: 1,
            discard: false,
            web: false,
            tls: false,
            both: false,
        }
    }
}

impl Saturated {
    pub(crate) fn measure(&self, binary: &Path, runs: usize) -> Report {
        let checked =
            if self.discards() { "bytes of 10 compared, those of the others counted" } else { "every byte compared" };
        let description = format!(
            "{} readers{} ({checked}), {} senders with {} unacknowledged messages each, texts of {TEXT_BYTES} bytes in lines \
             of {LINE_BYTES}, {} s{}",
            self.readers,
            self.access_description(),
            self.senders,
            self.window,
            self.seconds,
            if self.both { ", server on both processors" } else { "" }
        );
        let runs = Runs((0..runs).map(|_| self.run(binary)).collect());
        Report { scenario: "saturated".into(), description, runs }
    }

    /// Whether the kernel discards the bytes of most readers. It cannot decode them.
    fn discards(&self) -> bool {
        self.discard && !self.web && !self.tls
    }

    fn access_description(&self) -> String {
        if self.tls {
            format!(" over {}", tls::parameters())
        } else if self.web {
            " over WebSocket".into()
        } else {
            String::new()
        }
    }

    fn start_server(&self, binary: &Path) -> (Server, Access) {
        let processors: &[_] = if self.both { &[SERVER_PROCESSOR, LOAD_PROCESSOR] } else { &[SERVER_PROCESSOR] };
        let options = ["--line-rate", "0", "--connect-rate", "0"];
        if self.tls {
            let (server, client) = Server::start_with_tls(processors, binary, &options);
            let access = Access::Tls(server.second_address(), client);
            return (server, access);
        }
        let web: &[_] = if self.web { &["--listen", "http://127.0.0.1:0"] } else { &[] };
        let server = Server::start_on(processors, binary, &[&options, web].concat());
        let access = if self.web { Access::WebSocket(server.second_address()) } else { Access::Tcp };
        (server, access)
    }

    fn run(&self, binary: &Path) -> Run {
        let mut run = Run::default();
        let (server, access) = self.start_server(binary);
        let checking = if self.discards() { Checking::Sample } else { Checking::All };
        let mut load = Load::new(server.address(), checking, self.senders).with_readers(access);
        let empty_bytes = server.resident_bytes();
        let start = Instant::now();
        load.join(self.readers, self.senders);
        let join_seconds = start.elapsed().as_secs_f64();
        let idle_bytes = server.resident_bytes();
        load.keep_sending(self.window);
        load.turn_for(Duration::from_secs(self.warm_up_seconds));
        self.measure_interval(&server, &mut load, &mut run);
        run.faults = load.finish();
        run.add("join_seconds", join_seconds);
        run.add_bytes("resident_bytes_empty", empty_bytes);
        run.add_bytes("resident_bytes_idle", idle_bytes);
        let connections = (self.readers + self.senders) as f64;
        run.add("resident_bytes_a_connection", idle_bytes.saturating_sub(empty_bytes) as f64 / connections);
        run.add_bytes("resident_bytes_after", server.resident_bytes());
        run.add_bytes("resident_bytes_max", server.resident_bytes_max());
        run
    }

    fn measure_interval(&self, server: &Server, load: &mut Load, run: &mut Run) {
        load.senders().iter_mut().for_each(|sender| sender.latencies = Some(Vec::new()));
        let (server_before, own_before, before) = (server.cpu(), own_cpu(), load.deliveries());
        let start = Instant::now();
        load.turn_for(Duration::from_secs(self.seconds));
        let seconds = start.elapsed().as_secs_f64();
        let (server_cpu, own_cpu) = (server.cpu().since(server_before), own_cpu().since(own_before));
        let deliveries = (load.deliveries() - before) as f64;
        let latencies: Vec<_> = load.senders().iter_mut().filter_map(|sender| sender.latencies.take()).collect();
        let least = latencies.iter().map(Vec::len).min().unwrap_or(0) * self.senders;
        let latencies = latencies.concat();
        run.add("deliveries_per_second", deliveries / seconds);
        run.add("messages_per_second", deliveries / (self.readers + self.senders - 1) as f64 / seconds);
        add_cpu(run, server_cpu, deliveries);
        // The share of the sender with the fewest messages: 1 if all senders got equal service.
        run.add("least_sender_share", least as f64 / latencies.len().max(1) as f64);
        run.add("server_busy_percent", server_cpu.total().as_secs_f64() / seconds * 100.0);
        run.add("load_busy_percent", own_cpu.total().as_secs_f64() / seconds * 100.0);
        run.add_latencies(["acknowledged_ms_p50", "acknowledged_ms_p99"], latencies);
    }
}

/// Adds the server's CPU time per delivery.
pub(crate) fn add_cpu(run: &mut Run, cpu: Cpu, deliveries: f64) {
    run.add("server_cpu_us_a_delivery", cpu.total().as_secs_f64() * 1e6 / deliveries);
    run.add("server_user_us_a_delivery", cpu.user.as_secs_f64() * 1e6 / deliveries);
    run.add("server_system_us_a_delivery", cpu.system.as_secs_f64() * 1e6 / deliveries);
}
