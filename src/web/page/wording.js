// The page's texts for refusals and reasons of the server, by their code and the kind of their hint. For others, the page shows the
// server's text without the hint, which is for a terminal.

export const NOT_CONNECTED = 'Not sent: there is no connection now. What you wrote is kept.';

const REFUSALS = {
  'epoch-changed': 'The server has restarted and no longer knows the messages above.',
  'id-ahead': 'The server has restarted and no longer knows the messages above.',
  'line-too-long': 'That is too long.',
  'name-missing': 'Type a name first.',
  'not-coordinator': 'Only the coordinator can do that: the member who has been here longest.',
  'not-stored': 'The server could not store it.',
  'target-self': 'You cannot whisper to yourself.',
  'targets-too-many': 'A whisper can go to at most 32 members.',
  'verb-unknown': 'The server did not understand this page. Reload the page.',
};

/** The codes with a text that begins with a nickname, which keeps its case. */
const NICKNAME_FIRST = new Set(['name-alike', 'name-taken', 'target-absent']);

/** What to do next, by the kind of the hint. Hints that the page follows by itself have no text. */
const HINTS = {
  'check-history': 'It may be published nevertheless: look for it before you send it again.',
  'choose-nickname': 'Choose another name.',
  'close-connection': 'Close another window first.',
  'retry-in-a-second': 'Try again in a second.',
  'retry-later': 'Try again later.',
  'retry-nickname': 'Try again later, or choose another name.',
};

const CLOSE_TEXTS = {
  'idle-timeout': 'The server closed the connection because this page sent nothing for too long.',
  'name-timeout': 'You did not choose a name in time. Join again.',
  resumed: 'You are in the room in another window now. Join again to use this one.',
  'server-full': 'The server accepts no more connections now. Try again later.',
  slow: 'The server disconnected this page because it was too slow.',
  'too-many-errors': 'The server did not understand this page, and closed the connection.',
  'wrong-protocol': 'The server did not understand this page, and closed the connection.',
};

const LEAVE_REASONS = {
  eof: 'left',
  quit: 'left',
  lost: 'lost the connection',
  slow: 'was disconnected: too slow',
  timeout: 'was disconnected: silent for too long',
  errors: 'was disconnected: too many errors',
};

/** Why a command was refused, as a sentence. `name` is the nickname that was requested, if any. */
export function refusal({ code, what, hint }, name = '') {
  const quoted = name && what.startsWith(`${name} `) ? `“${name}”${what.slice(name.length)}` : what;
  const said = NICKNAME_FIRST.has(code) ? `${quoted}.` : sentence(quoted);
  return [REFUSALS[code] ?? said, HINTS[hint]].filter(Boolean).join(' ');
}

/** Why the server closed the connection, as a sentence; empty if it did not say. */
export function closeText(line) {
  return line ? CLOSE_TEXTS[line.code] ?? sentence(line.what) : '';
}

/** A NOTICE of the server. */
export function notice(text) {
  return `Server: ${text}`;
}

/** The text for a LEAVE, by its reason: `bob left`, `bob lost the connection`. */
export function departure(reason) {
  return LEAVE_REASONS[reason] ?? 'left';
}

/** Names in a sentence: `nora`, `nora and bob`, `nora, bob and zoë`. */
export function listed(names) {
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

function sentence(text) {
  return text && `${text[0].toUpperCase()}${text.slice(1)}.`;
}
