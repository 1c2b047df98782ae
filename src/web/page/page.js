// Puts the page together: what the session tells goes to the views, what the user does goes to the session.

import { Canvas } from './canvas.js';
import { Composer } from './composer.js';
import { Log } from './log.js';
import { NameDialog } from './names.js';
import { People } from './people.js';
import { Session } from './session.js';
import { Status } from './status.js';

/** From this width on the canvas is there without being asked for. */
const WIDE = matchMedia('(min-width: 70rem)');

const byId = (id) => document.getElementById(id);

const session = new Session(webSocketUrl(), {
  joined, refused, line, closed, note: (text) => log.note(text), caughtUp: () => (log.isBusy = false),
});
const { room } = session;
const log = new Log();
const people = new People(() => composer.address([...people.chosen]));
const composer = new Composer(send, () => room.people.map(({ name }) => name).filter((name) => name !== room.me));
const canvas = new Canvas({ draw: (stroke, answered) => session.draw(stroke, answered), clear: () => session.clear() });
const status = new Status(() => session.status());
const names = new NameDialog((name) => (room.me ? rename(name) : session.join(name)));
let hasQuit = false;

byId('address').textContent = location.host;
byId('rename').addEventListener('click', () => names.askToRename(room.me));
byId('quit').addEventListener('click', quit);
byId('retry').addEventListener('click', () => session.retryNow());
byId('to-all').addEventListener('click', () => {
  people.choose([]);
  composer.focus();
});
byId('show-canvas').addEventListener('click', () => showCanvas(byId('drawing').hidden));
// Whoever closes the page leaves, and is not kept a place.
addEventListener('pagehide', () => session.quit());
addEventListener('pageshow', ({ persisted }) => persisted && location.reload());
showCanvas(WIDE.matches);
names.askToJoin();

/** Beside the page: a proxy may serve it under a path of its own. */
function webSocketUrl() {
  const url = new URL('ws', location.origin + location.pathname);
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

function joined(isBack) {
  log.isBusy = true;
  if (isBack) log.note('Connected again.');
  names.remember(room.me);
  names.close();
  hasQuit = false;
  showConnection('Connected');
  composer.focus();
}

function refused(text) {
  room.me = '';
  if (!names.isOpen) names.askToJoin('The connection broke, and your name is not free any more.');
  names.refuse(sentence(text));
}

function line(line, isNew) {
  if (line.kind === 'rename') people.rename(line.name, line.to);
  if (line.kind === 'stroke') canvas.replay(line.stroke);
  if (line.kind === 'draw') canvas.paint(line.stroke);
  if (line.kind === 'clear') canvas.wipe();
  if (line.kind === 'ok' && line.verb === 'CANVAS') canvas.replayed();
  if (line.kind === 'ok' && line.verb === 'STATUS') status.show(room.status);
  if (isNew) log.show(line, room.me);
  showRoom();
}

function closed({ retryMs, lastWord }) {
  canvas.forgetReplayed();
  const wasThere = document.body.classList.contains('connected');
  if (retryMs !== null) {
    if (names.isOpen) names.wait('The server cannot be reached now. It is tried again by itself.');
    if (wasThere) log.note(lastWord ? sentence(lastWord.text) : 'The connection broke.');
    return showConnection(`Not connected; next try in ${Math.ceil(retryMs / 1000)} s`);
  }
  room.me = '';
  room.people = [];
  showConnection('Not connected');
  showRoom();
  names.askToJoin(hasQuit ? 'You have left the room.' : sentence(lastWord?.text ?? ''));
}

/** Sends lines to those who are chosen, or to everybody. Whether they are on their way. */
function send(lines) {
  if (!session.isConnected) return false;
  const chosen = [...people.chosen];
  for (const text of lines) {
    const answered = (reply) => sent(chosen, text, reply);
    if (chosen.length) session.whisper(chosen, text, answered);
    else session.say(text, answered);
  }
  people.choose([]);
  return true;
}

/** What became of a line to those who were chosen. */
function sent(chosen, text, reply) {
  if (reply?.isOk) {
    if (chosen.length) log.whispered(reply.value.split(','), text, room.me);
    return;
  }
  const reason = reply
    ? `Not sent: ${reply.text}.`
    : 'The connection broke before this was confirmed. See whether it was said before you send it again.';
  composer.giveBack(text, reason);
  // It is for them again, and so is what has been written meanwhile: a whisper never becomes public.
  people.choose([...people.chosen, ...chosen]);
}

function rename(name) {
  session.rename(name, (reply) => {
    if (!reply?.isOk) return names.refuse(sentence(reply?.text ?? 'there is no connection now'));
    names.remember(reply.value);
    names.close();
  });
}

function quit() {
  hasQuit = true;
  session.quit();
}

function showRoom() {
  people.show(room.people, room.me);
  byId('me').textContent = room.me;
  for (const id of ['you', 'rename', 'quit']) byId(id).hidden = !room.me;
  byId('check-status').hidden = !room.isCoordinator;
  if (status.isOpen && !room.isCoordinator) status.close();
}

function showConnection(text) {
  byId('connection').textContent = text;
  document.body.classList.toggle('connected', text === 'Connected');
  byId('retry').hidden = !text.includes('next try');
}

function showCanvas(isShown) {
  byId('drawing').hidden = !isShown;
  byId('show-canvas').setAttribute('aria-expanded', isShown);
}

/** The server's words end where its line does; on a page they are a sentence. */
function sentence(text) {
  return text && `${text[0].toUpperCase()}${text.slice(1)}.`;
}
