// The entry point. Creates the parts of the page, passes events of the session to the views, and passes actions of the user to the session.

import { AccountDialog } from './account-dialog.js';
import { roomInAddress } from './address.js';
import { Canvas } from './canvas.js';
import { commandsOf, usages } from './commands.js';
import { Composer } from './composer.js';
import { Conversations } from './conversations.js';
import { oncePerFrame } from './frames.js';
import { Log } from './log.js';
import { Login } from './login.js';
import { Moderation } from './moderation.js';
import { NameDialog } from './names.js';
import { Navigation } from './navigation.js';
import { Notifications } from './notifications.js';
import { People } from './people.js';
import { Sending } from './sending.js';
import { LOBBY, Session } from './session.js';
import { Status } from './status.js';
import { load, store } from './storage.js';
import { followViewport } from './viewport.js';
import { closeText, refusal, removal } from './wording.js';

const LOGGED_OUT = 'You are logged out.';

const byId = (id) => document.getElementById(id);

const on = {
  greeted: () => login.offer(),
  exposed: () => login.exposed(),
  topics: () => showRoom(),
  joined, refused, displaced, passwordNeeded, entered, left, kicked, line, note, caughtUp, closed,
};
const session = new Session(webSocketUrl(), on, [roomInAddress() ?? LOBBY, ...storedRooms()]);
const log = new Log({ read, counted: () => showRoom(), chosen: (...at) => moderation.openMenuOf(...at), menu: (...at) => moderation.openMenuAt(...at) });
const conversations = new Conversations(log, draftChanged);
const people = new People({
  chosen: (pointer) => pointer === 'mouse' && composer.focus(),
  openMenu: (member, anchor) => moderation.openMenu(member, anchor),
});
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
const names = new NameDialog({
  take: (name, password) => (session.me ? rename(name) : session.takeName(name, password)),
  logIn: (fields) => login.logIn(fields),
  again: (password) => login.again(password),
});
const login = new Login({ session, names, explain: (text) => composer.explain(text), changed: nameChanged });
const account = new AccountDialog(session, {
  logIn: () => names.askToLogIn('', session.me),
  stay: (answered) => login.stay(answered),
  logOut,
  removed,
});
const notifications = new Notifications((text) => composer.explain(text));
const navigation = new Navigation({ session, composer, opened: open });
const moderation = new Moderation({ session, conversations, whisper });
const commands = commandsOf({
  session, canvas, status, names, account, moderation, rooms: navigation, quit, logOut, changed: () => showRoom(), giveBack,
});
const sending = new Sending({ session, conversations, composer, commands });
const showRoom = oncePerFrame(() => drawRoom());
/** What the dialog says after the user has left the chat; null before. */
let farewell = null;

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
login.begin(webSocketUrl());

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
  moderation.close();
  session.open(room);
  const conversation = conversations.open(room);
  people.open(room, conversation.draft.recipients);
  composer.open(conversation.draft, from?.draft);
  canvas.open();
  showRoom();
}

function joined() {
  names.remember(session.me);
  farewell = null;
  showConnection('Connected');
  navigation.show();
  login.joined();
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

function kicked(room, line) {
  conversations.current.note(removal(room.name, line));
}

function note(room, text, after) {
  conversations.of(room).note(text, { after });
}

function caughtUp(room) {
  conversations.of(room).endReplay();
}

function refused(reply, name) {
  session.forgetName();
  if (session.account.login) return login.refused(reply);
  if (!names.isJoining) names.askToJoin('The connection was lost, and your name is no longer available.');
  login.nameRefused(reply, name);
}

/** The owner of the name has logged in. */
function displaced(name) {
  for (const room of session.rooms) room.replaceMembers([]);
  conversations.note(`The owner of the name ${name} has logged in.`);
  showConnection('Not in the chat');
  login.askToJoin(`The name ${name} belongs to an account, and its owner has logged in. Choose another name to go on.`, { name: '' });
}

function passwordNeeded(reply) {
  session.forgetName();
  const isWrong = reply?.code === 'password-wrong';
  const lost = `The connection was lost${isWrong ? ', and the server does not accept the password any more' : ''}.`;
  if (!names.isJoining) login.askToJoin(login.hasJoined ? lost : '');
  // The session tries the same password again.
  if (reply?.code === 'too-many-attempts') return names.wait(refusal(reply));
  names.askPassword(reply ? refusal(reply) : 'This server needs a password.');
}

function line(room, line, isNew) {
  if (room === session.current) show(room, line);
  moderation.follow(room, line);
  if (line.kind === 'delete') conversations.of(room).delete(line);
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
  // The page connects again when the user has chosen.
  if (line?.code === 'name-timeout' && names.isJoining) return names.enable();
  login.askToJoin(farewell ?? closeText(line), { takesOver: line?.code === 'taken-over' });
}

/** Changes the name from the dialog. */
function rename(name) {
  session.rename(name, (reply) => {
    if (!reply) return names.refuse('Not connected. Try again later.');
    if (!reply.isOk) return login.nameRefused(reply, name);
    names.close();
    nameChanged();
  });
}

function nameChanged() {
  names.remember(session.me);
  showRoom();
}

function quit({ reason }) {
  farewell = session.rooms.length > 1 ? 'You have left all rooms.' : 'You have left the room.';
  session.quit(reason);
}

/** Logs out on this device, and leaves the chat. */
function logOut() {
  session.account.logOut((reply) => {
    farewell = reply?.isOk ? LOGGED_OUT : `${LOGGED_OUT} The server did not confirm that the access token of this device is revoked.`;
    session.quit();
  });
}

/** The account is deleted. */
function removed(name) {
  showRoom();
  if (!session.isAccountsOnly) return;
  farewell = `The account ${name} is deleted.`;
  session.quit();
}

/** Makes a member a recipient of the next message. */
function whisper(member) {
  const { recipients } = conversations.current.draft;
  if (!recipients.has(member.key)) recipients.toggle(member);
  composer.focus();
}

/** Returns a refused command to the draft of its conversation. */
function giveBack({ from, raw }, reason) {
  composer.giveBack(from.draft, raw, reason);
}

/** The words that Tab completes. */
function words() {
  const { current, me } = session;
  const names = current.people.map(({ name }) => name).filter((name) => name !== me);
  return { names, rooms: session.rooms.map(({ name }) => name), commands: Object.keys(usages(session)) };
}

/* Views */

function drawRoom() {
  const { current: room, me } = session;
  conversations.current.draft.recipients.follow(room);
  people.show(session.isConnected);
  byId('me').textContent = me;
  for (const id of ['you', 'rename', 'quit']) byId(id).hidden = !me;
  byId('show-account').hidden = !me || !session.hasAccounts || !session.isPrivate;
  if (!me) account.close();
  byId('check-status').hidden = !room.isCoordinator;
  if (status.isOpen && !room.isCoordinator) status.close();
  moderation.show();
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
