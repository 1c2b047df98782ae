//! A property test: random batches, queries, evictions and restarts of a file with many rooms, compared with a model.

use std::collections::{BTreeMap, VecDeque};

use arbtest::arbitrary::{Result, Unstructured};

use super::*;

const NAMES: [&str; 4] = ["#ops", "#dev", "#qa", "#Ёлка"];
const TEXTS: [&str; 4] = ["tea", "coffee, tea", "会議", "!?"];

/// The contents of the file, as far as the store promises them.
struct Model {
    durability: Durability,
    keep: Retention,
    rooms: BTreeMap<RoomId, ModelRoom>,
    /// The messages that are kept, in the order in which they were stored.
    messages: VecDeque<(RoomId, StoredMessage)>,
    /// The next new room gets this number.
    next_room: RoomId,
    starts: u32,
}

#[derive(Clone)]
struct ModelRoom {
    name: RoomName,
    epoch: Token,
    last_id: u64,
    evicted: u64,
    topic: Option<Text>,
}

impl Model {
    fn new(durability: Durability, keep: Retention) -> Self {
        let (name, epoch) = (RoomName::new("#lobby").unwrap(), Token::truncated("start1"));
        let lobby = ModelRoom { name, epoch, last_id: 0, evicted: 0, topic: None };
        let rooms = BTreeMap::from([(RoomId::LOBBY, lobby)]);
        Self { durability, keep, rooms, messages: VecDeque::new(), next_room: RoomId(1), starts: 0 }
    }

    /// Opens the file, with the `--epoch` that is given, and checks the state that it finds.
    fn open(&mut self, path: &Path, epoch: Option<&str>) -> Store {
        self.starts += 1;
        let new_epoch = Token::truncated(&format!("start{}", self.starts));
        let options = Options { path: path.to_owned(), durability: self.durability, keep: self.keep };
        let (store, found) = loop {
            match Store::open(&options, epoch.map(Token::truncated), new_epoch.clone(), 3, || NOW) {
                Err(OpenError::Locked(_)) => thread::yield_now(),
                opened => break opened.unwrap(),
            }
        };
        let expected = |(room, model): (&RoomId, &ModelRoom)| RoomRecord {
            room: *room,
            name: model.name.clone(),
            epoch: model.epoch.clone(),
            last_id: MessageId(model.last_id),
            evicted: MessageId(model.evicted),
            topic: model.topic.clone(),
            rules: RoomRules::default(),
        };
        let lobby = &self.rooms[&RoomId::LOBBY];
        assert_eq!((&found.epoch, found.last_id.0, &found.topic), (&lobby.epoch, lobby.last_id, &lobby.topic));
        assert_eq!(found.rooms, self.rooms.iter().skip(1).map(expected).collect::<Vec<_>>());
        assert_eq!(found.last_room, *self.rooms.keys().last().unwrap());
        self.next_room = RoomId(found.last_room.0 + 1);
        let newest = self.room_messages(RoomId::LOBBY);
        assert_eq!(found.messages, newest[newest.len().saturating_sub(4)..]);
        store
    }

    /// Ends the store, and does to the model what the next start does to the file.
    fn restart(&mut self, store: Store, path: &Path, u: &mut Unstructured<'_>) -> Result<Store> {
        let is_clean = u.arbitrary()?;
        if is_clean {
            close(store);
        } else {
            drop(store);
        }
        let may_lack_messages = self.durability == Durability::Relaxed && !is_clean;
        self.durability = *u.choose(&[Durability::Full, Durability::Relaxed])?;
        let given = u.ratio(1, 4)?.then(|| format!("given{}", self.starts));
        let messages = &self.messages;
        self.rooms.retain(|room, model| {
            let has_messages = messages.iter().any(|(of, _)| of == room);
            *room == RoomId::LOBBY || has_messages || model.topic.is_some()
        });
        if may_lack_messages || given.is_some() {
            let epoch = Token::truncated(&format!("start{}", self.starts + 1));
            for model in self.rooms.values_mut() {
                model.epoch = epoch.clone();
            }
            let lobby = given.as_deref().map_or(epoch, Token::truncated);
            self.rooms.entry(RoomId::LOBBY).and_modify(|model| model.epoch = lobby);
        }
        Ok(self.open(path, given.as_deref()))
    }

    fn room_messages(&self, room: RoomId) -> Vec<StoredMessage> {
        self.messages.iter().filter(|(of, _)| *of == room).map(|(_, message)| message.clone()).collect()
    }

    /// A random batch. Adds it to the model.
    fn add_batch(&mut self, u: &mut Unstructured<'_>) -> Result<Batch> {
        let mut batch = Batch::default();
        for _ in 0..u.int_in_range(1..=12)? {
            let room = self.choose_room(&mut batch, u)?;
            let model = self.rooms.get_mut(&room).unwrap();
            if u.ratio(1, 6)? {
                model.topic = u.arbitrary::<bool>()?.then(|| Text::truncated(TEXTS[0]));
                batch.topics.push((room, model.topic.clone()));
            } else {
                // Files of older versions have gaps.
                model.last_id += u.int_in_range(1..=3)?;
                let message = (room, past(model.last_id, u.choose(&TEXTS)?));
                batch.messages.push(message.clone());
                self.messages.push_back(message);
            }
        }
        Ok(batch)
    }

    /// A batch that deletes a message, or one that does not exist. Changes the model, too.
    fn delete(&mut self, u: &mut Unstructured<'_>) -> Result<Batch> {
        let rooms: Vec<_> = self.rooms.keys().copied().collect();
        let (room, id) = (*u.choose(&rooms)?, MessageId(u.int_in_range(0..=20)?));
        for (_, message) in self.messages.iter_mut().filter(|(of, message)| *of == room && message.past.id == id) {
            message.past.text = None;
        }
        Ok(Batch { moderation: vec![ModerationRecord::Deleted(room, id)], ..Batch::default() })
    }

