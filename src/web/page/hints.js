// Splits the text of an ERR line: what is wrong, and the hint what to do next, which names commands of the protocol. The server writes
// these texts in src/command/hint.rs; a test of src/web/page.rs compares the two.

/** The kind of each hint, and the end of a text that has it. */
const HINTS = [
  ['write-names-without-spaces', '; write: WHISPER name[,name...] text, with no space in the list'],
  ['choose-nickname', '; choose another and write: NICK name'],
  ['retry-nickname', '; try again later, or choose another and write: NICK name'],
  ['take-nickname', '; take one first: NICK name'],
  ['log-in-or-choose-nickname', '; log in to it, or choose another and write: NICK name'],
  ['take-over-account', '; to close that one, write: TAKEOVER name password'],
  ['change-password', '; if it was not yours, log in with TAKEOVER and change the password with PASSWORD'],
  ['ask-operator', '; ask the operator for one'],
  ['enable-accounts', ' (to enable them, start chinwagd with --data PATH)'],
  ['list-tokens', '; TOKEN list shows the numbers'],
  ['revoke-token', '; to revoke one, write: TOKEN revoke number'],
  ['list-members', '; WHO lists names'],
  ['list-bans', '; BANS lists them'],
  ['ask-for-invitation', '; ask a moderator of the room to INVITE you'],
  ['list-rooms', '; ROOMS lists rooms'],
  ['slash-or-blank', '; to send it there, put a slash before it; to send it here, a blank'],
  ['command-or-message', '; to give it to the server, put a slash before it; to send it as a message, a blank'],
  ['blank', '; to send it as a message, put a blank before it'],
  ['list-commands', '; HELP lists the commands'],
  ['whisper-or-say', ' (HELP lists the commands, without a slash); to whisper, write: WHISPER name[,name...] text; to say it to everybody: MSG text'],
  ['check-epoch', '; if your id is from another epoch (HELLO has the current one), write: HISTORY [count]'],
  ['check-room-epoch', '; if your id is from another epoch (the reply to NICK, JOIN or WATCH has the current one), write: HISTORY [count]'],
  ['enable-store', ' (to enable it, start chinwagd with --data PATH)'],
  ['add-rarer-word', '; add a rarer word'],
  ['split-stroke', '; send the rest in another DRAW'],
  ['split-line', '; send it in parts'],
  ['end-lines-with-lf', '; end each line with LF, or send the first line alone and wait for its reply'],
  ['send-utf8', '; send it as UTF-8'],
  ['convert-to-utf8', '; convert it first: iconv -f UTF-16 -t UTF-8'],
  ['retry-later', '; try again later'],
  ['retry-in-a-second', '; try again in a second'],
  ['check-history', '; look for it in HISTORY before you try again'],
  ['close-connection', '; close one first'],
  ['join-again-later', '; if your connection breaks, join again with NICK'],
  ['resume-on-new-connection', '; to resume a session, send RESUME on a new connection, instead of NICK'],
  ['replace-token', '; if it was not yours, RESUME the session and SET resume on to replace the token'],
  ['reconnect', '; connect again'],
  ['reconnect-and-join', '; connect again and write: NICK name'],
  ['reconnect-and-log-in', '; connect again and write: LOGIN name password'],
  ['reconnect-and-pong', '; connect again and answer PING'],
  ['reconnect-and-help', '; connect again and write: HELP'],
  ['use-netcat', '; connect with nc or telnet and write: NICK name'],
  ['connect-with-tls', '; connect with: openssl s_client -quiet -connect HOST:PORT'],
  ['connect-locally', '; connect on the machine of the server, or ask its operator for a tls:// address'],
  ['connect-without-tls', '; connect without TLS and write: NICK name'],
];

/** The longest ones first: some hints end with another hint. */
const LONGEST_FIRST = HINTS.toSorted(([, one], [, other]) => other.length - one.length);

/** The room before a command in a hint, after a line that named the room. */
const ROOM = /(write: |, or |everybody: |look for it in )#\S+ (?=[A-Z])/g;

/** The hint to write a command, whichever it is: the verb and its arguments. */
const WRITE = /; write: [A-Z]+(?: [^;:]+)?$/;

/** The beginnings of hints that end with the user's text or an id. */
const OPEN_HINTS = [
  ['say', ' (HELP lists the commands); to say it, write: MSG '],
  ['since', '; to get all messages from there on, write: SINCE '],
];

/** The end of the text of a refused WHISPER, before the hint. The page itself shows that nothing was sent. */
const NOTHING_DELIVERED = '; nothing was delivered';

/** `{ what, hint }`: what is wrong, and the kind of the hint; null without one. An unknown hint is a part of `what`. */
export function splitText(written) {
  const text = written.replace(ROOM, '$1');
  for (const [hint, begin] of OPEN_HINTS) {
    const at = text.indexOf(begin);
    if (at >= 0) return { what: text.slice(0, at), hint };
  }
  const [hint, end] = LONGEST_FIRST.find(([, end]) => text.endsWith(end)) ?? ['write', WRITE.exec(text)?.[0]];
  if (end === undefined) return { what: without(written, NOTHING_DELIVERED), hint: null };
  return { what: without(without(text, end), NOTHING_DELIVERED), hint };
}

function without(text, end) {
  return text.endsWith(end) ? text.slice(0, text.length - end.length) : text;
}
