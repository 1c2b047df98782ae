//! A record of each kind, and an action of each variant.

use std::sync::Arc;
use std::time::Duration;

use super::super::LoggedChange;
use crate::cluster::{Batch, Genesis, Record};
use crate::protocol::{
    AccountId, AccountTokenId, Day, Drawing, LeaveReason, MessageId, Name, OwnDeletion, PasswordHash, Role, RoomLock,
    RoomName, SanctionId, SanctionKind, SanctionTarget, Secret, Stroke, Text, Timestamp, Token, TokenLabel, Verifier,
};
use crate::state::{
    AccountChange, AccountCommand, AccountUpdate, Action, ContentKind, LoginProof, LoginRequest, MemberId, Message,
    Moderated, Moderation, ModerationOutcome, NodeJoin, Origin, Policy, RoomId, SanctionChoice, SessionId, StateLimits,
    StoreFailure, TopicChange,
};

/// Defines `variant_of`, which must know all variants, and the list of them: a new one needs a sample.
macro_rules! variants {
    ($($name:literal => $pattern:pat,)*) => {
        /// The variant of an action.
        pub(super) fn variant_of(action: &Action) -> &'static str {
            match action {
                $($pattern => $name,)*
            }
        }

        /// All variants.
        pub(super) const VARIANTS: &[&str] = &[$($name),*];
    };
}

variants! {
    "Register" => Action::Register { .. },
    "Rename" => Action::Rename(_),
    "Join" => Action::Join(_),
    "Part" => Action::Part(..),
    "Say" => Action::Say(..),
    "SetTopic" => Action::SetTopic(..),
    "ContentPending" => Action::ContentPending(_),
    "ContentFailed" => Action::ContentFailed(..),
    "ChangeAccount/Create" => Action::ChangeAccount(AccountChange { update: AccountUpdate::Create { .. }, .. }),
    "ChangeAccount/SetPassword" => Action::ChangeAccount(AccountChange { update: AccountUpdate::SetPassword { .. }, .. }),
    "ChangeAccount/SetRole" => Action::ChangeAccount(AccountChange { update: AccountUpdate::SetRole { .. }, .. }),
    "ChangeAccount/Delete" => Action::ChangeAccount(AccountChange { update: AccountUpdate::Delete { .. }, .. }),
    "ChangeAccount/CreateToken" => Action::ChangeAccount(AccountChange { update: AccountUpdate::CreateToken { .. }, .. }),
    "ChangeAccount/RevokeToken" => Action::ChangeAccount(AccountChange { update: AccountUpdate::RevokeToken { .. }, .. }),
    "ChangeAccount/RecordTokenUse" => Action::ChangeAccount(AccountChange { update: AccountUpdate::RecordTokenUse { .. }, .. }),
    "AccountPending" => Action::AccountPending,
    "AccountChangeFailed" => Action::AccountChangeFailed(..),
    "Login/Password" => Action::Login(LoginRequest { proof: LoginProof::Password { .. }, .. }),
    "Login/Token" => Action::Login(LoginRequest { proof: LoginProof::Token(_), .. }),
    "Moderate/Kick" => Action::Moderate(Moderation::Kick { .. }),
    "Moderate/Sanction/Name" => Action::Moderate(Moderation::Sanction { target: SanctionTarget::Name(_), .. }),
    "Moderate/Sanction/Connection" => Action::Moderate(Moderation::Sanction { target: SanctionTarget::Connection(_), .. }),
    "Moderate/Sanction/Network" => Action::Moderate(Moderation::Sanction { target: SanctionTarget::Network(_), .. }),
    "Moderate/Lift/Id" => Action::Moderate(Moderation::Lift { which: SanctionChoice::Id(_), .. }),
    "Moderate/Lift/Target" => Action::Moderate(Moderation::Lift { which: SanctionChoice::Target(_), .. }),
    "Moderate/SetLock" => Action::Moderate(Moderation::SetLock { .. }),
    "Moderate/Invite" => Action::Moderate(Moderation::Invite { .. }),
    "Moderate/SetModerator" => Action::Moderate(Moderation::SetModerator { .. }),
    "Moderate/Delete" => Action::Moderate(Moderation::Delete { .. }),
    "RecordModeration" => Action::RecordModeration(..),
    "ModerationStored" => Action::ModerationStored(..),
    "DeleteOwn" => Action::DeleteOwn(_),
    "OwnDeletionStored" => Action::OwnDeletionStored(..),
    "Whisper" => Action::Whisper(..),
    "Draw/Stroke" => Action::Draw(_, Drawing::Stroke(_)),
    "Draw/Clear" => Action::Draw(_, Drawing::Clear),
    "Watch" => Action::Watch(_),
    "Unwatch" => Action::Unwatch,
    "SetVerifier" => Action::SetVerifier(_),
    "Resume" => Action::Resume(..),
    "EndOfInput" => Action::EndOfInput,
    "Detach" => Action::Detach(_),
    "Leave" => Action::Leave(..),
    "Evict" => Action::Evict(..),
    "Tick" => Action::Tick,
    "SetPolicy" => Action::SetPolicy(_),
    "Stop" => Action::Stop,
    "Barrier" => Action::Barrier(_),
    "JoinCluster" => Action::JoinCluster(_),
    "Heartbeat" => Action::Heartbeat,
    "LeaveCluster" => Action::LeaveCluster,
}

