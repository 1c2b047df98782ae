// The entry point. Creates the parts of the page, passes events of the session to the views, and passes actions of the user to the session.

import { roomInAddress } from './address.js';
import { Canvas } from './canvas.js';
import { commandsOf, usages } from './commands.js';
import { Composer } from './composer.js';
import { Conversations } from './conversations.js';
import { oncePerFrame } from './frames.js';
import { Log } from './log.js';
import { NameDialog } from './names.js';
import { Navigation } from './navigation.js';
import { Notifications } from './notifications.js';
import { People } from './people.js';
import { Sending } from './sending.js';
import { LOBBY, Session } from './session.js';
import { Status } from './status.js';
import { load, store } from './storage.js';
import { followViewport } from './viewport.js';
import { closeText, refusal } from './wording.js';

const byId = (id) => document.getElementById(id);

const on = { joined, refused, passwordNeeded, exposed, entered, left, line, note, caughtUp, topics: () => showRoom(), closed };
const session = new Session(webSocketUrl(), on, [roomInAddress() ?? LOBBY, ...storedRooms()]);
const log = new Log({ read, counted: () => showRoom() });
const conversations = new Conversations(log, draftChanged);
const people = new People((pointer) => pointer === 'mouse' && composer.focus());
const composer = new Composer({
  send: (lines) => sending.send(lines),
  words,
  measure: (lines) => sending.measure(lines),
  changed: (draft) => draft.store(),
});
const canvas = new Canvas({
  draw: (stroke, answered) => session.draw(stroke, answered), clear: () => session.clear(), request: () => session.canvas(),
});
const status = new Status(() => session.status());
const names = new NameDialog((name, password) => (session.me ? rename(name) : session.takeName(name, password)));
const notifications = new Notifications((text) => composer.explain(text));
const navigation = new Navigation({ session, composer, opened: open });
const commands = commandsOf({
  session, canvas, status, names, rooms: navigation, quit, changed: () => showRoom(), giveBack,
});
const sending = new Sending({ session, conversations, composer, commands });
const showRoom = oncePerFrame(() => drawRoom());
let hasQuit = false;

byId('address').textContent = location.host;
byId('rename').addEventListener('click', () => names.askToRename(session.me));
byId('quit').addEventListener('click', () => quit({ reason: '' }));
byId('retry').addEventListener('click', () => session.retryNow());
byId('to-all').addEventListener('click', () => {
  conversations.current.draft.recipients.clear();
  composer.focus();
});
byId('show-canvas').addEventListener('click', commands.canvas);
// Closing the page leaves the room at once.
addEventListener('pagehide', () => session.quit());
addEventListener('pageshow', ({ persisted }) => persisted && location.reload());
followViewport();
open(session.current);
names.askToJoin();

