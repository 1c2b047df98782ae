//! In the place of the module `tls`, in a build without the feature `tls`.

use std::convert::Infallible;

use smol::net::TcpStream;

use super::address::WITHOUT_TLS;
use super::transport::{ServerReader, ServerWriter};
use super::trust::Trust;

/// Never made.
#[derive(Clone)]
pub(super) struct Connector(Infallible);

impl Connector {
    /// # Errors
    /// The text says that TLS is missing.
    pub(super) fn new(_: &str, _: &Trust) -> Result<Self, String> {
        Err(WITHOUT_TLS.to_owned())
    }

    #[expect(clippy::unused_async, reason = "like the function in its place")]
    pub(super) async fn connect(&self, _: TcpStream) -> Result<(ServerReader, Box<dyn ServerWriter>), String> {
        match self.0 {}
    }
}