pub(super) fn name(raw: &str) -> Name {
    Name::new(raw).unwrap()
}

pub(super) fn room(raw: &str) -> RoomName {
    RoomName::new(raw).unwrap()
}

pub(super) fn text(raw: &str) -> Text {
    Text::new(raw).unwrap()
}

pub(super) fn token(raw: &str) -> Token {
    Token::new(raw).unwrap()
}

pub(super) fn verifier() -> Verifier {
    Secret::new([7; 16]).verifier()
}

/// Two seconds after the year 2026 has begun.
const AT: Timestamp = Timestamp(1_767_225_602_000);
const OPS: RoomId = RoomId(1);
const ACCOUNT: AccountId = AccountId(3);

/// Actions that can be in the log, of each variant of them; with and without each value that is optional.
pub(super) fn logged_actions() -> Vec<Action> {
    let message = |account| Message { name: name("Ann"), account, at: AT, text: text("héllo, world") };
    let topic = |topic| TopicChange { name: name("Ann"), at: AT, topic };
    let stroke = Stroke::new("#1e90ff 40 0,0 9,9").unwrap();
    let login = |proof, takes_over, verifier| LoginRequest { account: ACCOUNT, proof, takes_over, verifier };
    let mut actions = vec![
        Action::Register { name: name("Ann"), verifier: None, room: None },
        Action::Register { name: name("Åsa"), verifier: Some(verifier()), room: Some(room("#Ops")) },
        Action::Rename(name("bob")),
        Action::Join(vec![]),
        Action::Join(vec![room("#ops"), room("#Dev")]),
        Action::Part(RoomId::LOBBY, None),
        Action::Part(OPS, Some(text("lunch"))),
        Action::Say(RoomId::LOBBY, message(None)),
        Action::Say(OPS, message(Some(ACCOUNT))),
        Action::SetTopic(OPS, topic(None)),
        Action::SetTopic(OPS, topic(Some(text("deploy at noon")))),
        Action::Whisper(vec![name("bob"), name("carol")], text("psst")),
        Action::Draw(OPS, Drawing::Stroke(stroke)),
        Action::Draw(OPS, Drawing::Clear),
        Action::Watch(room("#ops")),
        Action::Unwatch,
        Action::SetVerifier(None),
        Action::SetVerifier(Some(verifier())),
        Action::Resume(MemberId(7), verifier()),
        Action::EndOfInput,
        Action::Detach(LeaveReason::Lost),
        Action::Leave(LeaveReason::Quit, None),
        Action::Leave(LeaveReason::Errors, Some(text("bye"))),
        Action::Login(login(LoginProof::Password { generation: 2 }, true, None)),
        Action::Login(login(LoginProof::Token(AccountTokenId(5)), false, Some(verifier()))),
        Action::DeleteOwn(OwnDeletion { room: OPS, id: MessageId(300), author: ACCOUNT }),
        Action::SetPolicy(Policy { resume_seconds: 60, rooms: 1_000, empty_rooms: 10_000 }),
        Action::Barrier(None),
        Action::Barrier(Some(token("sync"))),
        Action::JoinCluster(NodeJoin { node: token("node-a"), run: u64::MAX }),
        Action::Heartbeat,
        Action::LeaveCluster,
    ];
    actions.extend(account_updates().into_iter().map(|update| Action::ChangeAccount(AccountChange { at: AT, update })));
    actions.extend(moderations().into_iter().map(Action::Moderate));
    actions
}

