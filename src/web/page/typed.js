// Parses a typed line by the grammar of chat mode (protocol.md), with a few other commands. A line that begins with a slash is never sent
// to everybody, unless it begins with two. Pure: no document.

/** The usage and the effect of each command, for /help and for hints. */
export const USAGES = {
  w: ['/w name text', 'whisper; to several: /w bob,carol text'],
  msg: ['/msg name text', 'whisper, like /w'],
  who: ['/who', 'list the members'],
  nick: ['/nick name', 'change your name'],
  status: ['/status', 'show times and, in #lobby, addresses (coordinator only)'],
  canvas: ['/canvas', 'open or close the canvas'],
  ping: ['/ping', 'measure the response time of the server'],
  quit: ['/quit [reason]', 'leave the chat'],
  help: ['/help', 'list these commands'],
};

/** Those of the commands about rooms. */
export const ROOM_USAGES = {
  join: ['/join #room', 'open a room; it is made if there is none of this name'],
  part: ['/part [#room] [reason]', 'leave a room'],
  topic: ['/topic text', 'set the topic of the room; /topic - clears it'],
  rooms: ['/rooms', 'find or make a room'],
  home: ['/home', 'go back to your first room'],
};

/** Those of the commands about accounts. */
export const ACCOUNT_USAGES = {
  account: ['/account', 'show your account, and change it'],
  register: ['/register', 'make your name an account'],
  login: ['/login', 'log in to an account'],
  logout: ['/logout', 'log out on this device, and leave the chat'],
};

/** The invisible characters at the start of a line, and the rest of the line. */
const INDENT = /^((?:\p{White_Space}|\p{Default_Ignorable_Code_Point}|\p{Mark}|\p{Control}|[\u2800\ufff9-\ufffd])*)(.*)$/su;

/** The beginning of a line for another room: the name of the room, and the rest. */
const ELSEWHERE = /^[/／]([#＃][^ \t]+)(?:[ \t](.*))?$/su;

/** Commands of the protocol that the page does not offer. */
const NOT_OFFERED = new Set(['pass', 'resume', 'history', 'since', 'search', 'draw', 'pong', 'set', 'chat', 'watch']);

/**
 * The meaning of a line: `{ kind: 'message', text }`, also with `room` for another room than the one that is shown;
 * `{ kind: 'whisper', names, text }`, `{ kind: 'wrong', hint }`, or a command: `{ kind: 'nick', name }`, `{ kind: 'quit', reason }`,
 * `{ kind: 'join', rooms }`, `{ kind: 'part', room, reason }` (room: null for the one that is shown), `{ kind: 'topic', text }` (null to
 * show it), or `{ kind }` alone for `who`, `status`, `canvas`, `ping`, `rooms`, `home`, `account`,
 * `register`, `login`, `logout` and `help`.
 */
export function readLine(line) {
  const [, indent, typed] = INDENT.exec(line);
  if (!/^[/／]/u.test(typed)) return { kind: 'message', text: line };
  if (/^[/／]{2}/u.test(typed)) return { kind: 'message', text: indent + typed.slice(1) };
  const elsewhere = ELSEWHERE.exec(typed);
  if (elsewhere) return messageIn(elsewhere[1], elsewhere[2] ?? '');
  const [, word, rest = ''] = /^[/／]([^ \t]*)(?:[ \t](.*))?$/su.exec(typed);
  const verb = word.toLowerCase();
  const command = Object.hasOwn(COMMANDS, verb) ? COMMANDS[verb] : null;
  return command ? command(rest, verb) : { kind: 'wrong', hint: hintFor(verb, typed) };
}

const COMMANDS = {
  w: whisper,
  msg: whisper,
  whisper,
  nick: (rest) => (rest.trim() ? { kind: 'nick', name: rest.trim() } : wrong('nick')),
  quit: (rest) => ({ kind: 'quit', reason: rest.trim() }),
  help: () => ({ kind: 'help' }),
  who: bare,
  status: bare,
  canvas: bare,
  ping: bare,
  join: (rest) => (rest.trim() ? { kind: 'join', rooms: rest.trim().split(/[\s,]+/u).filter(Boolean).map(roomName) } : wrong('join')),
  part: (rest) => {
    const [, room, reason] = /^\s*([#＃]\S+)?\s*(.*)$/su.exec(rest);
    return { kind: 'part', room: room ? roomName(room) : null, reason: reason.trim() };
  },
  topic: (rest) => ({ kind: 'topic', text: rest.trim() || null }),
  rooms: bare,
  home: bare,
  logout: bare,
  // The rest of the line may be a password: a dialog asks for it, and nothing repeats it.
  account: () => ({ kind: 'account' }),
  register: () => ({ kind: 'register' }),
  login: () => ({ kind: 'login' }),
  takeover: () => ({ kind: 'login' }),
  password: () => ({ kind: 'account' }),
  unregister: () => ({ kind: 'account' }),
  token: () => ({ kind: 'account' }),
};

/** The name of a room as the protocol has it, with `#`. */
export function roomName(typed) {
  return `#${typed.replace(/^[#＃]/u, '')}`;
}

function messageIn(room, text) {
  if (/^\s*[/／](?![/／])/u.test(text)) {
    return { kind: 'wrong', hint: `Open ${roomName(room)} first: a command is for the room that you see.` };
  }
  if (!/\P{White_Space}/u.test(text)) return { kind: 'wrong', hint: 'Type /#room text to send a message to another of your rooms.' };
  return { kind: 'message', room: roomName(room), text: text.replace(/^(\s*)[/／]/u, '$1') };
}

function whisper(rest) {
  const [, list, text] = /^[ \t]*([^ \t]*)[ \t]?(.*)$/su.exec(rest);
  if (/^[#＃]./u.test(list)) return messageIn(list, text);
  const names = list.split(',');
  if (names.includes('') || !/\P{White_Space}/u.test(text)) return wrong('w');
  return { kind: 'whisper', names, text };
}

function bare(rest, verb) {
  return rest.trim() ? wrong(verb) : { kind: verb };
}

function wrong(verb) {
  const [usage, effect] = USAGES[verb] ?? ROOM_USAGES[verb] ?? ACCOUNT_USAGES[verb];
  return { kind: 'wrong', hint: `Type ${usage} to ${effect}.` };
}

function hintFor(verb, typed) {
  if (NOT_OFFERED.has(verb)) return `/${verb} is not available on this page. Type /help for a list of commands.`;
  const shown = typed.length > 24 ? `${typed.slice(0, 24)}…` : typed;
  const unknown = `Unknown command /${verb.slice(0, 24)}. Type /help for a list of commands.`;
  return `${unknown} To send it as a message, type /${shown}`;
}
