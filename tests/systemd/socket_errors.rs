//! Sockets with which the server does not start: each error says what to do.

use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use crate::activated;
use crate::common::{DEADLINE, exit_code};

/// The error of a server with these sockets and arguments. `process`: the process that the sockets are for, if it is not the server.
fn start_error(sockets: &[(&str, &dyn AsFd)], arguments: &[&str], process: Option<&str>) -> String {
    let (mut command, _sockets) = activated(sockets, "error", arguments);
    let mut child = command
        .envs(process.map(|process| ("PID", process)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("bash starts");
    assert_eq!(exit_code(&mut child, DEADLINE), Some(1));
    io::read_to_string(child.stderr.take().expect("piped")).expect("UTF-8")
}

#[test]
fn missing_name_lists_the_sockets() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.sock");
    let (tcp, unix) = (TcpListener::bind("127.0.0.1:0").expect("a port"), UnixListener::bind(&path).expect("a socket"));
    let sockets: [(&str, &dyn AsFd); 2] = [("web", &tcp), ("chat", &unix)];
    let error = start_error(&sockets, &["--listen", "tcp+fd://chat"], None);
    let address = tcp.local_addr().expect("an address");
    assert_eq!(
        error,
        format!(
            "chinwagd: cannot listen on tcp+fd://chat: expected a TCP socket of this name (FileDescriptorName=); found \
             \"web\" ({address}), \"chat\" ({})\n",
            path.display()
        )
    );
    assert!(path.exists(), "the server has removed a file of systemd");
}

#[test]
fn socket_that_no_listener_names_is_an_error() {
    let [chat, web] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let address = web.local_addr().expect("an address");
    for arguments in [&["--listen", "tcp+fd://chat"][..], &["--listen", "tcp+fd://chat", "--listen", "127.0.0.1:0"]] {
        let error = start_error(&[("chat", &chat), ("web", &web)], arguments, None);
        assert_eq!(
            error,
            format!(
                "chinwagd: no --listen option names the inherited socket \"web\" ({address}), so its clients would wait forever; add \
                 --listen tcp+fd://web, or remove the socket from the .socket unit\n"
            )
        );
    }
}

#[test]
fn descriptor_that_is_no_listening_stream_socket_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut client = TcpStream::connect(listener.local_addr().expect("an address")).expect("it listens");
    client.write_all(b"NICK alice\n").expect("it is sent");
    let (connection, _) = listener.accept().expect("a connection");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let (pipe, _writer) = io::pipe().expect("a pipe");
    let others: [(&dyn AsFd, &str); 3] = [
        (&connection, "it is a connection; set Accept=no in its .socket unit"),
        (&udp, "it is a datagram socket; use ListenStream= in its .socket unit"),
        (&pipe, "it is not a stream socket; use ListenStream= in its .socket unit"),
    ];
    for (descriptor, why) in others {
        let error = start_error(&[("chat", descriptor)], &["--listen", "tcp+fd://chat"], None);
        assert_eq!(error, format!("chinwagd: cannot listen on the inherited socket \"chat\": {why}\n"));
    }
}

/// The sockets are those of another process, from which this one has the environment.
#[test]
fn sockets_for_another_process_are_not_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let error = start_error(&[("chat", &listener)], &["--listen", "tcp+fd://chat"], Some("1"));
    let expected = "chinwagd: cannot listen on tcp+fd://chat: LISTEN_PID is 1, not the number of this process; a script that starts \
                    the server must do so with exec\n";
    assert_eq!(error, expected);
}

#[test]
fn without_sockets_the_error_says_how_to_start() {
    let mut command = crate::common::command(&["--log", "error", "--listen", "unix+fd://chat"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    assert_eq!(exit_code(&mut child, DEADLINE), Some(1));
    let error = io::read_to_string(child.stderr.take().expect("piped")).expect("UTF-8");
    let expected = "chinwagd: cannot listen on unix+fd://chat: systemd has passed no socket, or other --listen options have \
                    taken all; start the server by its .socket unit, or with systemd-socket-activate\n";
    assert_eq!(error, expected);
}