fn account_updates() -> Vec<AccountUpdate> {
    let (account, token, expires_at) = (ACCOUNT, AccountTokenId(5), Timestamp(i64::MAX));
    let password = || PasswordHash::new("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA").unwrap();
    let label = || TokenLabel::new(text("build server")).unwrap();
    let verifier = verifier();
    vec![
        AccountUpdate::Create { name: name("Ann"), password: password(), ends_rest: false },
        AccountUpdate::Create { name: name("Ann"), password: PasswordHash::unusable(), ends_rest: true },
        AccountUpdate::SetPassword { account, generation: None, password: password() },
        AccountUpdate::SetPassword { account, generation: Some(u32::MAX), password: password() },
        AccountUpdate::SetRole { account, role: Role::User },
        AccountUpdate::SetRole { account, role: Role::Operator },
        AccountUpdate::Delete { account, generation: None },
        AccountUpdate::Delete { account, generation: Some(0) },
        AccountUpdate::CreateToken { account, generation: None, verifier, label: label(), expires_at: Timestamp(-1) },
        AccountUpdate::CreateToken { account, generation: Some(1), verifier, label: label(), expires_at },
        AccountUpdate::RevokeToken { account, generation: None, token },
        AccountUpdate::RevokeToken { account, generation: Some(1), token },
        AccountUpdate::RecordTokenUse { account, token, on: Day::from(AT) },
        AccountUpdate::RecordTokenUse { account, token, on: Day::from(Timestamp::MIN) },
    ]
}

fn moderations() -> Vec<Moderation> {
    let (ban, mute) = (SanctionKind::Ban, SanctionKind::Mute);
    let target = |kind, raw| SanctionTarget::parse(kind, raw).unwrap();
    let (some_room, reason, week) = (Some(OPS), Some(text("spam")), Some(Duration::from_hours(7 * 24)));
    let sanction = |kind, room, raw, duration, reason| {
        let target = target(kind, raw);
        Moderation::Sanction { kind, room, target, duration, reason }
    };
    let lift = |kind, room, which| Moderation::Lift { kind, room, which };
    vec![
        Moderation::Kick { room: None, name: name("bob"), reason: None },
        Moderation::Kick { room: some_room, name: name("bob"), reason: reason.clone() },
        sanction(ban, None, "bob", None, None),
        // A nickname, which looks like an address in its final form.
        sanction(ban, None, "１９２.0.2.1", None, None),
        sanction(mute, some_room, "192.0.2.1", week, reason.clone()),
        sanction(ban, some_room, "@bob", week, None),
        sanction(ban, None, "192.0.2.7", None, reason.clone()),
        sanction(ban, None, "2001:db8::/32", None, reason),
        lift(ban, None, SanctionChoice::Id(SanctionId(12))),
        lift(mute, some_room, SanctionChoice::Target(target(mute, "192.0.2.1"))),
        lift(ban, some_room, SanctionChoice::Target(target(ban, "192.0.2.1"))),
        Moderation::SetLock { room: OPS, lock: RoomLock::Open },
        Moderation::SetLock { room: OPS, lock: RoomLock::Accounts },
        Moderation::SetLock { room: OPS, lock: RoomLock::Invited },
        Moderation::Invite { room: OPS, name: name("dave"), on: true },
        Moderation::Invite { room: OPS, name: name("dave"), on: false },
        Moderation::SetModerator { room: OPS, name: name("carol"), on: true },
        Moderation::SetModerator { room: OPS, name: name("carol"), on: false },
        Moderation::Delete { room: OPS, id: MessageId(300) },
    ]
}

