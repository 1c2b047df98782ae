// Parses a typed line by the grammar of chat mode (protocol.md), with a few other commands. A line that begins with a slash is never sent
// to everybody, unless it begins with two. Pure: no document.

/** The usage and the effect of each command, for /help and for hints. */
export const USAGES = {
  w: ['/w name text', 'whisper; to several: /w bob,carol text'],
  msg: ['/msg name text', 'whisper, like /w'],
  who: ['/who', 'list the members'],
  nick: ['/nick name', 'change your name'],
  delete: ['/delete', 'delete your last message; the menu of a message (right-click) deletes that one'],
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

/** Those of the commands of moderators. */
export const MODERATION_USAGES = {
  kick: ['/kick name [reason]', 'remove a member from the room'],
  mute: ['/mute name [reason]', 'keep a member from writing; you choose for how long'],
  ban: ['/ban name [reason]', 'keep somebody out; /ban @name: everybody at the address of the member'],
  bans: ['/bans', 'list the bans and mutes, and lift them'],
  lock: ['/lock open|accounts|invited', 'choose who may enter the room'],
  invite: ['/invite name', 'let an account or a guest into a room for the invited; /invite name off takes that back'],
};

/** The one for those who appoint moderators. */
export const APPOINTMENT_USAGES = {
  moderator: ['/moderator name on|off', 'make an account a moderator of the room, or take that back'],
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
 * show it), `{ kind: 'moderate', action, name, reason }`, `{ kind: 'moderator', name, isModerator }`, `{ kind: 'lock', lock }`, `{ kind: 'invite', name, isInvited }`, or `{ kind }` alone for `who`, `status`,
 * `canvas`, `ping`, `delete`, `rooms`, `home`, `account`, `register`, `login`, `logout`, `bans` and `help`.
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
  delete: bare,
  join: (rest) => (rest.trim() ? { kind: 'join', rooms: rest.trim().split(/[\s,]+/u).filter(Boolean).map(roomName) } : wrong('join')),
  part: (rest) => {
    const [, room, reason] = /^\s*([#＃]\S+)?\s*(.*)$/su.exec(rest);
    return { kind: 'part', room: room ? roomName(room) : null, reason: reason.trim() };
  },
  topic: (rest) => ({ kind: 'topic', text: rest.trim() || null }),
  rooms: bare,
  home: bare,
  logout: bare,
  kick: moderate,
  mute: moderate,
  ban: moderate,
  bans: bare,
  lock: (rest) => {
    const lock = rest.trim().toLowerCase();
    return ['open', 'accounts', 'invited'].includes(lock) ? { kind: 'lock', lock } : wrong('lock');
  },
  invite: (rest) => {
    const [, name, value = 'on'] = /^\s*(\S+)(?:\s+(on|off))?\s*$/iu.exec(rest) ?? [];
    return name ? { kind: 'invite', name, isInvited: value.toLowerCase() === 'on' } : wrong('invite');
  },
  // The list has a button for each.
  unban: () => ({ kind: 'bans' }),
  unmute: () => ({ kind: 'bans' }),
  moderator: (rest) => {
    const [, name, value] = /^\s*(\S+)\s+(on|off)\s*$/iu.exec(rest) ?? [];
    return name ? { kind: 'moderator', name, isModerator: value.toLowerCase() === 'on' } : wrong('moderator');
  },
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

/** A dialog asks for the duration. */
function moderate(rest, verb) {
  const [, mark, name, reason] = /^\s*(@?)(\S*)\s*(.*)$/su.exec(rest);
  if (!name || (mark && verb !== 'ban')) return wrong(verb);
  return { kind: 'moderate', action: mark ? 'ban-connection' : verb, name, reason: reason.trim() };
}

function bare(rest, verb) {
  return rest.trim() ? wrong(verb) : { kind: verb };
}

function wrong(verb) {
  const all = { ...USAGES, ...ROOM_USAGES, ...ACCOUNT_USAGES, ...MODERATION_USAGES, ...APPOINTMENT_USAGES };
  const [usage, effect] = all[verb];
  return { kind: 'wrong', hint: `Type ${usage} to ${effect}.` };
}

function hintFor(verb, typed) {
  if (NOT_OFFERED.has(verb)) return `/${verb} is not available on this page. Type /help for a list of commands.`;
  const shown = typed.length > 24 ? `${typed.slice(0, 24)}…` : typed;
  const unknown = `Unknown command /${verb.slice(0, 24)}. Type /help for a list of commands.`;
  return `${unknown} To send it as a message, type /${shown}`;
}
