//! Figures of the process, from `/proc` (`proc_pid_stat(5)`), under the names that Prometheus' client libraries give them.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// The figures of this process. A figure that cannot be read is `None`: then its metric is left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ProcessFigures {
    pub(super) stat: Option<ProcessStat>,
    pub(super) open_files: Option<u64>,
    /// The limit of open files. `None`: there is none.
    pub(super) open_files_max: Option<u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct ProcessStat {
    pub(super) cpu_seconds: f64,
    /// Seconds since 1970.
    pub(super) started_at_seconds: f64,
    pub(super) threads: u64,
    pub(super) virtual_bytes: u64,
    pub(super) resident_bytes: u64,
}

impl ProcessFigures {
    /// Reads the figures. Opens files, so it finds less while all descriptors are in use.
    pub(super) fn read() -> Self {
        let stat = || Some((fs::read_to_string("/proc/self/stat").ok()?, fs::read_to_string("/proc/stat").ok()?));
        Self {
            stat: stat().and_then(|(process, system)| ProcessStat::parse(&process, &system)),
            open_files: count_entries("/proc/self/fd").ok(),
            open_files_max: getrlimit(Resource::Nofile).current,
        }
    }
}

impl ProcessStat {
    /// Parses `/proc/self/stat`, and `/proc/stat` for the time of the system's start.
    fn parse(process: &str, system: &str) -> Option<Self> {
        // The name, in parentheses, may have any character. The field after it is the third one.
        let (_, fields) = process.rsplit_once(')')?;
        let fields: Vec<_> = fields.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let booted_at = system.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse::<u64>().ok()?;
        let seconds = |ticks: u64| Duration::from_millis(ticks * 1000 / clock_ticks_per_second().max(1)).as_secs_f64();
        Some(Self {
            cpu_seconds: seconds(field(14)? + field(15)?),
            threads: field(20)?,
            started_at_seconds: Duration::from_secs(booted_at).as_secs_f64() + seconds(field(22)?),
            virtual_bytes: field(23)?,
            resident_bytes: field(24)? * page_size() as u64,
        })
    }
}

/// The entries of a directory of `/proc`, without the descriptor that reads it.
fn count_entries(path: &str) -> io::Result<u64> {
    Ok((fs::read_dir(path)?.count() as u64).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc_are_found_after_any_name() {
        let fields = "S 1 2 3 4 5 6 7 8 9 10 1500 500 13 14 15 16 9 18 25000 4096000 77 more";
        let stat = ProcessStat::parse(&format!("4711 (a) b (c) {fields}"), "cpu 1\nbtime 1000\nprocesses 1\n").unwrap();
        assert_eq!(clock_ticks_per_second(), 100, "on every Linux");
        assert_eq!((stat.cpu_seconds, stat.started_at_seconds), (20.0, 1250.0));
        assert_eq!((stat.threads, stat.virtual_bytes), (9, 4_096_000));
        assert_eq!(stat.resident_bytes, 77 * page_size() as u64);
        assert_eq!(ProcessStat::parse("4711 (a) S 1 2", "btime 1000"), None);
    }

    #[test]
    fn this_process_has_figures() {
        let before = ProcessFigures::read();
        let file = fs::File::open("/proc/self/stat").unwrap();
        let stat = before.stat.unwrap();
        assert!(stat.resident_bytes > 1 << 20 && stat.virtual_bytes >= stat.resident_bytes && stat.threads >= 1);
        assert!(before.open_files.unwrap() >= 3 && before.open_files < before.open_files_max, "{file:?}");
    }
}
