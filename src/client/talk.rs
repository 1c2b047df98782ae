//! A session over its connections, typed at a terminal or not. What is to be done is for [`Session`] to say.

use std::sync::Arc;

use smol::lock::Mutex;

use super::link::{Link, News};
use super::session::{Action, Session, Shown};
use super::wire::text_of;
use super::{Code, End};
use crate::limits::LINES_IN_FLIGHT_MAX;

/// A session that the line editor looks at, too, to complete names.
pub(super) type Shared = Arc<Mutex<Session>>;

/// Talks until the input is at its end or says to leave, or the connection is lost for good. Input that `can_wait` is read only
/// while there is a connection.
pub(super) async fn talk(
    link: &mut Link,
    session: &Shared,
    can_wait: bool,
    mut show: impl FnMut(&Shown) -> Result<(), End>,
) -> Result<(), End> {
    let mut leaving = false;
    loop {
        let input = {
            let session = session.lock_blocking();
            !leaving && session.unanswered() < LINES_IN_FLIGHT_MAX && (session.is_linked() || !can_wait)
        };
        let news = link.next(input).await;
        let mut session = session.lock_blocking();
        let actions = match news {
            Ok(News::Heard(heard)) => session.received(heard),
            Ok(News::Typed(typed)) => session.typed(&text_of(&typed.unwrap_or(b"/quit".into()))),
            Ok(News::Missing(what) | News::Failed(what)) => vec![Action::Show(Shown::Warning(what))],
            Ok(News::CaughtUp(whole)) => session.caught_up(link.name(), whole),
            Ok(News::Lost(_)) => session.disconnected(),
            Ok(News::Waits(pause)) => {
                let text = format!("connecting to {} again in {:.1} s", link.address(), pause.as_secs_f64());
                vec![Action::Show(Shown::Note(text))]
            }
            Ok(News::Back(named)) => session.connected(named),
            Err(end) => {
                let left = leaving && end.0 == Code::Lost && session.unanswered() == 0;
                for action in session.gone(left) {
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
                    link.stay_away();
                }
            }
        }
    }
}
