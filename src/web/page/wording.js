// The page's own words for what the server answers. The server's texts tell people what to type into a terminal; here the
// code decides, and of a text only what comes before such a hint is shown.

export const NOT_CONNECTED = 'Not sent: there is no connection now. What you wrote is kept.';

const REFUSALS = {
  'name-taken': (what) => `${what}. Choose another name.`,
  'name-alike': (what) => `${what}. Choose another name.`,
  'name-missing': () => 'Write a name first.',
  'not-coordinator': () => 'Only the coordinator can do that: the member who has been here longest.',
  'not-stored': () => 'The server could not store it. Try again later.',
  'target-absent': (what) => `${what}.`,
  'target-self': () => 'You cannot whisper to yourself.',
  'targets-too-many': () => 'A whisper can go to at most 32 members.',
};

const LAST_WORDS = {
  'idle-timeout': 'The server closed the connection because nothing came from this page for too long.',
  'name-timeout': 'You took longer to choose a name than the server waits. Join again.',
  resumed: 'You are in the room in another window now. Join again to use this one.',
  'server-full': 'The server has no room for another connection now.',
  slow: 'This page could not keep up with the server, and was disconnected.',
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

/** Why a command was refused, as a sentence. `name` is the one that was asked for, if any. */
export function refusal({ code, text }, name = '') {
  const what = withoutHint(text);
  const quoted = name && what.startsWith(`${name} `) ? `“${name}”${what.slice(name.length)}` : what;
  return REFUSALS[code]?.(quoted) ?? `${capitalized(quoted)}.`;
}

/** Why the server closed the connection, as a sentence; empty if it did not say. */
export function lastWord(line) {
  return line ? LAST_WORDS[line.code] ?? `${capitalized(withoutHint(line.text))}.` : '';
}

/** What the server says to everybody. */
export function notice(text) {
  return `Server: ${withoutHint(text)}`;
}

/** What somebody who is gone did. */
export function departure(reason) {
  return LEAVE_REASONS[reason] ?? 'left';
}

/** The names as people list them: `nora`, `nora and bob`, `nora, bob and zoë`. */
export function listed(names) {
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** A text of the server up to where it says what to type. */
function withoutHint(text) {
  return text.split(/; | \(|: [A-Z]{2,}/)[0];
}

function capitalized(text) {
  return text && text[0].toUpperCase() + text.slice(1);
}
