//! Drives the shared state with bytes, which choose valid and invalid entries. A second state, restored from a snapshot at random points,
//! must give the same outputs. A third one, which knows only the outputs, must have the same rooms and members.

use std::sync::Arc;
use std::time::Duration;

use chinwag::protocol::{
    AccountId, AccountTokenId, Day, Drawing, LeaveReason, MessageId, Name, Network, OwnDeletion, PasswordHash, Role,
    RoomLock, RoomName, SanctionId, SanctionKind, SanctionTarget, Secret, Stroke, Text, Timestamp, Token, TokenLabel,
    Verifier,
};
use chinwag::state::{
    AccountChange, AccountCommand, AccountUpdate, Action, ContentKind, Entry, Incarnation, LoginProof, LoginRequest,
    MemberId, Message, Moderation, NodeJoin, Origin, Policy, RoomId, SanctionChoice, SessionId, SharedState,
    StateLimits, StateOutput, StoreFailure, TopicChange, Uptime,
};

use self::accounts::AccountObserver;
use self::moderation::ModerationObserver;
use self::nodes::NodeObserver;
use self::observer::Observer;

#[path = "accounts.rs"]
mod accounts;
#[path = "moderation.rs"]
mod moderation;
#[path = "nodes.rs"]
mod nodes;
#[path = "observer.rs"]
mod observer;

/// Only a few nicknames, so that they collide: some differ only in case, or look alike.
const NAMES: [&str; 8] = ["ann", "Ann", "bob", "b0b", "аnn", "carol", "dave", "Dave"];
/// Only a few rooms, for the same reason.
const ROOMS: [&str; 7] = ["#lobby", "#ops", "#Ops", "#0ps", "#dev", "#team", "#1obby"];
const MEMBERS: u64 = 6;
const DAY_MS: i64 = 24 * 3600 * 1000;
/// Networks of the clients, and one that contains some of them.
const NETWORKS: [&str; 4] = ["192.0.2.1", "192.0.2.0/24", "2001:db8::/32", "198.51.100.0/24"];
const STROKE: &str = "#1e90ff 40 0,0 9,9";
const LIMITS: StateLimits = StateLimits {
    resume_seconds: 3,
    history_messages: 5,
    history_bytes: 1_500,
    canvas_strokes: 3,
    canvas_bytes: 600,
    rooms: 2,
    empty_rooms: 2,
    rooms_per_member: 3,
    accounts: 3,
    account_tokens: 2,
    resting_names: 2,
    sanctions: 5,
    sanctions_per_room: 2,
    sanctions_reserved: 2,
    lease_seconds: 4,
};

/// Counts of outputs, so that a test can check that the entries had effects.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) events: u32,
    pub(crate) rejections: u32,
    pub(crate) opened: u32,
    pub(crate) closed: u32,
    pub(crate) logins: u32,
    pub(crate) displaced: u32,
    pub(crate) protected: u32,
    pub(crate) moderated: [u32; 5],
    /// Joins and expiries of nodes, and entries of nodes that had expired.
    pub(crate) nodes: [u32; 3],
}

impl std::ops::AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        let Self { events, rejections, opened, closed, logins, displaced, protected, moderated, nodes } = other;
        let counts = [events, rejections, opened, closed, logins, displaced, protected];
        let sums = [
            &mut self.events,
            &mut self.rejections,
            &mut self.opened,
            &mut self.closed,
            &mut self.logins,
            &mut self.displaced,
            &mut self.protected,
        ];
        let moderated = self.moderated.iter_mut().zip(moderated);
        let nodes = self.nodes.iter_mut().zip(nodes);
        sums.into_iter().zip(counts).chain(moderated).chain(nodes).for_each(|(sum, count)| *sum += count);
    }
}

/// The remaining bytes.
struct Script<'a>(std::slice::Iter<'a, u8>);

