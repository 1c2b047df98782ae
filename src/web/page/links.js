// Where links are in a text, and where they end. No document here.

const LINK = /https?:\/\/[^\s<>"“”„«»‹›…。、，．！？；：،؛؟।）」』】》〉〕］｝〗〙〛・｡､｣]+/gi;

/** Characters that a link may have, but that belong to the sentence if they come last. */
const AFTER_LINK = `.,;:!?'"*_~|‘’\``;

/** Brackets belong to a link as far as they are opened in it. */
const OPENING = { ')': '(', ']': '[', '}': '{' };

/** The links of a text in their order: `{ start, end, address }`. */
export function linksIn(text) {
  const links = [];
  for (const match of text.matchAll(LINK)) {
    const address = trimmed(match[0]);
    if (URL.canParse(address)) links.push({ start: match.index, end: match.index + address.length, address });
  }
  return links;
}

/** A link without what follows it in the sentence. */
function trimmed(address) {
  const count = (character) => address.split(character).length;
  // Counted once: a link of nothing but brackets must not hold up the page.
  const unopened = new Map(Object.entries(OPENING).map(([close, open]) => [close, count(close) - count(open)]));
  for (let end = address.length; ; end -= 1) {
    const last = address[end - 1];
    const surplus = unopened.get(last) ?? 0;
    if (surplus > 0) unopened.set(last, surplus - 1);
    else if (!AFTER_LINK.includes(last)) return address.slice(0, end);
  }
}
