//! In place of `service_manager`, without the feature `systemd`.

use std::future::Pending;
use std::sync::Arc;

use super::admission::Admission;
use super::connection::ConnectionContext;
use super::inherited_sockets::InheritedSockets;

/// The program that has started the process. This build takes nothing from it, and tells it nothing.
#[derive(Clone, Debug, Default)]
pub struct ServiceManager(());

#[expect(clippy::unused_self, clippy::unused_async, reason = "the interface is that of the feature")]
impl ServiceManager {
    pub(super) fn take_sockets(&self) -> InheritedSockets {
        InheritedSockets::default()
    }

    pub(super) fn is_notified(&self) -> bool {
        false
    }

    pub(super) async fn while_starting<T>(&self, starting: impl Future<Output = T>) -> T {
        starting.await
    }

    pub(super) async fn ready(&self) {}

    pub(super) async fn reloading(&self) {}

    pub(super) async fn stopping(&self) {}

    pub(super) fn watch(&self, _: &Arc<ConnectionContext>, _: &Arc<Admission>) -> Option<Pending<()>> {
        None
    }
}
