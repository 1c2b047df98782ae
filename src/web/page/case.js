// Compares texts as the server compares names: without regard to case, width and composition. Pure: no document.

/** The folded form of a text. It is equal for names that are equal to the server. */
export function foldCase(text) {
  // Some letters are equal only in upper case: ß and SS, and both forms of the small sigma.
  return text.normalize('NFKD').toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ').normalize('NFC');
}

/** The places where a name is a word of a text, `{ start, end }` each. */
export function namesIn(text, name) {
  const wanted = foldCase(name);
  const found = [];
  // Most texts contain no name, and need no table.
  if (!wanted || !foldCase(text).includes(wanted)) return found;
  const { folded, places } = foldLetters(text);
  for (let at = folded.indexOf(wanted); at >= 0; at = folded.indexOf(wanted, at + 1)) {
    const [start, end] = [places[at], places[at + wanted.length]];
    if (start !== places[at - 1] && end !== places[at + wanted.length - 1] && isWord(text, start, end)) found.push({ start, end });
  }
  return found;
}

/** The folded text, and for each of its code units the index of the letter that it comes from. */
function foldLetters(text) {
  let folded = '';
  const places = [];
  // Most letters occur several times in a text.
  const forms = new Map();
  for (const { 0: letter, index } of text.matchAll(/\P{M}\p{M}*|\p{M}+/gu)) {
    if (!forms.has(letter)) forms.set(letter, foldCase(letter));
    const form = forms.get(letter);
    for (let unit = 0; unit < form.length; unit += 1) places.push(index);
    folded += form;
  }
  places.push(text.length);
  return { folded, places };
}

/** Whether there is no letter or digit next to this part of the text. */
function isWord(text, start, end) {
  return !/[\p{L}\p{N}_]\p{M}*$/u.test(text.slice(Math.max(start - 8, 0), start)) && !/^[\p{L}\p{N}_]/u.test(text.slice(end, end + 2));
}
