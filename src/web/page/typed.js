// Parses a typed line by the grammar of chat mode (protocol.md), with a few other commands. A line that begins with a slash is never sent
// to everybody, unless it begins with two. Pure: no document.

/** The usage and the effect of each command, for /help and for hints. */
export const USAGES = {
  w: ['/w name text', 'whisper; to several: /w bob,carol text'],
  msg: ['/msg name text', 'whisper, like /w'],
  who: ['/who', 'list the members'],
  nick: ['/nick name', 'change your name'],
  status: ['/status', 'show addresses and times (coordinator only)'],
  canvas: ['/canvas', 'open or close the canvas'],
  ping: ['/ping', 'measure the response time of the server'],
  quit: ['/quit [reason]', 'leave the room'],
  help: ['/help', 'list these commands'],
};

/** The invisible characters at the start of a line, and the rest of the line. */
const INDENT = /^((?:\p{White_Space}|\p{Default_Ignorable_Code_Point}|\p{Mark}|\p{Control}|[\u2800\ufff9-\ufffd])*)(.*)$/su;

/** Commands of the protocol that the page does not offer. */
const NOT_OFFERED = new Set(['resume', 'history', 'since', 'search', 'draw', 'pong', 'set', 'chat']);

/**
 * The meaning of a line: `{ kind: 'message', text }`, `{ kind: 'whisper', names, text }`, `{ kind: 'wrong', hint }`, or a command:
 * `{ kind: 'nick', name }`, `{ kind: 'quit', reason }`, or `{ kind }` alone for `who`, `status`, `canvas`, `ping` and `help`.
 */
export function readLine(line) {
  const [, indent, typed] = INDENT.exec(line);
  if (!/^[/／]/u.test(typed)) return { kind: 'message', text: line };
  if (/^[/／]{2}/u.test(typed)) return { kind: 'message', text: indent + typed.slice(1) };
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
};

function whisper(rest) {
  const [, list, text] = /^[ \t]*([^ \t]*)[ \t]?(.*)$/su.exec(rest);
  const names = list.split(',');
  if (names.includes('') || !/\P{White_Space}/u.test(text)) return wrong('w');
  return { kind: 'whisper', names, text };
}

function bare(rest, verb) {
  return rest.trim() ? wrong(verb) : { kind: verb };
}

function wrong(verb) {
  const [usage, effect] = USAGES[verb];
  return { kind: 'wrong', hint: `Type ${usage} to ${effect}.` };
}

function hintFor(verb, typed) {
  if (NOT_OFFERED.has(verb)) return `/${verb} is not available on this page. Type /help for a list of commands.`;
  const shown = typed.length > 24 ? `${typed.slice(0, 24)}…` : typed;
  const unknown = `Unknown command /${verb.slice(0, 24)}. Type /help for a list of commands.`;
  return `${unknown} To send it as a message, type /${shown}`;
}
