// Finds the links in a text. Pure: no document.

const LINK = /https?:\/\/[^\s<>"“”„«»‹›…。、，．！？；：،؛؟।）」』】》〉〕］｝〗〙〛・｡､｣]+/gi;

/** Characters that can be part of a link, but belong to the sentence if they come last. */
const AFTER_LINK = `.,;:!?'"*_~|‘’\``;

/** A closing bracket belongs to the link if the link has its opening bracket, too. */
const OPENING = { ')': '(', ']': '[', '}': '{' };

/** The links of a text in order, `{ start, end, address }` each. */
export function linksIn(text) {
  const links = [];
  for (const match of text.matchAll(LINK)) {
    const address = trimmed(match[0]);
    if (URL.canParse(address)) links.push({ start: match.index, end: match.index + address.length, address });
  }
  return links;
}

/** The link without the punctuation of the sentence around it. */
function trimmed(address) {
  const count = (character) => address.split(character).length;
  // Counted once, so that a link of 4,000 brackets takes no longer than any other.
  const unopened = new Map(Object.entries(OPENING).map(([close, open]) => [close, count(close) - count(open)]));
  for (let end = address.length; ; end -= 1) {
    const last = address[end - 1];
    const surplus = unopened.get(last) ?? 0;
    if (surplus > 0) unopened.set(last, surplus - 1);
    else if (!AFTER_LINK.includes(last)) return address.slice(0, end);
  }
}
