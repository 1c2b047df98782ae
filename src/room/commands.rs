//! What each command does to the room: one short method a command, matched in one place.

use std::ops::Range;
use std::sync::Arc;

use super::names::Collision;
use super::{HistoryQuery, Member, Output, Room, Session, SessionId, private_tag};
use crate::protocol::{
    Command, Details, Drawing, ErrorCode, Event, EventId, LeaveReason, Mode, Name, Past, Refusal, Reply, ResumeToken,
    Secret, ServerLine, Setting, Text, Timestamp, Token, User, Verb,
};

/// One command being carried out: whose, when, and where its outputs go.
struct Turn<'a> {
    room: &'a mut Room,
    at: Timestamp,
    session: SessionId,
    /// For a token, if the command asks for one.
    secret: Option<Secret>,
    out: &'a mut Vec<Output>,
}

impl Room {
    pub(super) fn carry_out(
        &mut self,
        at: Timestamp,
        session: SessionId,
        command: Command,
        secret: Option<Secret>,
        out: &mut Vec<Output>,
    ) {
        self.touch(session);
        let mut turn = Turn { room: self, at, session, secret, out };
        if let Err(refusal) = turn.carry_out(command) {
            self.refuse(at, session, refusal, out);
        } else if let Some(state) = self.sessions.get_mut(session) {
            state.errors = 0;
        }
    }

    /// Publishes what the session said, now that it is stored.
    pub(super) fn say(&mut self, session: SessionId, past: Past, out: &mut Vec<Output>) {
        let Past { id, at, name, text } = past;
        assert!(id > self.last_event, "ids go up");
        self.settle(session, &name);
        (self.last_event, self.being_stored) = (EventId(id.0 - 1), None);
        Turn { room: self, at, session, secret: None, out }.publish_own(Event::Msg(name, text), Reply::Msg(id));
    }

    /// Records that one of the session's messages under this nickname was published or refused.
    fn settle(&mut self, session: SessionId, name: &Name) {
        match self.sessions.get_mut(session).and_then(|state| state.member.as_mut()) {
            Some(member) if member.name == *name && member.unpublished > 0 => member.unpublished -= 1,
            _ => self.names.settle(name, session),
        }
    }

    /// Tells a session that missed who came and went who is here.
    pub(super) fn caught_up(&mut self, at: Timestamp, session: SessionId, out: &mut Vec<Output>) {
        let Some(state) = self.sessions.get(session).filter(|state| state.member.is_some()) else { return };
        let tag = private_tag(state, at);
        let mut turn = Turn { room: self, at, session, secret: None, out };
        let roster = turn.roster();
        turn.tell(ServerLine::Event(tag, Event::Roster(roster.len())));
        turn.out.push(Output::List(session, roster));
    }

    /// Tells the session, if it is still connected, that its message was refused.
    pub(super) fn not_stored(&mut self, session: SessionId, name: &Name, why: &str, out: &mut Vec<Output>) {
        self.settle(session, name);
        if self.sessions.get(session).is_none_or(Session::is_away) {
            return;
        }
        let text = format!("nobody got the message: {why}; try again later");
        out.push(Output::Tell(session, ServerLine::Err(Refusal::new(Verb::Msg, ErrorCode::NotStored, text))));
    }
}

