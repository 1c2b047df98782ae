//! Collects the figures that `chinwagd status` prints.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::render;
use crate::control::StatusFormat;
use crate::process::error_text;
use crate::server::admission::Admission;
use crate::server::clock::Clock;
use crate::server::connection::ConnectionContext;
use crate::server::hub::{HubRequest, HubStatus};
use crate::server::{CertificateStatus, Reload, ServerOptions, StoreBytes, StoreOpener};

/// The sources of a server's figures.
pub(in crate::server) struct StatusSource {
    started_at: Instant,
    listeners: Vec<String>,
    admission: Arc<Admission>,
    store: Option<Arc<dyn StoreOpener>>,
    certificates: Option<Arc<dyn Reload>>,
    /// Open from the start, because later all descriptors may be in use.
    process_status: Option<Arc<File>>,
}

/// The essential figures of a running server.
#[derive(Debug)]
pub(super) struct ServerStatus {
    pub(super) pid: u32,
    pub(super) uptime: Duration,
    /// The listeners as URIs, in the order of the options.
    pub(super) listeners: Vec<String>,
    /// Clients, as `--max-clients` counts them.
    pub(super) clients: usize,
    /// The limit that is in force.
    pub(super) clients_max: usize,
    pub(super) hub: HubStatus,
    /// Resident memory. `None`: `/proc` is not there.
    pub(super) memory_bytes: Option<u64>,
    pub(super) store: Option<StoreStatus>,
    pub(super) certificates: Vec<CertificateStatus>,
}

#[derive(Debug)]
pub(super) struct StoreStatus {
    /// The path. Absolute, unless the working directory is gone.
    pub(super) path: String,
    /// Bytes of its files, or why they cannot be found.
    pub(super) bytes: Result<u64, String>,
}

impl StatusSource {
    pub(in crate::server) fn new(
        options: &ServerOptions,
        listeners: Vec<String>,
        admission: &Arc<Admission>,
        clock: &dyn Clock,
    ) -> Self {
        Self {
            started_at: clock.steady(),
            listeners,
            admission: Arc::clone(admission),
            store: options.store.clone(),
            certificates: options.certificates.clone(),
            process_status: File::open("/proc/self/status").ok().map(Arc::new),
        }
    }

    /// Reads the figures. `None` if the hub has ended.
    pub(super) async fn read(&self, context: &ConnectionContext) -> Option<ServerStatus> {
        let (asking, answer) = async_channel::bounded(1);
        context.to_hub.send(&Arc::default(), HubRequest::Status(asking), 0).ok()?;
        let hub = answer.recv().await.ok()?;
        let (store, process_status) = (self.store.clone(), self.process_status.clone());
        // In another thread, so that no task waits for a disk.
        let (store, memory_bytes) = smol::unblock(move || {
            let memory_bytes = process_status.and_then(|file| read_resident_bytes(&file).ok().flatten());
            (store.as_deref().map(read_store), memory_bytes)
        })
        .await;
        Some(ServerStatus {
            pid: process::id(),
            uptime: context.clock.steady().saturating_duration_since(self.started_at),
            listeners: self.listeners.clone(),
            clients: self.admission.client_count(),
            clients_max: self.admission.limits().effective_clients_max(),
            hub,
            memory_bytes,
            store,
            certificates: self.certificates.as_ref().map(|files| files.certificates()).unwrap_or_default(),
        })
    }
}

impl ServerStatus {
    /// Renders the figures as lines.
    pub(super) fn render(&self, format: StatusFormat) -> String {
        match format {
            StatusFormat::Text => render::text(self),
            StatusFormat::Json => render::json(self),
        }
    }
}

fn read_store(store: &dyn StoreOpener) -> StoreStatus {
    let path = path::absolute(store.path()).unwrap_or_else(|_| store.path().to_owned());
    let bytes = store.bytes().map(StoreBytes::total).map_err(|error| error_text(&error));
    StoreStatus { path: path.display().to_string(), bytes }
}

/// The resident memory of the process, from its `/proc/PID/status` (proc(5)). `None` if the file does not have it.
fn read_resident_bytes(status: &File) -> io::Result<Option<u64>> {
    let mut content = vec![0; 16 * 1024];
    let length = status.read_at(&mut content, 0)?;
    let content = String::from_utf8_lossy(&content[..length]);
    let line = content.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kib.map(|kib| kib * 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_again_from_the_open_file() {
        let file = File::open("/proc/self/status").unwrap();
        let before = read_resident_bytes(&file).unwrap().unwrap();
        let used = vec![1_u8; 32 << 20];
        let after = read_resident_bytes(&file).unwrap().unwrap();
        assert!(after > before + (16 << 20), "{before} {after} {}", used.len());
    }
}