    /// A room of the model, or a room that the batch creates.
    fn choose_room(&mut self, batch: &mut Batch, u: &mut Unstructured<'_>) -> Result<RoomId> {
        if u.ratio(1, 5)? {
            return Ok(RoomId::LOBBY);
        }
        let name = RoomName::new(u.choose(&NAMES)?).unwrap();
        if let Some((room, _)) = self.rooms.iter().find(|(_, model)| model.name == name) {
            return Ok(*room);
        }
        // Rooms vanish before anything of them is stored.
        let room = RoomId(self.next_room.0 + u.int_in_range(0..=2)?);
        self.next_room = RoomId(room.0 + 1);
        let epoch = Token::truncated(&format!("room{}", room.0));
        batch.rooms.push(NewRoom { room, name: name.clone(), epoch: epoch.clone(), rules: RoomRules::default() });
        self.rooms.insert(room, ModelRoom { name, epoch, last_id: 0, evicted: 0, topic: None });
        Ok(room)
    }

    /// Evicts the surplus, and returns what the store reports then.
    fn evict(&mut self) -> Vec<(RoomId, MessageId)> {
        let Retention::Count(kept) = self.keep else { return Vec::new() };
        let surplus = self.messages.len().saturating_sub(kept.try_into().unwrap());
        let mut evicted = BTreeMap::new();
        for (room, StoredMessage { past, .. }) in self.messages.drain(..surplus) {
            self.rooms.get_mut(&room).unwrap().evicted = past.id.0;
            evicted.insert(room, past.id);
        }
        evicted.into_iter().collect()
    }

    /// Reads the messages of a room, or searches them.
    fn query(&self, store: &Store, u: &mut Unstructured<'_>) -> Result<()> {
        let rooms: Vec<_> = self.rooms.keys().copied().collect();
        let room = *u.choose(&rooms)?;
        let ModelRoom { last_id, evicted, .. } = self.rooms[&room];
        let (after, until) = (u.int_in_range(0..=last_id)?, u.int_in_range(0..=last_id + 1)?);
        let messages = self.room_messages(room);
        let ids = messages.iter().map(|message| message.past.id.0).filter(|id| *id <= until);
        let result = query_in(store, room, Query::After(MessageId(after)), until);
        let deleted = |message: &StoredMessage| message.past.text.is_none();
        let later = messages.iter().filter(|message| (after + 1..=until).contains(&message.past.id.0));
        let texts = result.rows.iter().map(|(.., text)| text.is_empty());
        assert_eq!(texts.collect::<Vec<_>>(), later.map(deleted).collect::<Vec<_>>());
        assert_eq!(result.ids(), ids.clone().filter(|id| *id > after).collect::<Vec<_>>());
        let oldest = MessageId(messages.first().map_or(evicted + 1, |message| message.past.id.0));
        let up_to = evicted.min(until);
        let range = EvictedRange { after: MessageId(after), up_to: MessageId(up_to), oldest };
        assert_eq!(result.evicted, (up_to > after).then_some(range).as_slice());
        let count = u.int_in_range(0..=5)?;
        let last: Vec<_> = ids.collect();
        let last = &last[last.len().saturating_sub(count)..];
        assert_eq!(query_in(store, room, Query::Last(count as u64), until).ids(), last);
        let is_found = |past: &&PastMessage| {
            past.id.0 <= until && past.text.as_ref().is_some_and(|text| text.as_str().contains("tea"))
        };
        let found = messages.iter().rev().map(|message| &message.past).filter(is_found);
        let found: Vec<_> = found.map(|past| past.id.0).take(SEARCH_FOUND_MAX.try_into().unwrap()).collect();
        assert_eq!(query_in(store, room, Query::Words(Text::truncated("tea")), until).ids(), found);
        Ok(())
    }
}

#[test]
fn file_of_many_rooms_equals_model() {
    arbtest::arbtest(|u| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        let keep = *u.choose(&[Retention::All, Retention::Count(1), Retention::Count(9)])?;
        let mut model = Model::new(*u.choose(&[Durability::Full, Durability::Relaxed])?, keep);
        let mut store = model.open(&path, None);
        for _ in 0..u.int_in_range(5..=40)? {
            match u.int_in_range(0..=10)? {
                0..=4 => {
                    rooms::commit_batch(&store, model.add_batch(u)?);
                    let evicted = model.evict();
                    if !evicted.is_empty() {
                        let Report::Evicted(reported) = next_report(store.reports()) else { panic!("another report") };
                        assert_eq!(reported, evicted);
                    }
                }
                5 => {
                    // The id of a message that is stored already, after a batch that could be stored.
                    let Some(stored) = model.messages.back().cloned() else { continue };
                    let (before, next) = (model.rooms.clone(), model.next_room);
                    let count = model.messages.len();
                    let mut batch = model.add_batch(u)?;
                    batch.messages.push(stored);
                    assert!(try_commit(&store, batch).unwrap_err().contains("UNIQUE"));
                    model.messages.truncate(count);
                    (model.rooms, model.next_room) = (before, next);
                }
                6 => store = model.restart(store, &path, u)?,
                7 => rooms::commit_batch(&store, model.delete(u)?),
                _ => model.query(&store, u)?,
            }
        }
        close(store);
        Ok(())
    })
    .size_min(2_048)
    .budget_ms(3_000);
}
