// Completes the word before the cursor: names of members and rooms anywhere, commands at the start of a line. Pure: no document.

import { foldCase } from './case.js';

/** Returns `{ from, words }`: the index in `before` at which the word begins, and its possible replacements. */
export function completions(before, { names, rooms, commands }) {
  const line = before.slice(before.lastIndexOf('\n') + 1);
  const offset = before.length - line.length;
  const command = /^\p{White_Space}*(\/\p{L}+)$/u.exec(line)?.[1].toLowerCase();
  if (command) {
    const words = commands.map((verb) => `/${verb} `).filter((word) => word.startsWith(command));
    return { from: before.length - command.length, words };
  }
  const token = /\S*$/.exec(line)[0];
  const [room] = /#[^,]*$/.exec(token) ?? [];
  if (room) {
    const words = rooms.filter((name) => foldCase(name).startsWith(foldCase(room))).map((name) => `${name} `);
    if (words.length) return { from: before.length - room.length, words };
  }
  for (const start of startsOf(token)) {
    const begun = foldCase(token.slice(start));
    const fitting = names.filter((name) => foldCase(name).startsWith(begun));
    if (!fitting.length) continue;
    const from = before.length - token.length + start;
    return { from, words: fitting.map((name) => (from === offset ? `${name}: ` : `${name} `)) };
  }
  return { from: before.length, words: [] };
}

/** The indices at which a name can begin in a token: letters and digits that follow none, as in `(@bo`. */
function startsOf(token) {
  return [...token.matchAll(/(?<![\p{L}\p{N}\p{M}])[\p{L}\p{N}]/gu)].map(({ index }) => index);
}
