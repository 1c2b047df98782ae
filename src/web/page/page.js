// The entry point. Creates the parts of the page, passes events of the session to the views, and passes actions of the user to the session.

import { Canvas } from './canvas.js';
import { Composer } from './composer.js';
import { storeDraft, loadDraft } from './drafts.js';
import { oncePerFrame } from './frames.js';
import { Log } from './log.js';
import { NameDialog } from './names.js';
import { Notifications } from './notifications.js';
import { People } from './people.js';
import { Recipients } from './recipients.js';
import { Sending } from './sending.js';
import { Session } from './session.js';
import { Status } from './status.js';
import { load, store } from './storage.js';
import { USAGES } from './typed.js';
import { followViewport } from './viewport.js';
import { closeText, listed, refusal } from './wording.js';

const byId = (id) => document.getElementById(id);

const session = new Session(webSocketUrl(), {
  joined, refused, line, closed, note: (text, after) => log.note(text, { after }), caughtUp: () => log.endReplay(),
});
const { room } = session;
const log = new Log((id) => store('localStorage', 'read', { epoch: room.epoch, id }));
const recipients = new Recipients(recipientsChanged);
const people = new People(room, recipients, (pointer) => pointer === 'mouse' && composer.focus());
const composer = new Composer({
  send: (lines) => sending.send(lines),
  names: () => room.people.map(({ name }) => name).filter((name) => name !== room.me),
  measure: (lines) => sending.measure(lines),
  changed: saveDraft,
});
const commands = { nick, quit, who, status: checkStatus, canvas: toggleCanvas, ping, help };
const sending = new Sending({ session, log, recipients, composer, commands });
const canvas = new Canvas({ draw: (stroke, answered) => session.draw(stroke, answered), clear: () => session.clear() });
const status = new Status(() => session.status());
const names = new NameDialog((name) => (room.me ? rename(name) : session.join(name)));
const notifications = new Notifications((text) => composer.explain(text));
const showRoom = oncePerFrame(() => drawRoom());
/** The epoch of the ids in the log. */
let epoch = null;
let hasQuit = false;

byId('address').textContent = location.host;
byId('rename').addEventListener('click', () => names.askToRename(room.me));
byId('quit').addEventListener('click', () => quit({ reason: '' }));
byId('retry').addEventListener('click', () => session.retryNow());
byId('to-all').addEventListener('click', () => {
  recipients.clear();
  composer.focus();
});
byId('show-canvas').addEventListener('click', toggleCanvas);
// Closing the page leaves the room at once.
addEventListener('pagehide', () => session.quit());
addEventListener('pageshow', ({ persisted }) => persisted && location.reload());
followViewport();
restoreDraft();
names.askToJoin();

/** The address of the WebSocket, beside the page: a proxy may serve both under a path. */
function webSocketUrl() {
  const url = new URL('ws', location.origin + location.pathname);
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

function joined(isBack) {
  beginReplay();
  if (isBack) log.note('Connected again.', { isBoundary: true });
  names.remember(room.me);
  hasQuit = false;
  showConnection('Connected');
  showRoom();
  // Does not move the focus after a reconnect: the user may be reading, drawing or changing the name.
  if (!names.isJoining) return;
  names.close();
  composer.focus();
}

/** Prepares the log for past messages, some of which the user may have read at an earlier visit. */
function beginReplay() {
  if (room.epoch !== epoch) {
    const read = load('localStorage', 'read');
    const earlier = read?.epoch === room.epoch ? read.id : Infinity;
    log.begin(epoch === null ? earlier : 0);
    epoch = room.epoch;
  }
  log.beginReplay();
}

function refused(reply, name) {
  room.me = '';
  if (!names.isJoining) names.askToJoin('The connection was lost, and your name is no longer available.');
  names.refuse(refusal(reply, name));
}

function line(line, isNew) {
  if (line.kind === 'stroke') canvas.replay(line.stroke);
  if (line.kind === 'draw') canvas.paint(line.stroke);
  if (line.kind === 'clear') canvas.wipe();
  if (line.kind === 'ok' && line.verb === 'CANVAS') canvas.replayed();
  if (line.kind === 'ok' && line.verb === 'STATUS') status.show(room.status);
  if (isNew) log.show(line, room, (entry) => notifications.notify(entry));
  showRoom();
}

function closed({ retryMs, closeReason: line }) {
  canvas.forgetReplayed();
  const wasConnected = byId('where').classList.contains('connected');
  if (retryMs !== null) {
    if (names.isJoining) names.wait('Server unreachable. Retrying…');
    if (wasConnected) log.note(closeText(line) || 'The connection was lost.');
    return showConnection('Not connected. Retrying…', true);
  }
  room.me = '';
  room.replaceMembers([]);
  showConnection('Not connected');
  names.askToJoin(hasQuit ? 'You have left the room.' : closeText(line));
}

function rename(name) {
  session.rename(name, (reply) => {
    if (!reply?.isOk) return names.refuse(reply ? refusal(reply, name) : 'Not connected. Try again later.');
    names.remember(reply.value);
    names.close();
    showRoom();
  });
}

/* Commands */

function nick({ name, raw }) {
  session.rename(name, (reply) => {
    if (reply?.isOk) names.remember(reply.value);
    else composer.giveBack(raw, reply ? refusal(reply, name) : 'Not connected. Try again later.');
    showRoom();
  });
}

function quit({ reason }) {
  hasQuit = true;
  session.quit(reason);
}

function who() {
  const shown = room.people.map(({ name, isCoordinator }) => {
    const roles = [name === room.me && 'you', isCoordinator && 'coordinator'].filter(Boolean);
    return roles.length ? `${name} (${roles.join(', ')})` : name;
  });
  log.note(shown.length === 1 ? 'Only you are here.' : `${shown.length} members: ${listed(shown)}.`);
}

function checkStatus() {
  if (!room.isCoordinator) return 'Only the coordinator, the member who has been in the room longest, can see addresses and times.';
  status.open();
  return '';
}

function toggleCanvas() {
  canvas.isShown = !canvas.isShown;
}

function ping() {
  if (!session.isConnected) return 'Not connected.';
  const start = performance.now();
  session.ping((reply) => reply && log.note(`The server replied in ${Math.round(performance.now() - start)} ms.`));
  return '';
}

function help() {
  const commands = Object.values(USAGES).map(([usage, effect]) => `${usage}: ${effect}`);
  log.note(['Commands:', ...commands, '//text: send a message that begins with a slash'].join('\n'));
}

/* Views */

function drawRoom() {
  recipients.follow(room);
  people.show(session.isConnected);
  byId('me').textContent = room.me;
  for (const id of ['you', 'rename', 'quit']) byId(id).hidden = !room.me;
  byId('check-status').hidden = !room.isCoordinator;
  if (status.isOpen && !room.isCoordinator) status.close();
}

function recipientsChanged() {
  composer.address(recipients.list);
  people.showChosen();
  saveDraft();
}

function showConnection(text, isRetrying = false) {
  byId('connection').textContent = text;
  byId('where').classList.toggle('connected', session.isConnected);
  byId('retry').hidden = !isRetrying;
  composer.isConnected = session.isConnected;
  canvas.isConnected = session.isConnected;
  showRoom();
}

function saveDraft() {
  storeDraft(composer.text, recipients.names);
}

function restoreDraft() {
  const draft = loadDraft();
  recipients.choose(draft.names.map((name) => ({ name })), room);
  composer.text = draft.text;
}
