// The page's texts for refusals and reasons of the server, chosen by their code and the kind of their hint. For other codes, the page shows
// the server's text without the hint, which is for a terminal. Pure: no document.

import { momentOf } from './dates.js';

export const NOT_SENT_DISCONNECTED = 'Not sent: no connection. Your text is kept.';

const REFUSALS = {
  'epoch-changed': 'The server was restarted and has lost the messages above.',
  'id-ahead': 'The server was restarted and has lost the messages above.',
  'line-too-long': 'Your text is too long.',
  'name-missing': 'Type a name first.',
  'not-coordinator': 'Only the coordinator, the member who has been in the room longest, can do that.',
  'not-stored': 'The server could not store the message.',
  'not-in-room': 'You are not in this room any more.',
  'password-missing': 'Type the password first.',
  'room-invalid': 'The name of a room is one word of at most 32 characters. It begins with a letter or a digit.',
  'rooms-full': 'The server has no space for another room.',
  'rooms-too-fast': 'Too many rooms were made from your network just now.',
  'rooms-too-many': 'You can enter at most 16 rooms at once, and be in at most 100.',
  'WHISPER target-self': 'You cannot whisper to yourself.',
  'targets-too-many': 'A whisper can go to at most 32 members.',
  'PASS too-many-attempts': 'Too many wrong passwords were given from your network. This page tries again in a few seconds.',
  'TOKEN option-unknown': 'The server did not understand this page. Reload the page.',
  'account-in-use': 'Another window or another device uses this account.',
  insecure: 'Others could read your password on the way. Open this page with https://',
  'login-required': 'This server has no guests. Log in to your account.',
  'login-too-old': 'Type the password of your account first.',
  'password-invalid': 'This password is too short, too long, or has a character that it cannot have. Use at least 8 characters.',
  'verb-unknown': 'The server did not understand this page. Reload the page.',
};

/** The codes whose texts begin with a name. Its first letter keeps its case. */
const NICKNAME_FIRST = new Set([
  'account-unknown', 'address-refused', 'name-alike', 'name-registered', 'name-resting', 'name-taken', 'room-alike', 'target-absent', 'target-self',
]);

/** The commands that change an account. */
const ACCOUNT_VERBS = new Set(['REGISTER', 'LOGIN', 'TAKEOVER', 'PASSWORD', 'UNREGISTER', 'TOKEN']);

/** What to do next, by the kind of the hint. A hint without a text here is one that the page follows itself. */
const HINTS = {
  'ask-for-invitation': 'Ask a moderator of the room to invite you.',
  'ask-operator': 'Ask the operator for one.',
  'check-history': 'It may still have been published. Look for it before you send it again.',
  'choose-nickname': 'Choose another name.',
  'close-connection': 'Close another window first.',
  'log-in-or-choose-nickname': 'Log in to it, or choose another name.',
  'revoke-token': 'Revoke one first.',
  'retry-in-a-second': 'Try again in a second.',
  'retry-later': 'Try again later.',
  'retry-nickname': 'Try again later, or choose another name.',
};

const CLOSE_TEXTS = {
  'idle-timeout': 'The server closed the connection because this page sent nothing for too long.',
  'login-required': 'The operator of the server has ended your login: your account was deleted, or has another password now. Ask the operator.',
  'name-timeout': 'You did not choose a name in time. Join again.',
  resumed: 'Another window has taken over your session. Join again to use this one.',
  'server-full': 'The server is full. Try again later.',
  'taken-over': 'Another window or another device has logged in to your account. If that was not you, log in here and change the password.',
  slow: 'The server disconnected this page because it read too slowly.',
  'too-many-errors': 'The server did not understand this page, and closed the connection.',
  'wrong-protocol': 'The server did not understand this page, and closed the connection.',
};

const LEAVE_REASONS = {
  eof: 'left',
  part: 'left',
  quit: 'left',
  lost: 'left (connection lost)',
  slow: 'was disconnected (too slow)',
  timeout: 'was disconnected (silent for too long)',
  errors: 'was disconnected (too many errors)',
  displaced: 'was displaced (the owner of the name logged in)',
  // The text says who did it, and why.
  banned: 'was banned',
  kicked: 'was removed',
};

/** The reason why a command was refused, in sentences. `name` is the nickname that was requested, if any. */
export function refusal({ verb, code, what: written, hint }, name = '') {
  // The page itself shows that nothing was sent or changed.
  const what = inLocalTime(code === 'muted' ? written.slice(written.indexOf(': ') + 2) : written);
  const quoted = name && what.startsWith(`${name} `) ? `“${name}”${what.slice(name.length)}` : what;
  const said = NICKNAME_FIRST.has(code) ? `${quoted}.` : sentence(quoted);
  const isChange = code === 'not-stored' && ACCOUNT_VERBS.has(verb);
  const own = isChange ? 'The server could not store the change.' : REFUSALS[`${verb} ${code}`] ?? REFUSALS[code];
  return [own ?? said, HINTS[hint]].filter(Boolean).join(' ');
}

/** The reason why the server closed the connection, as a sentence; empty if the server gave none. */
export function closeText(line) {
  return line ? CLOSE_TEXTS[line.code] ?? sentence(inLocalTime(line.what)) : '';
}

/** What the user reads whom a moderator has removed from a room. The text of the line says who did it, and why. */
export function removal(room, { reason, text }) {
  const next = reason === 'kicked' ? ` To come back, type /join ${room}` : '';
  return `You were ${reason === 'kicked' ? 'removed' : 'banned'} from ${room} ${sentenceEnd(text)}${next}`;
}

/** A NOTICE of the server. */
export function notice(text) {
  return `Server: ${text}`;
}

/** The verb for a LEAVE by its reason, as in `bob left` or `bob left (connection lost)`. */
export function departure(reason) {
  return LEAVE_REASONS[reason] ?? 'left';
}

/** Names in a sentence: `nora`, `nora and bob`, `nora, bob and zoë`. */
export function listed(names) {
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

function sentence(text) {
  return text && sentenceEnd(`${text[0].toUpperCase()}${text.slice(1)}`);
}

/** A text with a full stop. It may end with the words of a moderator. */
function sentenceEnd(text) {
  return /[.!?…]$/u.test(text) ? text : `${text}.`;
}

/** The server writes the end of a ban or a mute in UTC: `until 2026-11-30 14:05 UTC`. */
function inLocalTime(text) {
  return text.replace(/ until (\d{4}-\d\d-\d\d) (\d\d:\d\d) UTC/, (_, day, time) => ` until ${momentOf(new Date(`${day}T${time}Z`), new Date())}`);
}
