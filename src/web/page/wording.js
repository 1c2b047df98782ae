// The page's texts for refusals and reasons of the server. The server's texts end with hints for a terminal: the page has its own text
// for a code, or shows the server's text without the hint.

export const NOT_CONNECTED = 'Not sent: there is no connection now. What you wrote is kept.';

const REFUSALS = {
  'line-too-long': () => 'That is too long.',
  'name-taken': (what) => `${what}. Choose another name.`,
  'name-alike': (what) => `${what}. Choose another name.`,
  'name-missing': () => 'Type a name first.',
  'not-coordinator': () => 'Only the coordinator can do that: the member who has been here longest.',
  'not-stored': () => 'The server could not store it. Try again later.',
  'target-absent': (what) => `${what}.`,
  'target-self': () => 'You cannot whisper to yourself.',
  'targets-too-many': () => 'A whisper can go to at most 32 members.',
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
export function refusal({ code, text }, name = '') {
  const what = withoutHint(text);
  const quoted = name && what.startsWith(`${name} `) ? `“${name}”${what.slice(name.length)}` : what;
  return REFUSALS[code]?.(quoted) ?? `${capitalized(quoted)}.`;
}

/** Why the server closed the connection, as a sentence; empty if it did not say. */
export function closeText(line) {
  return line ? CLOSE_TEXTS[line.code] ?? `${capitalized(withoutHint(line.text))}.` : '';
}

/** A NOTICE of the server. */
export function notice(text) {
  return `Server: ${withoutHint(text)}`;
}

/** The text for a LEAVE, by its reason: `bob left`, `bob lost the connection`. */
export function departure(reason) {
  return LEAVE_REASONS[reason] ?? 'left';
}

/** Names in a sentence: `nora`, `nora and bob`, `nora, bob and zoë`. */
export function listed(names) {
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** The server's text without the hint what to type, and without escapes. */
function withoutHint(text) {
  return text.split(/; | \(|: [A-Z]{2,}/)[0].replace(/'\\u\{\w+\}'/, 'an invisible character');
}

function capitalized(text) {
  return text && text[0].toUpperCase() + text.slice(1);
}
