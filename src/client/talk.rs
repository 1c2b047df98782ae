//! A session over its connections, typed at a terminal or not. What is to be done is for [`Session`] to say.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use smol::lock::Mutex;

use super::session::{Action, Session, Shown};
use super::wire::{Next, Wire, text_of};
use super::{Code, End};
use crate::limits::{LINES_IN_FLIGHT_MAX, RECONNECT_MS};
use crate::protocol::Name;

/// A session that the line editor looks at, too, to complete names.
pub(super) type Shared = Arc<Mutex<Session>>;

/// Talks until the input is at its end or says to leave. When the connection is lost it connects `again` to that address or,
/// without one, ends.
pub(super) async fn talk(
    mut wire: Wire,
    name: Name,
    session: &Shared,
    again: Option<&str>,
    mut show: impl FnMut(&Shown) -> Result<(), End>,
) -> Result<(), End> {
    let mut actions = session.lock_blocking().connected(Ok(name));
    let (mut leaving, mut pauses) = (false, pauses());
    loop {
        for action in actions {
            match action {
                Action::Send(line) => wire.send(line.as_bytes()).await,
                Action::Show(what) => show(&what)?,
                Action::Leave => leaving = true,
            }
        }
        let input = !leaving && session.lock_blocking().unanswered() < LINES_IN_FLIGHT_MAX;
        actions = match (wire.next(input).await, again) {
            (Ok(Next::Heard(heard)), _) => session.lock_blocking().received(heard),
            (Ok(Next::Typed(line)), _) => session.lock_blocking().typed(&text_of(&line.unwrap_or(b"/quit".into()))),
            (Err(End(Code::Lost, _)), _) if leaving && session.lock_blocking().unanswered() == 0 => return Ok(()),
            (Err(End(Code::Lost, _)), Some(address)) if !leaving => {
                let gone = session.lock_blocking().disconnected().into_iter();
                gone.chain([pause(&mut wire, address, &mut pauses)]).map(Action::Show).collect()
            }
            (Err(End(Code::TimedOut, _)), Some(address)) => match reconnect(&mut wire, session, address).await {
                Ok(actions) => {
                    pauses = self::pauses();
                    actions
                }
                Err(End(_, why)) => {
                    [Shown::Warning(why), pause(&mut wire, address, &mut pauses)].map(Action::Show).to_vec()
                }
            },
            (Err(end), _) => {
                session.lock_blocking().disconnected().iter().try_for_each(&mut show)?;
                return Err(end);
            }
        };
    }
}

/// How long to wait before each attempt to connect again.
fn pauses() -> ExponentialBackoff {
    let [shortest, longest] = RECONNECT_MS.map(Duration::from_millis);
    let pauses = ExponentialBuilder::new().with_min_delay(shortest).with_max_delay(longest).without_max_times();
    pauses.with_jitter().build()
}

/// Lets the connection go, and sets the time for the next attempt to connect.
fn pause(wire: &mut Wire, address: &str, pauses: &mut ExponentialBackoff) -> Shown {
    let pause = pauses.next().unwrap_or_default();
    wire.wait_until(Instant::now() + pause);
    Shown::Note(format!("connecting to {address} again in {:.1} s", pause.as_secs_f64()))
}

async fn reconnect(wire: &mut Wire, session: &Shared, address: &str) -> Result<Vec<Action>, End> {
    wire.open(address).await?;
    let name = session.lock_blocking().name().map(ToString::to_string).unwrap_or_default();
    let named = wire.take_name(&name).await?;
    Ok(session.lock_blocking().connected(named))
}
