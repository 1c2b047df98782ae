//! Tests that take the transport as a parameter and run over each of them. Tests of one transport are in `tests/tcp` and `tests/web`.

#[path = "../common/mod.rs"]
mod common;

/// Makes each of these functions a test for each transport, such as `tcp::whisper_reaches_only_its_targets` and
/// `websocket::whisper_reaches_only_its_targets`.
macro_rules! test_each_transport {
    ($($test:ident),* $(,)?) => {
        mod tcp {
            $(#[test] fn $test() { super::$test::<crate::common::Tcp>(); })*
        }
        #[cfg(feature = "proxy")]
        mod proxy {
            $(#[test] fn $test() { super::$test::<crate::common::Proxy>(); })*
        }
        mod unix {
            $(#[test] fn $test() { super::$test::<crate::common::Unix>(); })*
        }
        #[cfg(feature = "tls")]
        mod tls {
            $(#[test] fn $test() { super::$test::<crate::common::Tls>(); })*
        }
        #[cfg(feature = "web")]
        mod websocket {
            $(#[test] fn $test() { super::$test::<crate::common::WebSocket>(); })*
        }
        #[cfg(all(feature = "tls", feature = "web"))]
        mod secure_websocket {
            $(#[test] fn $test() { super::$test::<crate::common::SecureWebSocket>(); })*
        }
    };
}

/// Makes each of these functions one test, which runs it over all transports at once: for functions that wait for most of their time.
macro_rules! test_all_transports_at_once {
    ($($test:ident),* $(,)?) => {
        mod all {
            $(#[test] fn $test() {
                std::thread::scope(|scope| {
                    let run = |transport: &str, test: fn()| {
                        std::thread::Builder::new().name(transport.to_owned()).spawn_scoped(scope, test).expect("a thread");
                    };
                    run("tcp", super::$test::<crate::common::Tcp>);
                    #[cfg(feature = "proxy")]
                    run("proxy", super::$test::<crate::common::Proxy>);
                    run("unix", super::$test::<crate::common::Unix>);
                    #[cfg(feature = "tls")]
                    run("tls", super::$test::<crate::common::Tls>);
                    #[cfg(feature = "web")]
                    run("websocket", super::$test::<crate::common::WebSocket>);
                    #[cfg(all(feature = "tls", feature = "web"))]
                    run("secure_websocket", super::$test::<crate::common::SecureWebSocket>);
                });
            })*
        }
    };
}

/// Makes each of these functions a test for each transport whose bytes TCP carries as they are.
macro_rules! test_each_plain_tcp_transport {
    ($($test:ident),* $(,)?) => {
        mod tcp {
            $(#[test] fn $test() { super::$test::<crate::common::Tcp>(); })*
        }
        #[cfg(feature = "web")]
        mod websocket {
            $(#[test] fn $test() { super::$test::<crate::common::WebSocket>(); })*
        }
    };
}

mod bytes;
#[cfg(feature = "store")]
mod catch_up;
mod delivery;
mod endings;
mod order;
mod password;
mod rate_limit;
mod resume;
mod slow_consumers;
mod timeouts;
mod urgent;
