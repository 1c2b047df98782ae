// Passwords that users type: which ones an account can have, and lines that must not become a message. Pure: no document.

import { byteLength } from './protocol.js';

/** The length of a password, in bytes. */
const PASSWORD_BYTES = { min: 8, max: 512 };

const ACCESS_TOKEN = /^cwt_[\da-f]{32}$/i;

/** Invisible characters in front of a line. A space is not one of them: it shows that the line is a message. */
const INVISIBLE = /^\p{Default_Ignorable_Code_Point}+/u;

const SERVER_PASSWORD = /^pass[\s:=]+\S/i;

/** The commands of accounts with an argument that may be secret, as the server refuses them in chat mode. */
const OF_ACCOUNTS = [
  /^(?:login|takeover)[\s:=]+\S+\s+\S/i,
  /^(?:register|password|unregister)[\s:=]+\S/i,
  /^token[\s:=]+(?:(?:new|list|revoke)(?:\s|$)|.*cwt_)/i,
];

/** Why an account cannot have this password; empty if it can. */
export function problemOfPassword(password) {
  const bytes = byteLength(password);
  if (/\p{Cc}/u.test(password)) return 'A password cannot contain a tab or another control character.';
  if (bytes < PASSWORD_BYTES.min) return 'This password is too short. Use at least 8 characters.';
  if (bytes > PASSWORD_BYTES.max) return `This password has ${bytes} bytes; the limit is ${PASSWORD_BYTES.max}. Use a shorter one.`;
  return ACCESS_TOKEN.test(password) ? 'This is an access token, not a password. Choose another one.' : '';
}

/** Whether a line looks like a command with a secret that was typed without its slash. */
export function looksLikeSecret(line, { hasPassword, hasAccounts }) {
  const text = line.normalize('NFKC').replace(INVISIBLE, '');
  return (hasPassword && SERVER_PASSWORD.test(text)) || (hasAccounts && OF_ACCOUNTS.some((command) => command.test(text)));
}