/// An action of each variant that is never in the log.
pub(super) fn local_actions() -> Vec<Action> {
    let failure = StoreFailure::NotStored(Arc::from("the disk is full"));
    let moderated = Moderated { room: None, outcome: ModerationOutcome::SanctionsChanged, audit: None };
    let deletion = OwnDeletion { room: OPS, id: MessageId(1), author: ACCOUNT };
    vec![
        Action::Tick,
        Action::Stop,
        Action::ContentPending(OPS),
        Action::ContentFailed(OPS, name("Ann"), ContentKind::Message, failure.clone()),
        Action::AccountPending,
        Action::AccountChangeFailed(AccountCommand::Create, None, failure),
        Action::RecordModeration(moderated.clone(), vec![]),
        Action::ModerationStored(moderated, None),
        Action::OwnDeletionStored(deletion, Ok(true)),
        Action::Evict(OPS, MessageId(1)),
    ]
}

/// A record with one change.
pub(super) fn record_of(action: Action) -> Record {
    let origin = Origin { session: SessionId((2 << 40) + 5), member: MemberId(1_000), network: None };
    Record::Batch(Batch { run: 7, changes: vec![LoggedChange::new(origin, action).unwrap()] })
}

/// The beginning of a log, with a different value for each limit.
pub(super) fn genesis() -> Record {
    let mut next = 0;
    let mut limit = || {
        next += 1;
        next * 100
    };
    let limits = StateLimits {
        resume_seconds: 60,
        lease_seconds: 8,
        history_messages: limit(),
        history_bytes: limit(),
        canvas_strokes: limit(),
        canvas_bytes: limit(),
        rooms: limit(),
        empty_rooms: limit(),
        rooms_per_member: limit(),
        accounts: limit(),
        account_tokens: limit(),
        resting_names: limit(),
        sanctions: limit(),
        sanctions_per_room: limit(),
        sanctions_reserved: limit(),
    };
    Record::Genesis(Genesis { limits, epoch: token("k7qd") })
}

/// A batch with several changes, of different origins.
pub(super) fn batch() -> Record {
    let origin = |session, network: &str| {
        let network = Some(network.parse().unwrap());
        Origin { session: SessionId(session), member: MemberId(session), network }
    };
    let changes = [
        (Origin::SERVER, Action::Heartbeat),
        (origin((1 << 40) + 24, "192.0.2.7"), Action::Unwatch),
        (origin((1 << 40) + 256, "2001:db8::7/128"), Action::EndOfInput),
    ];
    let changes = changes.map(|(origin, action)| LoggedChange::new(origin, action).unwrap());
    Record::Batch(Batch { run: u64::MAX, changes: changes.into() })
}

/// All records above, each with a name.
pub(super) fn named_records() -> Vec<(&'static str, Record)> {
    let empty = Record::Batch(Batch { run: 0, changes: vec![] });
    let mut records = vec![("Genesis", genesis()), ("Batch", empty), ("Batch", batch())];
    records.extend(logged_actions().into_iter().map(|action| (variant_of(&action), record_of(action))));
    records
}
