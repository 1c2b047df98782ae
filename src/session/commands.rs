//! What each command does: one short method a command, matched in one place.

use std::ops::Range;
use std::sync::Arc;

use super::{HistoryQuery, Output, Session, SessionId, Sessions, private_tag};
use crate::protocol::{
    Command, Details, Drawing, ErrorCode, Event, Hint, LeaveReason, MessageId, Mode, Name, Refusal, Replayed, Reply,
    ResumeToken, Secret, ServerLine, Setting, Text, Timestamp, Token, User, Verb,
};
use crate::room::{self, MemberId, Message, Origin, Verifier};

/// One command being carried out: whose, when, and where its outputs go.
struct Turn<'a> {
    sessions: &'a mut Sessions,
    at: Timestamp,
    session: SessionId,
    /// For a token, if the command asks for one.
    secret: Option<Secret>,
    out: &'a mut Vec<Output>,
}

/// How far a command is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// It was carried out.
    Done,
    /// The room decides.
    Submitted,
}

impl Sessions {
    pub(super) fn carry_out(
        &mut self,
        at: Timestamp,
        session: SessionId,
        command: Command,
        secret: Option<Secret>,
        out: &mut Vec<Output>,
    ) {
        self.touch(session);
        let mut turn = Turn { sessions: self, at, session, secret, out };
        match turn.carry_out(command) {
            Err(refusal) => self.refuse(at, session, refusal, out),
            Ok(Progress::Submitted) => {}
            Ok(Progress::Done) => {
                if let Some(state) = self.all.get_mut(session) {
                    state.errors = 0;
                }
            }
        }
    }

    /// Tells a session that missed who came and went who is here.
    pub(super) fn caught_up(&mut self, at: Timestamp, session: SessionId, out: &mut Vec<Output>) {
        let Some(state) = self.all.get(session).filter(|state| state.member.is_some()) else { return };
        let tag = private_tag(state, at);
        let mut turn = Turn { sessions: self, at, session, secret: None, out };
        let roster = turn.roster();
        turn.tell(ServerLine::Event(tag, Event::Roster(roster.len())));
        turn.out.push(Output::List(session, roster));
    }
}