impl Turn<'_> {
    fn carry_out(&mut self, command: Command) -> Result<(), Refusal> {
        match command {
            Command::Nick(name) => self.nick(name)?,
            Command::Resume(token) => self.resume(token)?,
            Command::Msg(text) => self.msg(text)?,
            Command::Whisper(to, text) => self.whisper(&to, &text)?,
            Command::Who => self.who()?,
            Command::History(count) => self.history(count)?,
            Command::Since(id, epoch) => self.since(id, epoch.as_ref())?,
            Command::Search(words) => self.search(words)?,
            Command::Draw(drawing) => self.draw(drawing)?,
            Command::Canvas => self.canvas()?,
            Command::Status => self.status()?,
            Command::Chat => self.chat()?,
            Command::Ping(token) => self.reply(Reply::Ping(token)),
            Command::Pong(_) => {}
            Command::Help(verb) => self.help(verb),
            Command::Set(Setting::Resume, true) => self.give_token()?,
            Command::Set(setting, on) => self.set(setting, on),
            Command::Quit(reason) => self.quit(reason),
        }
        Ok(())
    }

    fn nick(&mut self, name: Name) -> Result<(), Refusal> {
        if let Some(collision) = self.room.names.collision(&name, self.session) {
            return Err(self.refuse_name(&name, collision));
        }
        match self.room.name(self.session).cloned() {
            None => self.join(name),
            Some(same) if same == name => self.reply(Reply::Nick(name)),
            Some(from) => self.rename(from, name),
        }
        Ok(())
    }

    fn join(&mut self, name: Name) {
        let (at, session) = (self.at, self.session);
        self.room.joins += 1;
        let seniority = self.room.joins;
        let Some(state) = self.room.sessions.get_mut(session) else { return };
        let echo = state.echo;
        state.member = Some(Member { name: name.clone(), seniority, joined_at: self.room.now, unpublished: 0 });
        self.room.names.insert(&name, session);
        self.room.members.insert(seniority, session);
        self.room.roster = None;
        if echo {
            self.out.push(Output::Follow(session));
        }
        self.room.publish(at, session, Event::Join(name.clone()), None, self.out);
        self.reply(Reply::Nick(name));
        if !echo {
            self.out.push(Output::Follow(session));
        }
        if self.room.coordinator() == Some(session) {
            self.room.announce_coordinator(at, self.out);
        }
    }

    fn rename(&mut self, from: Name, to: Name) {
        let Some(member) = self.room.sessions.get_mut(self.session).and_then(|state| state.member.as_mut()) else {
            return;
        };
        member.name = to.clone();
        let unpublished = std::mem::take(&mut member.unpublished);
        self.room.names.remove(&from, self.session, unpublished);
        self.room.names.insert(&to, self.session);
        self.room.roster = None;
        let reply = Reply::Nick(to.clone());
        self.publish_own(Event::Rename { from, to }, reply);
    }

    fn resume(&mut self, token: ResumeToken) -> Result<(), Refusal> {
        if let Some(name) = self.room.name(self.session) {
            let text = format!("you are {name} already; RESUME comes instead of NICK, on a new connection");
            return Err(Refusal::new(Verb::Resume, ErrorCode::AlreadyNamed, text));
        }
        let holder = self.room.holder_of(token);
        let name = holder.and_then(|holder| self.room.hand_over(holder, self.session, self.out));
        let name = name.ok_or_else(|| Refusal::token_unknown(self.mode()))?;
        self.reply(Reply::Resume(name));
        self.out.push(Output::Follow(self.session));
        Ok(())
    }

    fn msg(&mut self, text: Text) -> Result<(), Refusal> {
        let name = self.named(Verb::Msg)?;
        if self.room.stores {
            if let Some(member) = self.room.sessions.get_mut(self.session).and_then(|state| state.member.as_mut()) {
                member.unpublished += 1;
            }
            self.out.push(Output::Store(self.session, name, text));
            return Ok(());
        }
        let id = self.room.last_event.next();
        self.publish_own(Event::Msg(name, text), Reply::Msg(id));
        Ok(())
    }

    /// Either everybody named is told or nobody.
    fn whisper(&mut self, to: &[Name], text: &Text) -> Result<(), Refusal> {
        let from = self.named(Verb::Whisper)?;
        let mode = self.mode();
        let refuse = |code, text: String| Refusal::new(Verb::Whisper, code, format!("{text}; nothing was delivered"));
        let mut targets = Vec::with_capacity(to.len());
        for name in to {
            match self.room.names.holder(name) {
                Some(holder) if holder == self.session => {
                    return Err(refuse(ErrorCode::TargetSelf, format!("{name} is you")));
                }
                Some(holder) => targets.extend(self.room.sessions.get(holder).map(|state| (holder, state))),
                None => {
                    return Err(refuse(
                        ErrorCode::TargetAbsent,
                        format!("{name} is not here ({}WHO lists names)", mode.prefix()),
                    ));
                }
            }
        }
        if let Some((_, deaf)) = targets.iter().find(|(_, state)| state.ended || state.is_away()) {
            let name = deaf.member.as_ref().map_or("somebody", |member| member.name.as_str());
            let why =
                if deaf.is_away() { "has no connection now and may come back" } else { "is leaving and hears no more" };
            return Err(refuse(ErrorCode::TargetAbsent, format!("{name} {why}")));
        }
        let mut told = Vec::with_capacity(targets.len());
        for (target, state) in targets {
            told.extend(state.member.as_ref().map(|member| member.name.clone()));
            let event = Event::Whisper(from.clone(), text.clone());
            self.out.push(Output::Tell(target, ServerLine::Event(private_tag(state, self.at), event)));
        }
        self.reply(Reply::Whisper(told));
        Ok(())
    }

    fn who(&mut self) -> Result<(), Refusal> {
        self.named(Verb::Who)?;
        let roster = self.roster();
        let count = roster.len();
        self.out.push(Output::List(self.session, roster));
        self.reply(Reply::Who(count));
        Ok(())
    }

    fn history(&mut self, count: u64) -> Result<(), Refusal> {
        self.named(Verb::History)?;
        if self.room.stores && !self.room.history.has_last(count) {
            self.query_store(HistoryQuery::Last(count));
            return Ok(());
        }
        let numbers = self.room.history.last(count);
        self.replay(numbers, Reply::History);
        Ok(())
    }

    /// Either all that was said since, or nothing.
    fn since(&mut self, id: EventId, epoch: Option<&Token>) -> Result<(), Refusal> {
        self.named(Verb::Since)?;
        let history = self.mode().usage(Verb::History);
        let refuse = |code, text| Err(Refusal::new(Verb::Since, code, text));
        if let (Some(theirs), Some(ours)) = (epoch, &self.room.epoch)
            && theirs != ours
        {
            let text = format!("the epoch is {ours}: ids from another one mean nothing now; write: {history}");
            return refuse(ErrorCode::EpochChanged, text);
        }
        let last = self.room.last_event;
        if id > last {
            let text = format!("the last id is {}; from another epoch? that is in HELLO; write: {history}", last.0);
            return refuse(ErrorCode::IdAhead, text);
        }
        let Some(numbers) = self.room.history.since(id) else {
            if self.room.stores {
                self.query_store(HistoryQuery::Since(id));
                return Ok(());
            }
            let oldest = self.room.history.oldest().unwrap_or(last.next());
            return Err(Refusal::too_old(Verb::Since, oldest, self.mode().prefix()));
        };
        self.replay(numbers, Reply::Since);
        Ok(())
    }

    fn replay(&mut self, numbers: Range<u64>, reply: fn(u64) -> Reply) {
        let count = numbers.end - numbers.start;
        self.out.push(Output::Replay(self.session, numbers));
        self.reply(reply(count));
    }

    fn query_store(&mut self, query: HistoryQuery) {
        self.out.push(Output::QueryStore(self.session, query, self.room.last_event));
    }

    fn search(&mut self, words: Text) -> Result<(), Refusal> {
        self.named(Verb::Search)?;
        if self.room.stores {
            self.query_store(HistoryQuery::Words(words));
            return Ok(());
        }
        let text = "this server keeps no messages that could be searched (its operator would say: --data PATH)";
        Err(Refusal::new(Verb::Search, ErrorCode::NoStore, text))
    }

    fn roster(&mut self) -> Arc<[User]> {
        let roster = self.room.roster.take().unwrap_or_else(|| self.users(|_, _| None).collect());
        self.room.roster = Some(Arc::clone(&roster));
        roster
    }

    fn draw(&mut self, drawing: Drawing) -> Result<(), Refusal> {
        let name = self.named(Verb::Draw)?;
        self.publish_own(Event::Draw(name, drawing), Reply::Draw);
        Ok(())
    }

    fn canvas(&mut self) -> Result<(), Refusal> {
        self.named(Verb::Canvas)?;
        let numbers = self.room.canvas.all();
        let count = numbers.end - numbers.start;
        self.out.push(Output::Canvas(self.session, numbers));
        self.reply(Reply::Canvas(count));
        Ok(())
    }

    fn status(&mut self) -> Result<(), Refusal> {
        self.named(Verb::Status)?;
        let coordinator = self.room.coordinator();
        if coordinator != Some(self.session) {
            let name = coordinator.and_then(|session| self.room.name(session)).map_or("nobody", Name::as_str);
            let text = format!("it shows addresses; only the coordinator may, and that is {name}");
            return Err(Refusal::new(Verb::Status, ErrorCode::NotCoordinator, text));
        }
        let (room, now) = (&*self.room, self.room.now);
        let details = |session: SessionId, state: &Session| {
            Some(Details {
                id: room.resumed(session).unwrap_or(session).0,
                address: state.address,
                idle_seconds: now.seconds_since(state.last_line_at),
                online_seconds: now.seconds_since(state.member.as_ref()?.joined_at),
            })
        };
        let users: Arc<[User]> = self.users(details).collect();
        let count = users.len();
        self.out.push(Output::List(self.session, users));
        self.reply(Reply::Status(count));
        Ok(())
    }

    /// Those who are here in the order in which they joined, with what `details` adds of each.
    fn users(&self, details: impl Fn(SessionId, &Session) -> Option<Details>) -> impl Iterator<Item = User> {
        let Room { members, sessions, .. } = &*self.room;
        let coordinator = self.room.coordinator();
        members.values().filter_map(move |&session| {
            let state = sessions.get(session)?;
            let name = state.member.as_ref()?.name.clone();
            Some(User { name, coordinator: coordinator == Some(session), details: details(session, state) })
        })
    }

    fn help(&mut self, verb: Option<Verb>) {
        let mode = self.mode();
        let explain = |verb: Verb| format!("{}: {}", mode.usage(verb), verb.summary());
        let lines = match verb {
            // There `/msg` whispers, and a message has no verb.
            Some(Verb::Msg) if mode == Mode::Chat => vec![explain(Verb::Whisper), explain(Verb::Msg)],
            Some(verb) => vec![explain(verb)],
            None => Verb::ALL.into_iter().map(explain).collect(),
        };
        for line in lines {
            self.tell(ServerLine::Event(None, Event::Notice(Text::ours(&line))));
        }
        self.reply(Reply::Help);
    }

    fn set(&mut self, setting: Setting, on: bool) {
        // The reply comes first: it is the last thing before the change.
        self.reply(Reply::Set(setting, on));
        match setting {
            Setting::Resume => self.room.void_token(self.session),
            Setting::Tags => self.room.speak(self.session, self.out, |dialect| dialect.tags = on),
            Setting::Draw => self.room.speak(self.session, self.out, |dialect| dialect.draw = on),
            Setting::Echo => {
                if let Some(state) = self.room.sessions.get_mut(self.session) {
                    state.echo = on;
                }
            }
        }
    }

    fn give_token(&mut self) -> Result<(), Refusal> {
        let token = self.secret.and_then(|secret| self.room.give_token(self.session, secret));
        let token = token.ok_or_else(|| {
            let text = "this server holds nobody's name; if your connection breaks, join again with NICK";
            Refusal::new(Verb::Set, ErrorCode::ResumeOff, text)
        })?;
        self.reply(Reply::Resumable(token));
        Ok(())
    }

    fn chat(&mut self) -> Result<(), Refusal> {
        self.named(Verb::Chat)?;
        let Some(state) = self.room.sessions.get_mut(self.session) else { return Ok(()) };
        let on = state.mode == Mode::Commands;
        state.mode = if on { Mode::Chat } else { Mode::Commands };
        self.out.push(Output::Read(self.session, state.mode));
        self.reply(Reply::Chat(on));
        Ok(())
    }

    fn quit(&mut self, reason: Option<Text>) {
        self.reply(Reply::Quit);
        self.room.leave(self.at, self.session, LeaveReason::Quit, reason, self.out);
    }

    /// The session's name, without which `verb` does nothing.
    fn named(&self, verb: Verb) -> Result<Name, Refusal> {
        self.room
            .name(self.session)
            .cloned()
            .ok_or_else(|| Refusal::new(verb, ErrorCode::NoName, "you have no name yet; take one first: NICK name"))
    }

    /// How the session's lines are read, and so how commands are to be written.
    fn mode(&self) -> Mode {
        self.room.sessions.get(self.session).map_or(Mode::Commands, |state| state.mode)
    }

    fn refuse_name(&self, name: &Name, collision: Collision) -> Refusal {
        let (code, holder, how) = match collision {
            Collision::Taken(holder) => (ErrorCode::NameTaken, holder, "is the same name as"),
            Collision::Alike(holder) => (ErrorCode::NameAlike, holder, "looks too much like"),
            Collision::Reserved => {
                let usage = self.mode().usage(Verb::Nick);
                let why = format!(
                    "{name} is reserved until a message sent under it, or under a look-alike, is stored; try again later, or choose another and write: {usage}"
                );
                return Refusal::new(Verb::Nick, ErrorCode::NameTaken, why);
            }
        };
        let why = match self.room.name(holder) {
            Some(taken) if taken != name => format!("{name} {how} {taken}, which is taken"),
            _ => format!("{name} is taken"),
        };
        Refusal::new(Verb::Nick, code, format!("{why}; choose another and write: {}", self.mode().usage(Verb::Nick)))
    }

    /// Publishes what the session did. It reads the reply in the event's place, or after it if it wants an echo.
    fn publish_own(&mut self, event: Event, reply: Reply) {
        let echo = self.room.sessions.get(self.session).is_some_and(|state| state.echo);
        let own = (!echo).then(|| reply.clone());
        self.room.publish(self.at, self.session, event, own, self.out);
        if echo {
            self.reply(reply);
        }
    }

    fn reply(&mut self, reply: Reply) {
        self.tell(ServerLine::Ok(reply));
    }

    fn tell(&mut self, line: ServerLine) {
        self.out.push(Output::Tell(self.session, line));
    }
}
