// Passwords that users type: which ones an account can have, and lines that must not become a message. Pure: no document.

import { byteLength } from './protocol.js';

/** The length of a password, in bytes. */
const PASSWORD_BYTES = { min: 8, max: 512 };

const ACCESS_TOKEN = /^cwt_[\da-f]{32}$/i;

/** A complete access token, anywhere in a line. */
const ANY_ACCESS_TOKEN = /cwt_[\da-f]{32}/i;

/** The characters before a line, without a visible one. White space in them shows that the line is a message. */
const INDENT = /^(?:\p{White_Space}|\p{Default_Ignorable_Code_Point}|\p{Mark}|\p{Control}|[\u2800\ufff9-\ufffd])*/u;

/** Characters that a line may have in or after a verb, without a trace on the screen. */
const HIDDEN = /(?!\p{White_Space})[\p{Default_Ignorable_Code_Point}\p{Control}\u2800\ufff9-\ufffd\u{1d159}]/gu;

/** Characters that users type between a verb, a name and a secret. */
const SEPARATORS = /[\p{White_Space}:=,;/|]+/u;

const LETTER_OR_DIGIT = /[\p{Alphabetic}\p{N}]/u;

/** A sentence of one word: `Password?` */
const SENTENCE = /^[.!?]+(?:\p{White_Space}|$)/u;

/** A compound: `password-protected`, `login.js`. */
const COMPOUND = /^[-_.'’]\p{Alphabetic}+[.,!?;:)"'’”]*(?:\p{White_Space}|$)/u;

/** Signs at the end of a word of a sentence. */
const SENTENCE_END = /[.,!?;:)"'’”]+$/u;

/** The longest word of letters that is not taken for a password. */
const LETTERS_MAX = 16;

/** The commands with a secret, and whether these arguments may have one, as the server refuses them in chat mode. */
const COMMANDS = {
  pass: (text) => text !== '',
  resume: (text) => /^[0-9]+-/.test(text),
  login: hasNameAndSecret,
  takeover: hasNameAndSecret,
  register: (text) => text !== '',
  password: (text) => text !== '',
  unregister: (text) => text !== '',
  token: (text) => /^(?:new|list|revoke)(?:\p{White_Space}|$)/iu.test(text) || text.includes('cwt_'),
};

/** Why an account cannot have this password; empty if it can. */
export function problemOfPassword(password) {
  const bytes = byteLength(password);
  if (/\p{Cc}/u.test(password)) return 'A password cannot contain a tab or another control character.';
  if (bytes < PASSWORD_BYTES.min) return 'This password is too short. Use at least 8 characters.';
  if (bytes > PASSWORD_BYTES.max) return `This password has ${bytes} bytes; the limit is ${PASSWORD_BYTES.max}. Use a shorter one.`;
  return ACCESS_TOKEN.test(password) ? 'This is an access token, not a password. Choose another one.' : '';
}

/** Whether a line has a secret that would be published: an access token, or a command that was typed without its slash. */
export function looksLikeSecret(line, { hasPassword, hasAccounts }) {
  const [indent] = INDENT.exec(line);
  if (/\p{White_Space}/u.test(indent)) return false;
  const typed = line.slice(indent.length);
  const [visible, spaced] = ['', ' '].map((mark) => typed.replace(HIDDEN, mark).normalize('NFKC'));
  if (ANY_ACCESS_TOKEN.test(visible)) return true;
  const isOffered = (verb) => verb === 'resume' || (verb === 'pass' ? hasPassword : hasAccounts);
  return [visible, spaced].some((text) => {
    const verb = Object.keys(COMMANDS).find((each) => argument(text, each) !== null);
    return verb !== undefined && isOffered(verb) && COMMANDS[verb](argument(text, verb));
  });
}

/** What follows the verb with which a text begins; null if it does not begin with it, or only as a part of a sentence. */
function argument(text, verb) {
  const rest = text.slice(verb.length);
  if (text.slice(0, verb.length).toLowerCase() !== verb || !rest || LETTER_OR_DIGIT.test(String.fromCodePoint(rest.codePointAt(0)))) return null;
  const after = rest.slice(String.fromCodePoint(rest.codePointAt(0)).length).replace(new RegExp(`^${SEPARATORS.source}`, 'u'), '');
  if (/^[\p{White_Space}:=]/u.test(rest)) return after;
  if (SENTENCE.test(rest)) return null;
  if (COMPOUND.test(rest) && !words(rest).slice(1).some(mayBePassword)) return null;
  return LETTER_OR_DIGIT.test(after) || byteLength(after) >= PASSWORD_BYTES.min ? after : null;
}

function words(text) {
  return text.split(/\p{White_Space}+/u);
}

/** Whether the arguments of a login may have a secret. One that has no name may have only the password. */
function hasNameAndSecret(text) {
  const parts = text.split(SEPARATORS).filter(Boolean);
  return parts.length > 1 || parts.some(mayBePassword);
}

/** Whether a word may be the password of an account rather than a word of a sentence. */
function mayBePassword(word) {
  const trimmed = word.replace(SENTENCE_END, '');
  if (byteLength(trimmed) < PASSWORD_BYTES.min) return false;
  return /\P{Alphabetic}/u.test(trimmed) || /\p{Lowercase}\p{Uppercase}/u.test(trimmed) || [...trimmed].length > LETTERS_MAX;
}
