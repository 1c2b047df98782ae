// The page's texts for refusals and reasons of the server, chosen by their code and the kind of their hint. For other codes, the page shows
// the server's text without the hint, which is for a terminal. Pure: no document.

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
  'password-wrong': 'The password is wrong.',
  'room-invalid': 'The name of a room is one word of at most 32 characters. It begins with a letter or a digit.',
  'rooms-full': 'The server has no space for another room.',
  'rooms-too-fast': 'Too many rooms were made from your network just now.',
  'rooms-too-many': 'You can enter at most 16 rooms at once, and be in at most 100.',
  'target-self': 'You cannot whisper to yourself.',
  'targets-too-many': 'A whisper can go to at most 32 members.',
  'too-many-attempts': 'Too many wrong passwords were given from your network. This page tries again in a few seconds.',
  'verb-unknown': 'The server did not understand this page. Reload the page.',
};

/** The codes whose texts begin with a name. Its first letter keeps its case. */
const NICKNAME_FIRST = new Set(['name-alike', 'name-taken', 'room-alike', 'target-absent']);

/** What to do next, by the kind of the hint. A hint without a text here is one that the page follows itself. */
const HINTS = {
  'check-history': 'It may still have been published. Look for it before you send it again.',
  'choose-nickname': 'Choose another name.',
  'close-connection': 'Close another window first.',
  'retry-in-a-second': 'Try again in a second.',
  'retry-later': 'Try again later.',
  'retry-nickname': 'Try again later, or choose another name.',
};

const CLOSE_TEXTS = {
  'idle-timeout': 'The server closed the connection because this page sent nothing for too long.',
  'name-timeout': 'You did not choose a name in time. Join again.',
  resumed: 'Another window has taken over your session. Join again to use this one.',
  'server-full': 'The server is full. Try again later.',
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
};

/** The reason why a command was refused, in sentences. `name` is the nickname that was requested, if any. */
export function refusal({ code, what, hint }, name = '') {
  const quoted = name && what.startsWith(`${name} `) ? `“${name}”${what.slice(name.length)}` : what;
  const said = NICKNAME_FIRST.has(code) ? `${quoted}.` : sentence(quoted);
  return [REFUSALS[code] ?? said, HINTS[hint]].filter(Boolean).join(' ');
}

/** The reason why the server closed the connection, as a sentence; empty if the server gave none. */
export function closeText(line) {
  return line ? CLOSE_TEXTS[line.code] ?? sentence(line.what) : '';
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
  return text && `${text[0].toUpperCase()}${text.slice(1)}.`;
}
