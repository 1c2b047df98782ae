//! Runs a chat over a link, for the terminal and for scripts. [`Session`] decides what to do.

use std::sync::Arc;

use futures_lite::future::yield_now;
use smol::lock::Mutex;

use super::input;
use super::link::{Link, LinkEvent};
use super::refusal::explain;
use super::session::{Action, DisplayItem, Session};
use super::{Code, End};

/// A session that the line editor also reads, to complete nicknames.
pub(super) type SharedSession = Arc<Mutex<Session>>;

/// Runs until the input ends or has `/quit`, or the connection is lost for good. Input that `can_wait` is read only while there is
/// a connection.
pub(super) async fn run(
    link: &mut Link,
    session: &SharedSession,
    can_wait: bool,
    mut show: impl FnMut(&DisplayItem) -> Result<(), End>,
) -> Result<(), End> {
    let (mut leaving, mut number) = (false, 0_u64);
    loop {
        // Gives the line editor its turn, however fast lines arrive.
        yield_now().await;
        let (input, unanswered) = {
            let session = session.lock_blocking();
            let unanswered = session.unanswered();
            let has_room = unanswered < link.lines_in_flight_max();
            (!leaving && has_room && (session.is_linked() || !can_wait), unanswered)
        };
        let news = link.next(input, unanswered > 0).await;
        let mut session = session.lock_blocking();
        let actions = match news {
            Ok(LinkEvent::Line(heard)) => session.handle_line(heard),
            Ok(LinkEvent::Input(typed)) => {
                number += 1;
                match input::text_of(typed.unwrap_or(b"/quit".into())) {
                    Ok(text) => session.handle_input(&text),
                    Err(refusal) => {
                        let text = format!("line {number} was not sent: {}", explain(&refusal.into()));
                        vec![Action::Show(DisplayItem::Warning(text))]
                    }
                }
            }
            Ok(LinkEvent::Gap(what) | LinkEvent::AttemptFailed(what)) => vec![Action::Show(DisplayItem::Warning(what))],
            Ok(LinkEvent::CaughtUp(whole)) => session.handle_replay_end(link.name(), whole),
            Ok(LinkEvent::Lost(_)) => session.handle_disconnect(),
            Ok(LinkEvent::RetryIn(pause)) => {
                let text = format!("reconnecting to {} in {:.1} s", link.address(), pause.as_secs_f64());
                vec![Action::Show(DisplayItem::Note(text))]
            }
            Ok(LinkEvent::Reconnected(named)) => session.handle_connect(named),
            Err(end) => {
                let left = leaving && end.0 == Code::Lost && session.unanswered() == 0;
                for action in session.handle_end(left) {
                    if let Action::Show(what) = action {
                        show(&what)?;
                    }
                }
                return if left { Ok(()) } else { Err(end) };
            }
        };
        drop(session);
        for action in actions {
            match action {
                Action::Send(command) => link.send(&command).await,
                Action::Show(what) => show(&what)?,
                Action::Leave => {
                    leaving = true;
                    link.stop_reconnecting();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use futures_lite::future::{or, zip};
    use futures_lite::io::BufReader;
    use futures_lite::{AsyncBufReadExt as _, AsyncWriteExt as _, StreamExt as _, stream};
    use smol::net::{TcpListener, TcpStream};

    use super::*;
    use crate::client::reading::Reading;
    use crate::client::wire::{Wire, time_out};
    use crate::protocol::Name;

    /// Accepts a connection and sends these lines on it.
    async fn accept(listener: &TcpListener, lines: &str) -> TcpStream {
        let (mut peer, _) = listener.accept().await.unwrap();
        peer.write_all(lines.as_bytes()).await.unwrap();
        peer
    }

    /// A typed `/history` was sent before the request for missed messages, and its reply was mistaken for theirs.
    #[test]
    fn typed_command_waits_for_replay_after_rename() {
        let hello = "HELLO chinwag/1 epoch=a hi\nOK SET tags on\n";
        let taken = format!("{hello}ERR SET unknown-setting x\nERR NICK name-taken taken\n");
        smol::block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            // The typed lines are available from the start, and are read when there is a connection.
            let typed = ["/nick bo", "/history 7"].map(|line| line.as_bytes().to_vec());
            let mut wire = Wire::new(stream::iter(typed).chain(stream::pending()));
            let (opened, before) = zip(wire.open(&address), accept(&listener, hello)).await;
            assert!(opened.is_ok());
            let mut link = Link::new(wire, address, Name::new("al").unwrap(), Reading::from_now(0), None).await;
            drop(before);
            let server = async {
                let mut peer = accept(&listener, &taken).await;
                let mut lines = BufReader::new(peer.clone()).lines();
                // The reply to a PING is a barrier: only the expected lines were sent before it.
                for (expected, answer) in [
                    (&["SET tags on", "SET resume on", "NICK al", "NICK bo"][..], "PING x"),
                    (&["PONG x"], "OK NICK bo"),
                    (&["HISTORY 0", "SET echo on", "WHO"], "PING y"),
                    (&["PONG y"], "OK HISTORY 0 last=0"),
                    (&["HISTORY 7"], "OK QUIT"),
                ] {
                    for line in expected {
                        assert_eq!(lines.next().await.unwrap().unwrap(), *line);
                    }
                    peer.write_all(format!("{answer}\n").as_bytes()).await.unwrap();
                }
            };
            let session = SharedSession::default();
            let talk = async { panic!("it ended: {:?}", run(&mut link, &session, true, |_| Ok(())).await) };
            let deadline = Instant::now().checked_add(Duration::from_secs(20));
            or(or(server, talk), async { time_out(deadline).await.unwrap() }).await;
        });
    }
}