impl Script<'_> {
    fn below(&mut self, bound: u64) -> Option<u64> {
        self.0.next().map(|byte| u64::from(*byte) % bound)
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        let at = self.below(all.len() as u64)?;
        all.get(usize::try_from(at).ok()?).copied()
    }

    fn name(&mut self) -> Option<Name> {
        Name::new(self.one_of(&NAMES)?).ok()
    }

    fn room_name(&mut self) -> Option<RoomName> {
        RoomName::new(self.one_of(&ROOMS)?).ok()
    }

    /// The lobby, one of the newest rooms, or a room that may not exist.
    fn room(&mut self, newest: RoomId) -> Option<RoomId> {
        Some(match self.below(8)? {
            0..=2 => RoomId::LOBBY,
            3..=6 => RoomId(newest.0.saturating_sub(u32::try_from(self.below(3)?).ok()?)),
            _ => RoomId(u32::MAX),
        })
    }

    fn text(&mut self) -> Option<Text> {
        Text::new(&"x".repeat(1 + usize::try_from(self.below(40)?).ok()?)).ok()
    }

    fn reason(&mut self) -> Option<LeaveReason> {
        self.one_of(&LeaveReason::ALL)
    }

    fn verifier(&mut self) -> Option<Verifier> {
        Some(Secret::new([u8::try_from(self.below(3)?).ok()?; 16]).verifier())
    }

    fn password(&mut self) -> Option<PasswordHash> {
        PasswordHash::new(&format!("$test${}", self.below(3)?)).ok()
    }

    /// One of the newest accounts, or one that may not exist.
    fn account(&mut self, newest: AccountId) -> Option<AccountId> {
        Some(AccountId(newest.0.saturating_sub(u32::try_from(self.below(4)?).ok()?)))
    }

    fn token(&mut self) -> Option<AccountTokenId> {
        Some(AccountTokenId(u32::try_from(self.below(4)?).ok()?))
    }

    fn account_update(&mut self, now: Timestamp, newest: AccountId) -> Option<AccountUpdate> {
        Some(match self.below(13)? {
            12 => {
                let role = self.one_of(&[Role::User, Role::Operator, Role::Operator])?;
                AccountUpdate::SetRole { account: self.account(newest)?, role }
            }
            0..=3 => {
                let (name, password, ends_rest) = (self.name()?, self.password()?, self.below(8)? == 0);
                AccountUpdate::Create { name, password, ends_rest }
            }
            4 | 5 => {
                let (account, generation) = (self.account(newest)?, generation(self.below(4)?));
                AccountUpdate::SetPassword { account, generation, password: self.password()? }
            }
            6 | 7 => AccountUpdate::Delete { account: self.account(newest)?, generation: generation(self.below(4)?) },
            8 | 9 => AccountUpdate::CreateToken {
                account: self.account(newest)?,
                generation: generation(self.below(4)?),
                verifier: self.verifier()?,
                label: TokenLabel::new(self.text()?).ok()?,
                expires_at: Timestamp(now.0 + i64::try_from(self.below(9)?).ok()? * DAY_MS),
            },
            10 => AccountUpdate::RevokeToken { account: self.account(newest)?, generation: None, token: self.token()? },
            _ => AccountUpdate::RecordTokenUse {
                account: self.account(newest)?,
                token: self.token()?,
                on: Day::from(now),
            },
        })
    }

    fn account_action(&mut self, now: Timestamp, newest: AccountId) -> Option<Action> {
        Some(match self.below(12)? {
            0..=5 => Action::ChangeAccount(AccountChange { at: now, update: self.account_update(now, newest)? }),
            6 => Action::AccountPending,
            7 => {
                let name = Some(self.name()?).filter(|_| self.is_chosen());
                let why = StoreFailure::NotStored(Arc::from("the disk is full"));
                Action::AccountChangeFailed(AccountCommand::Create, name, why)
            }
            _ => {
                let account = self.account(newest)?;
                let proof = match generation(self.below(4)?) {
                    Some(generation) => LoginProof::Password { generation },
                    None => LoginProof::Token(self.token()?),
                };
                let verifier = self.verifier().filter(|_| self.is_chosen());
                Action::Login(LoginRequest { account, proof, takes_over: self.below(2)? == 0, verifier })
            }
        })
    }

    fn moderation(&mut self, newest: RoomId) -> Option<Moderation> {
        let room = Some(self.room(newest)?).filter(|_| self.is_chosen());
        Some(match self.below(14)? {
            8 | 9 => {
                let lock = self.one_of(&[RoomLock::Open, RoomLock::Open, RoomLock::Accounts, RoomLock::Invited])?;
                Moderation::SetLock { room: room?, lock }
            }
            10 | 11 => Moderation::Invite { room: room?, name: self.name()?, on: self.below(4)? > 0 },
            0 | 1 => Moderation::Kick { room, name: self.name()?, reason: self.text().filter(|_| self.is_chosen()) },
            2..=5 => {
                let kind = self.one_of(&SanctionKind::ALL)?;
                let target = match (kind, self.below(4)?) {
                    (SanctionKind::Ban, 0) => SanctionTarget::Connection(self.name()?),
                    (SanctionKind::Ban, 1) => SanctionTarget::Network(self.one_of(&NETWORKS)?.parse().ok()?),
                    _ => SanctionTarget::Name(self.name()?),
                };
                let days = self.below(4)?;
                let duration = (days > 0).then(|| Duration::from_secs(days * 24 * 3600));
                Moderation::Sanction { kind, room, target, duration, reason: None }
            }
            6 => {
                let which = SanctionChoice::Id(SanctionId(u32::try_from(self.below(16)?).ok()?));
                Moderation::Lift { kind: self.one_of(&SanctionKind::ALL)?, room, which }
            }
            7 => Moderation::SetModerator { room: room?, name: self.name()?, on: self.below(4)? > 0 },
            _ => Moderation::Delete { room: room?, id: self.message_id()? },
        })
    }

    fn policy(&mut self) -> Option<Policy> {
        let (resume_seconds, rooms, empty_rooms) = (self.below(5)?, self.below(3)?, self.below(3)?);
        let [rooms, empty_rooms] = [rooms, empty_rooms].map(|number| usize::try_from(number).ok());
        Some(Policy { resume_seconds, rooms: rooms?, empty_rooms: empty_rooms? })
    }

    fn message_id(&mut self) -> Option<MessageId> {
        self.below(8).map(MessageId)
    }

    fn is_chosen(&self) -> bool {
        self.0.len().is_multiple_of(2)
    }

    fn action(&mut self, now: Timestamp, newest: RoomId, account: AccountId) -> Option<Action> {
        Some(match self.below(48)? {
            0..=2 => {
                let (name, verifier) = (self.name()?, self.verifier().filter(|_| self.is_chosen()));
                Action::Register { name, verifier, room: self.room_name().filter(|_| self.is_chosen()) }
            }
            3 | 4 => Action::Rename(self.name()?),
            5..=8 => {
                let (room, name, text) = (self.room(newest)?, self.name()?, self.text()?);
                let account = (self.below(2)? == 0).then_some(account);
                Action::Say(room, Message { name, account, at: Timestamp(7), text })
            }
            9 => Action::ContentPending(self.room(newest)?),
            10 => {
                let kind = if self.is_chosen() { ContentKind::Message } else { ContentKind::Topic };
                let why = StoreFailure::NotStored(Arc::from("the disk is full"));
                Action::ContentFailed(self.room(newest)?, self.name()?, kind, why)
            }
            11 => {
                let names = (0..self.below(3)?).map(|_| self.name()).collect::<Option<_>>()?;
                Action::Whisper(names, self.text()?)
            }
            12 => Action::Draw(self.room(newest)?, Drawing::Stroke(Stroke::new(STROKE).ok()?)),
            13 => Action::Draw(self.room(newest)?, Drawing::Clear),
            14 => Action::SetVerifier(self.verifier().filter(|_| self.is_chosen())),
            15 => Action::Resume(MemberId(1 + self.below(MEMBERS)?), self.verifier()?),
            16 => Action::EndOfInput,
            17 => Action::Detach(self.reason()?),
            18 => Action::Leave(self.reason()?, Some(self.text()?)),
            19 => Action::Evict(self.room(newest)?, MessageId(self.one_of(&[0, 1, 3, 9, 30, u64::MAX])?)),
            20..=23 => Action::Join((0..=self.below(3)?).map(|_| self.room_name()).collect::<Option<_>>()?),
            24..=26 => Action::Part(self.room(newest)?, self.text().filter(|_| self.is_chosen())),
            27 => {
                let topic = self.text().filter(|_| self.is_chosen());
                Action::SetTopic(self.room(newest)?, TopicChange { name: self.name()?, at: Timestamp(7), topic })
            }
            28 | 29 => Action::Watch(self.room_name()?),
            30 => Action::Unwatch,
            31..=39 => self.account_action(now, account)?,
            40 | 42..=45 => Action::Moderate(self.moderation(newest)?),
            41 => {
                let deletion = OwnDeletion { room: self.room(newest)?, id: self.message_id()?, author: account };
                let failure = StoreFailure::NotStored(Arc::from("the disk is full"));
                Action::OwnDeletionStored(
                    deletion,
                    if self.is_chosen() { Ok(self.below(2)? == 0) } else { Err(failure) },
                )
            }
            46 => self.cluster_action()?,
            _ => match self.below(40)? {
                0 => Action::Stop,
                1..=4 => Action::SetPolicy(self.policy()?),
                _ => Action::Tick,
            },
        })
    }

    fn cluster_action(&mut self) -> Option<Action> {
        Some(match self.below(6)? {
            0 | 1 => {
                let node = Token::new(self.one_of(&["one", "two", "three"])?).ok()?;
                Action::JoinCluster(NodeJoin { node, run: self.below(256)? })
            }
            2 => Action::LeaveCluster,
            3 => Action::Barrier(None),
            _ => Action::Heartbeat,
        })
    }

    /// The origin of an entry of a cluster, or this one of a server without a cluster.
    fn origin_in_cluster(&mut self, state: &SharedState, action: &mut Action, single: Origin) -> Option<Origin> {
        let last = state.nodes().iter().last().map_or(0, |(incarnation, _)| incarnation.0);
        let incarnation = match self.below(8)? {
            _ if matches!(action, Action::JoinCluster(_)) => return Some(Origin::SERVER),
            0..=3 => return Some(single),
            back => Incarnation((last + 2).saturating_sub(u32::try_from(back - 3).ok()?)),
        };
        if matches!(action, Action::Heartbeat | Action::LeaveCluster) {
            return Some(Origin::of_node(incarnation));
        }
        if let Action::Resume(member, _) = action
            && let Some((other, _)) = state.members().nth(usize::try_from(self.below(MEMBERS)?).ok()?)
        {
            *member = other;
        }
        let session = SessionId(SessionId::of_node(incarnation).0 + 1 + self.below(4)?);
        let resumed = state.members().map(|(id, _)| id).find(|id| state.session_of(*id) == Some(session));
        let member = resumed.filter(|_| self.is_chosen()).unwrap_or(MemberId(session.0));
        Some(Origin { session, member, network: network_of(member) })
    }

    fn entry(&mut self, seq: u64, uptime: &mut Uptime, state: &SharedState) -> Option<Entry> {
        let newest = state.rooms().last().map_or(RoomId::LOBBY, |(id, _)| id);
        uptime.0 += self.below(4)?;
        let (session, member) = (SessionId(self.below(9)?), MemberId(1 + self.below(MEMBERS)?));
        let at = Timestamp(i64::try_from(seq).ok()? * DAY_MS / 2);
        let mut action = self.action(at, newest, state.accounts().last_id())?;
        // The operator at the control socket, or one of a few addresses.
        let is_server = matches!(action, Action::Moderate(_)) && self.below(2)? == 0;
        let origin = if is_server { Origin::SERVER } else { Origin { session, member, network: network_of(member) } };
        let origin = self.origin_in_cluster(state, &mut action, origin)?;
        Some(Entry { seq, at, uptime: *uptime, origin, action })
    }
}

