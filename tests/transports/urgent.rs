//! TCP urgent data (RFC 9293, section 3.8.5) keeps its place in the stream.

use std::io::Write as _;

use socket2::SockRef;

use crate::common::{Site, Transport};

fn urgent_byte_keeps_its_place<T: Transport>() {
    let lines = T::encode("PING a\nMSG é😀\nPING b\nQUIT\n".as_bytes());
    let site = Site::<T>::start();
    let mut watcher = site.join("watcher");
    for at in 0..lines.len() {
        let mut client = site.join("a");
        let sent = SockRef::from(client.stream()).send_out_of_band(&lines[..=at]).expect("the server reads");
        assert_eq!(sent, at + 1);
        // The server may have read QUIT already.
        let _ = client.stream().write_all(&lines[at + 1..]);
        assert_eq!(client.rest(), ["OK PING a", &format!("OK MSG {}", at + 1), "OK PING b", "OK QUIT"]);
        assert_eq!(watcher.sync(), ["JOIN a", "MSG a é😀", "LEAVE a quit"], "urgent at byte {at}");
    }
}

test_each_plain_tcp_transport!(urgent_byte_keeps_its_place);
