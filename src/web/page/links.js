// Finds links in a text. Pure: no document.

/** The beginning of a link: a scheme, or `www.` at the beginning of a word. */
const START = String.raw`https?:\/\/|(?<![\p{L}\p{N}.\/@\-])www\.(?=[^.\/\s]+\.[\p{L}\p{N}])`;

/** The end of a link: white space, quotes, brackets of other scripts, punctuation that needs no space after it, another link. */
const END = String.raw`[\s<>"＂＇＜＞\u200b—…。、，．！？；：｡､،؛؟।၊။។]|[[\p{Ps}\p{Pe}\p{Pi}\p{Pf}]--[\(\)\[\]\{\}‘’]]|[,;\|]https?:\/\/`;

const LINK = String.raw`(?:${START})(?:(?!${END}).)+`;

/** A character that can be part of a link, but belongs to the sentence around it if it comes last. */
const AFTER_LINK = /[.,;:!?'*_~\|\\`‘’]|\p{Cf}|[\p{P}--\p{ASCII}]/v;

const OPENING = { ')': '(', ']': '[', '}': '{' };

/** The links in a text, in order, as `{ start, end, address }`. The text from `start` to `end` is displayed. */
export function linksIn(text) {
  const links = [];
  const pattern = new RegExp(LINK, 'giv');
  for (let match; (match = pattern.exec(text)); ) {
    const shown = trimmed(balanced(match[0]));
    const [start, end] = [match.index, match.index + shown.length];
    const address = /^www/i.test(shown) ? `https://${shown}` : shown;
    if (URL.canParse(address)) links.push({ start, end, address });
    // There may be another link after the end of this one.
    pattern.lastIndex = Math.max(end, start + 1);
  }
  return links;
}

/** The part before the first closing bracket without an opening one. */
function balanced(address) {
  const open = { '(': 0, '[': 0, '{': 0 };
  for (let at = 0; at < address.length; at += 1) {
    const character = address[at];
    if (character in open) open[character] += 1;
    if (character in OPENING && (open[OPENING[character]] -= 1) < 0) return address.slice(0, at);
  }
  return address;
}

/** The link without the punctuation of the sentence around it. */
function trimmed(address) {
  let end = address.length;
  while (end > 0 && AFTER_LINK.test(address[end - 1])) end -= 1;
  return address.slice(0, end);
}
