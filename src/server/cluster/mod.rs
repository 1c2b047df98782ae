//! Connects a node with the engine that keeps the cluster's log: NATS JetStream.
//!
//! `crate::cluster` decides what to append and what to read; nothing here knows what a message of the log means.
//!
//! | file | what it has |
//! |---|---|
//! | `address` | the value of `--cluster`, and the names of the cluster and of the node |
//! | `credentials` | the credentials of a node at the engine, from files or from the address |
//! | `membership` | the server as a node: the options, and the channels to the thread |
//! | `secret` | a text that no error and no log shows |
//! | `nats` | the thread that carries out the requests |

mod address;
mod credentials;
mod membership;
mod nats;
mod secret;

pub use self::address::{ClusterAddress, ClusterName, EngineServer, NodeName, redact_secrets};
pub use self::credentials::{CredentialFiles, CredentialsError, EngineCredentials};
pub use self::membership::NodeOptions;
pub use self::nats::{NatsEngine, NatsOptions};
pub use self::secret::Secret;