/** The address of the WebSocket, beside the page: a proxy may serve both under a path. */
function webSocketUrl() {
  const url = new URL('ws', location.origin + location.pathname);
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

/** The rooms that the user was in: before a reload of this tab, or at the last visit. */
function storedRooms() {
  const rooms = load('sessionStorage', 'rooms') ?? load('localStorage', 'rooms');
  return Array.isArray(rooms) ? rooms.map(String) : [];
}

function storeRooms() {
  const rooms = session.rooms.map(({ name }) => name);
  for (const area of ['sessionStorage', 'localStorage']) store(area, 'rooms', rooms);
}

/** Shows a room. If the user has typed `/join` in the conversation `from`, the text typed there since then moves into the room. */
function open(room, from = null) {
  canvas.stop();
  status.close();
  session.open(room);
  const conversation = conversations.open(room);
  people.open(room, conversation.draft.recipients);
  composer.open(conversation.draft, from?.draft);
  canvas.open();
  showRoom();
}

function joined() {
  names.remember(session.me);
  hasQuit = false;
  showConnection('Connected');
  navigation.show();
  // Does not move the focus after a reconnect: the user may be reading, drawing or changing the name.
  if (!names.isJoining) return;
  names.close();
  composer.focus();
}

function entered(room, isBack) {
  const conversation = conversations.of(room);
  const { epoch } = room;
  if (epoch !== conversation.epoch) {
    // The user may have read some of its messages at an earlier visit.
    const read = load('localStorage', `read ${room.name}`);
    const earlier = read?.epoch === epoch ? read.id : Infinity;
    conversation.begin(epoch, conversation.epoch === null ? earlier : 0);
  }
  conversation.beginReplay();
  if (isBack) conversation.note('Connected again.', { isBoundary: true });
  if (room === session.current) canvas.reload();
  storeRooms();
  showRoom();
}

/** Remembers, for the next visit, up to which message the user has read a room. */
function read({ room }, id) {
  store('localStorage', `read ${room.name}`, { epoch: room.epoch, id });
}

function left(room, reply) {
  conversations.remove(room);
  if (room === conversations.current?.room) open(session.current);
  navigation.show();
  if (reply) conversations.current.note(`You could not enter ${room.name}. ${refusal(reply)}`);
  storeRooms();
  showRoom();
}

function note(room, text, after) {
  conversations.of(room).note(text, { after });
}

function caughtUp(room) {
  conversations.of(room).endReplay();
}

function refused(reply, name) {
  session.forgetName();
  if (!names.isJoining) names.askToJoin('The connection was lost, and your name is no longer available.');
  names.refuse(refusal(reply, name));
}

function passwordNeeded(reply) {
  session.forgetName();
  const isWrong = reply?.code === 'password-wrong';
  if (!names.isJoining) names.askToJoin(`The connection was lost${isWrong ? ', and the server does not accept the password any more' : ''}.`);
  // The session tries the same password again.
  if (reply?.code === 'too-many-attempts') return names.wait(refusal(reply));
  names.askPassword(reply ? refusal(reply) : 'This server needs a password.');
}

function exposed() {
  session.forgetName();
  if (!names.isJoining) names.askToJoin();
  names.refuse('This server needs a password, but others could read it on the way. Open this page with https://');
}

function line(room, line, isNew) {
  if (room === session.current) show(room, line);
  if (isNew) conversations.of(room).show(line, (entry) => notify(entry, room));
  showRoom();
}

/** Shows a line about the room that the page shows, in other places than the log. */
function show(room, line) {
  if (line.kind === 'stroke') canvas.replay(line.stroke);
  if (line.kind === 'draw') canvas.paint(line.stroke);
  if (line.kind === 'clear') canvas.wipe();
  // The server sends ROSTER after it has skipped events, and it has skipped strokes, too.
  if (line.kind === 'roster') canvas.reload();
  if (line.kind === 'ok' && line.verb === 'CANVAS') canvas.replayed();
  if (line.kind === 'ok' && line.verb === 'STATUS') status.show(room.status);
}

function notify(entry, room) {
  const place = session.rooms.length > 1 && entry.kind !== 'whisper' ? room.name : '';
  notifications.notify(entry, place, () => navigation.go(room.name));
  if (room !== session.current) navigation.announce(`${entry.name} mentions you in ${room.name}.`);
}

function closed({ retryMs, closeReason: line }) {
  canvas.forgetReplayed();
  const wasConnected = byId('where').classList.contains('connected');
  if (retryMs !== null) {
    if (names.isJoining) names.wait('Server unreachable. Retrying…');
    if (wasConnected) conversations.note(closeText(line) || 'The connection was lost.');
    return showConnection('Not connected. Retrying…', true);
  }
  session.forgetName();
  for (const room of session.rooms) room.replaceMembers([]);
  showConnection('Not connected');
  names.askToJoin(hasQuit ? farewell() : closeText(line));
}

function farewell() {
  return session.rooms.length > 1 ? 'You have left all rooms.' : 'You have left the room.';
}

/** Changes the name from the dialog. */
function rename(name) {
  session.rename(name, (reply) => {
    if (!reply?.isOk) return names.refuse(reply ? refusal(reply, name) : 'Not connected. Try again later.');
    names.remember(reply.value);
    names.close();
    showRoom();
  });
}

function quit({ reason }) {
  hasQuit = true;
  session.quit(reason);
}

/** Returns a refused command to the draft of its conversation. */
function giveBack({ from, raw }, reason) {
  composer.giveBack(from.draft, raw, reason);
}

/** The words that Tab completes. */
function words() {
  const { current, me } = session;
  const names = current.people.map(({ name }) => name).filter((name) => name !== me);
  return { names, rooms: session.rooms.map(({ name }) => name), commands: Object.keys(usages(session.hasRooms)) };
}

/* Views */

function drawRoom() {
  const { current: room, me } = session;
  conversations.current.draft.recipients.follow(room);
  people.show(session.isConnected);
  byId('me').textContent = me;
  for (const id of ['you', 'rename', 'quit']) byId(id).hidden = !me;
  byId('check-status').hidden = !room.isCoordinator;
  if (status.isOpen && !room.isCoordinator) status.close();
  navigation.draw(conversations);
  showTitle();
}

function showTitle() {
  const { unread } = conversations;
  const parts = [unread && `(${unread})`, session.rooms.length > 1 && `${session.current.name} ·`, 'chinwag'];
  const title = parts.filter(Boolean).join(' ');
  if (document.title !== title) document.title = title;
}

function draftChanged(draft) {
  composer.address(draft);
  if (draft === conversations.current?.draft) people.showChosen();
  draft.store();
}

function showConnection(text, isRetrying = false) {
  byId('connection').textContent = text;
  byId('where').classList.toggle('connected', session.isConnected);
  byId('retry').hidden = !isRetrying;
  composer.isConnected = session.isConnected;
  canvas.isConnected = session.isConnected;
  showRoom();
}