/// The network of a client, which has it in common with others.
fn network_of(member: MemberId) -> Option<Network> {
    ["", "192.0.2.1", "192.0.2.2", "2001:db8::"].get(usize::try_from(member.0 % 4).ok()?)?.parse().ok()
}

/// The generation of an account with few changes, or none.
fn generation(choice: u64) -> Option<u32> {
    u32::try_from(choice).ok().filter(|generation| *generation < 3)
}

fn empty_state() -> SharedState {
    SharedState::new(LIMITS).with_epoch(Token::new("k7qd").expect("a token"))
}

/// A state with several rooms, members, messages, strokes, reservations, watchers and detached members.
#[allow(dead_code, reason = "the fuzz target runs scripts only")]
pub(crate) fn some_state() -> SharedState {
    let mut state = empty_state();
    let name = |name| Name::new(name).expect("a name");
    let room = |name| RoomName::new(name).expect("a room");
    let text = || Text::new("hello").expect("a text");
    let verifier = Secret::new([7; 16]).verifier();
    let message = |author| Message { name: name(author), account: None, at: Timestamp(5), text: text() };
    let (lobby, ops) = (RoomId::LOBBY, RoomId(1));
    let password = PasswordHash::new("$test$one").expect("a hash");
    let create = |raw| AccountUpdate::Create { name: name(raw), password: password.clone(), ends_rest: false };
    let change = |update| Action::ChangeAccount(AccountChange { at: Timestamp(5), update });
    let (account, label) = (AccountId(1), TokenLabel::new(text()).expect("a label"));
    let proof = LoginProof::Token(AccountTokenId(1));
    for (seq, (member, action)) in (1..).zip([
        (1, Action::Register { name: name("ann"), verifier: Some(verifier), room: None }),
        (2, Action::Register { name: name("bob"), verifier: None, room: Some(room("#ops")) }),
        (1, Action::Join(vec![room("#ops"), room("#dev")])),
        (2, Action::Join(vec![room("#lobby")])),
        (2, Action::ContentPending(ops)),
        (2, Action::Rename(name("rob"))),
        (1, Action::Say(lobby, message("ann"))),
        (1, Action::Say(ops, message("ann"))),
        (1, Action::SetTopic(ops, TopicChange { name: name("ann"), at: Timestamp(5), topic: Some(text()) })),
        (1, Action::Draw(lobby, Drawing::Stroke(Stroke::new(STROKE).expect("a stroke")))),
        (1, Action::Part(lobby, None)),
        (0, Action::JoinCluster(NodeJoin { node: Token::new("one").expect("a token"), run: 7 })),
        (3, Action::Watch(room("#ops"))),
        (2, Action::EndOfInput),
        (1, change(create("ann"))),
        (
            1,
            change(AccountUpdate::CreateToken { account, generation: None, verifier, label, expires_at: Timestamp(9) }),
        ),
        (1, change(AccountUpdate::RecordTokenUse { account, token: AccountTokenId(1), on: Day::from(Timestamp(5)) })),
        (1, Action::Login(LoginRequest { account, proof, takes_over: false, verifier: None })),
        (2, change(create("rob"))),
        (0, change(create("eve"))),
        (0, change(AccountUpdate::Delete { account: AccountId(3), generation: None })),
        (1, Action::Detach(LeaveReason::Lost)),
    ]) {
        let origin = Origin::local(SessionId(member), MemberId(member));
        state.apply(Entry { seq, at: Timestamp(5), uptime: Uptime(3), origin, action }, &mut Vec::new());
    }
    state
}