impl Turn<'_> {
    fn carry_out(&mut self, command: Command) -> Result<Progress, Refusal> {
        match command {
            Command::Nick(name) => return Ok(self.nick(name)),
            Command::Resume(token) => return self.resume(token),
            Command::Msg(text) => return self.msg(text),
            Command::Whisper(to, text) => return self.whisper(to, text),
            Command::Draw(drawing) => return self.draw(drawing),
            Command::Who => self.who()?,
            Command::History(count) => self.history(count)?,
            Command::Since(id, epoch) => self.since(id, epoch.as_ref())?,
            Command::Search(words) => self.search(words)?,
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
        Ok(Progress::Done)
    }

    fn nick(&mut self, name: Name) -> Progress {
        match self.sessions.name(self.session) {
            Some(same) if *same == name => {
                self.reply(Reply::Nick(name));
                Progress::Done
            }
            Some(_) => self.submit(room::Action::Rename(name)),
            None => {
                let verifier = self.sessions.all.get(self.session).and_then(|state| state.verifier.as_deref().copied());
                self.submit(room::Action::Register(name, verifier))
            }
        }
    }

    fn resume(&mut self, token: ResumeToken) -> Result<Progress, Refusal> {
        if let Some(name) = self.sessions.name(self.session) {
            let refusal = Refusal::new(Verb::Resume, ErrorCode::AlreadyNamed, format!("you are {name} already"));
            return Err(refusal.with_hint(Hint::ResumeOnNewConnection));
        }
        Ok(self.submit(room::Action::Resume(MemberId(token.id), Verifier::new(&token.secret))))
    }

    fn msg(&mut self, text: Text) -> Result<Progress, Refusal> {
        let name = self.named(Verb::Msg)?;
        Ok(self.submit(room::Action::Say(Message { name, at: self.at, text })))
    }

    /// Either everybody named is told or nobody.
    fn whisper(&mut self, to: Vec<Name>, text: Text) -> Result<Progress, Refusal> {
        self.named(Verb::Whisper)?;
        Ok(self.submit(room::Action::Whisper(to, text)))
    }

    fn draw(&mut self, drawing: Drawing) -> Result<Progress, Refusal> {
        self.named(Verb::Draw)?;
        Ok(self.submit(room::Action::Draw(drawing)))
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
        if self.sessions.has_store && !self.sessions.room.history().has_last(count) {
            self.query_store(HistoryQuery::Last(count));
            return Ok(());
        }
        let numbers = self.sessions.room.history().last(count);
        self.replay(numbers, Reply::History);
        Ok(())
    }

    /// Either all that was said since, or nothing.
    fn since(&mut self, id: MessageId, epoch: Option<&Token>) -> Result<(), Refusal> {
        self.named(Verb::Since)?;
        if let (Some(theirs), Some(ours)) = (epoch, self.sessions.room.epoch())
            && theirs != ours
        {
            let what = format!("the epoch is {ours}: ids from another one mean nothing now");
            let refusal = Refusal::new(Verb::Since, ErrorCode::EpochChanged, what);
            return Err(refusal.with_hint(Hint::Write(Verb::History)));
        }
        let last = self.sessions.room.last_id();
        if id > last {
            return Err(Refusal::id_ahead(last));
        }
        let Some(numbers) = self.sessions.room.history().since(id) else {
            if self.sessions.has_store {
                self.query_store(HistoryQuery::Since(id));
                return Ok(());
            }
            let oldest = self.sessions.room.history().oldest().unwrap_or(last.next());
            return Err(Refusal::too_old(Verb::Since, oldest));
        };
        self.replay(numbers, Reply::Since);
        Ok(())
    }

    fn replay(&mut self, numbers: Range<u64>, reply: fn(Replayed) -> Reply) {
        let count = numbers.end - numbers.start;
        self.out.push(Output::Replay(self.session, numbers));
        self.reply(reply(Replayed { count, last: self.sessions.room.last_id() }));
    }

    fn query_store(&mut self, query: HistoryQuery) {
        self.out.push(Output::QueryStore(self.session, query, self.sessions.room.last_id()));
    }

    fn search(&mut self, words: Text) -> Result<(), Refusal> {
        self.named(Verb::Search)?;
        if self.sessions.has_store {
            self.query_store(HistoryQuery::Words(words));
            return Ok(());
        }
        let what = "this server keeps no messages that could be searched";
        Err(Refusal::new(Verb::Search, ErrorCode::NoStore, what).with_hint(Hint::EnableStore))
    }

    /// The members, in a list that all who ask before the next change share.
    fn roster(&mut self) -> Arc<[User]> {
        let version = self.sessions.room.roster_version();
        let kept = self.sessions.roster.take().filter(|(of, _)| *of == version);
        let (_, roster) = kept.unwrap_or_else(|| (version, self.users(|_| None).collect()));
        self.sessions.roster = Some((version, Arc::clone(&roster)));
        roster
    }

    fn canvas(&mut self) -> Result<(), Refusal> {
        self.named(Verb::Canvas)?;
        let numbers = self.sessions.room.canvas().all();
        let count = numbers.end - numbers.start;
        self.out.push(Output::Canvas(self.session, numbers));
        self.reply(Reply::Canvas(count));
        Ok(())
    }

    fn status(&mut self) -> Result<(), Refusal> {
        self.named(Verb::Status)?;
        let sessions = &*self.sessions;
        let coordinator = sessions.room.coordinator();
        if coordinator != sessions.member(self.session) {
            let name = coordinator.and_then(|member| sessions.room.name(member)).map_or("nobody", Name::as_str);
            let text = format!("it shows addresses; only the coordinator may, and that is {name}");
            return Err(Refusal::new(Verb::Status, ErrorCode::NotCoordinator, text));
        }
        let now = sessions.now();
        let details = |id: MemberId| {
            let Session { address, last_line_at, .. } = sessions.all.get(sessions.session_of(id)?)?;
            Some(Details {
                id: id.0,
                address: *address,
                idle_seconds: now.seconds_since(*last_line_at),
                online_seconds: now.seconds_since(sessions.room.member(id)?.registered_at()),
            })
        };
        let users: Arc<[User]> = self.users(details).collect();
        let count = users.len();
        self.out.push(Output::List(self.session, users));
        self.reply(Reply::Status(count));
        Ok(())
    }

    /// The members in the order in which they registered, with what `details` adds of each.
    fn users(&self, details: impl Fn(MemberId) -> Option<Details>) -> impl Iterator<Item = User> {
        let room = &self.sessions.room;
        let coordinator = room.coordinator();
        room.members().map(move |(id, member)| User {
            name: member.name().clone(),
            coordinator: coordinator == Some(id),
            details: details(id),
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
            Setting::Resume => self.set_verifier(None),
            Setting::Tags => self.sessions.speak(self.session, self.out, |dialect| dialect.tags = on),
            Setting::Draw => self.sessions.speak(self.session, self.out, |dialect| dialect.draw = on),
            Setting::Echo => {
                if let Some(state) = self.sessions.all.get_mut(self.session) {
                    state.echo = on;
                }
            }
        }
    }

    fn give_token(&mut self) -> Result<(), Refusal> {
        let secret = self.secret.filter(|_| self.sessions.room.has_resume()).ok_or_else(|| {
            Refusal::new(Verb::Set, ErrorCode::ResumeOff, "this server holds nobody's name")
                .with_hint(Hint::JoinAgainLater)
        })?;
        self.set_verifier(Some(Verifier::new(&secret)));
        let id = self.origin().member.0;
        self.reply(Reply::Resumable(ResumeToken { id, secret }));
        Ok(())
    }

    /// Sets what the session's member can be resumed with, now or once it is registered.
    fn set_verifier(&mut self, verifier: Option<Verifier>) {
        if self.sessions.member(self.session).is_some() {
            // The session answers this line itself.
            self.sessions.submit(self.at, self.origin(), room::Action::SetVerifier(verifier), self.out);
        } else if let Some(state) = self.sessions.all.get_mut(self.session) {
            state.verifier = verifier.map(Box::new);
        }
    }

    fn chat(&mut self) -> Result<(), Refusal> {
        self.named(Verb::Chat)?;
        let Some(state) = self.sessions.all.get_mut(self.session) else { return Ok(()) };
        let on = state.mode == Mode::Commands;
        state.mode = if on { Mode::Chat } else { Mode::Commands };
        self.out.push(Output::Read(self.session, state.mode));
        self.reply(Reply::Chat(on));
        Ok(())
    }

    fn quit(&mut self, reason: Option<Text>) {
        self.reply(Reply::Quit);
        self.sessions.leave(self.at, self.session, LeaveReason::Quit, reason, self.out);
    }

    /// The session's name, without which `verb` does nothing.
    fn named(&self, verb: Verb) -> Result<Name, Refusal> {
        self.sessions
            .name(self.session)
            .cloned()
            .ok_or_else(|| Refusal::new(verb, ErrorCode::NoName, "you have no name yet").with_hint(Hint::TakeNickname))
    }

    /// How the session's lines are read, and so how commands are to be written.
    fn mode(&self) -> Mode {
        self.sessions.all.get(self.session).map_or(Mode::Commands, |state| state.mode)
    }

    /// The origin of the session's entries. A session without a member would register one of its own number.
    fn origin(&self) -> Origin {
        let own = MemberId(self.session.0);
        Origin { session: self.session, member: self.sessions.member(self.session).unwrap_or(own) }
    }

    /// Submits a change, whose outputs answer the line.
    fn submit(&mut self, action: room::Action) -> Progress {
        if let Some(line) = &mut self.sessions.line {
            line.is_answered = false;
        }
        self.sessions.submit(self.at, self.origin(), action, self.out);
        Progress::Submitted
    }

    fn reply(&mut self, reply: Reply) {
        self.tell(ServerLine::Ok(reply));
    }

    fn tell(&mut self, line: ServerLine) {
        self.out.push(Output::Tell(self.session, line));
    }
}
