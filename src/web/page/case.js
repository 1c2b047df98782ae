// Compares texts as the server compares names: ignores case, width and composition. Pure: no document.

/** The folded form of a text. Names that the server treats as equal have equal folded forms. */
export function foldCase(text) {
  // Some letters are equal only in upper case: ß and SS, and both forms of the small sigma.
  return text.normalize('NFKD').toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ').normalize('NFC');
}

/** The places where a name is a word of a text, as `{ start, end }`. */
export function namesIn(text, name) {
  const wanted = foldCase(name);
  const found = [];
  // Most texts do not contain the name: skip the table for them.
  if (!wanted || !foldCase(text).includes(wanted)) return found;
  const { folded, places } = foldLetters(text);
  for (let at = folded.indexOf(wanted); at >= 0; at = folded.indexOf(wanted, at + 1)) {
    const [start, end] = [places[at], places[at + wanted.length]];
    if (start !== places[at - 1] && end !== places[at + wanted.length - 1] && isWord(text, start, end)) found.push({ start, end });
  }
  return found;
}

/** The folded text and, for each of its code units, the index of its letter in the original text. */
function foldLetters(text) {
  let folded = '';
  const places = [];
  // Folds each letter once: most occur several times.
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

/** Whether this part of the text has no letter or digit next to it. */
function isWord(text, start, end) {
  return !/[\p{L}\p{N}_]\p{M}*$/u.test(text.slice(Math.max(start - 8, 0), start)) && !/^[\p{L}\p{N}_]/u.test(text.slice(end, end + 2));
}