/// Applies the entries that the bytes choose.
pub(crate) fn run(bytes: &[u8]) -> Seen {
    run_with(bytes, |_| {})
}

/// Like [`run`], and checks each entry before it is applied.
pub(crate) fn run_with(bytes: &[u8], check: impl Fn(&Entry)) -> Seen {
    let (mut state, mut restored, mut observer) = (empty_state(), empty_state(), Observer::default());
    let (mut script, mut uptime, mut seen) = (Script(bytes.iter()), Uptime(0), Seen::default());
    let (mut accounts, mut moderation) = (AccountObserver::default(), ModerationObserver::default());
    let mut nodes = NodeObserver::default();
    for seq in 1.. {
        let Some(entry) = script.entry(seq, &mut uptime, &state) else { break };
        check(&entry);
        let (mut outputs, mut again, now) = (Vec::new(), Vec::new(), entry.at);
        let stops = matches!(entry.action, Action::Stop);
        let before = moderation.before(&state, &entry);
        let is_fenced = nodes.is_fenced(&state, entry.origin);
        state.apply(entry.clone(), &mut outputs);
        restored.apply(entry.clone(), &mut again);
        assert_eq!(outputs, again, "a restored state has the same outputs");
        if script.below(8) == Some(0) {
            let snapshot = state.snapshot();
            assert_eq!(snapshot, restored.snapshot(), "equal states have equal bytes");
            restored = SharedState::restore(&snapshot).expect("a snapshot can be read");
        }
        for output in &outputs {
            match output {
                StateOutput::Event { .. } | StateOutput::Registered { .. } | StateOutput::Joined { .. } => {
                    seen.events += 1;
                }
                StateOutput::Rejected(..) => seen.rejections += 1,
                _ => {}
            }
        }
        if stops {
            if !is_fenced {
                observer.stop(&state);
            }
        } else {
            for output in &outputs {
                observer.record(output);
            }
        }
        observer.check(&state, &LIMITS);
        accounts.check(seq, now, &state, &LIMITS, &outputs);
        moderation.check(&before, &entry, &state, &outputs);
        nodes.check(is_fenced, &entry, &LIMITS, &state, &outputs);
    }
    seen.moderated =
        [moderation.done, moderation.removed, moderation.muted, moderation.deletions, moderation.locked_out];
    seen.nodes = [nodes.joins, nodes.expiries, nodes.fenced];
    (seen.opened, seen.closed) = (observer.opened, observer.closed);
    (seen.logins, seen.displaced, seen.protected) = (accounts.logins, accounts.displaced, accounts.protected);
    seen
}
