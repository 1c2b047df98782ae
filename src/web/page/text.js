// Text that others wrote, as nodes: never as HTML. Links can be clicked, one's own name is marked.

const LINK = /https?:\/\/[^\s<>"]+/gi;

/** What stands after a link rather than in it. A closing bracket belongs to it if it opens there, too. */
const AFTER_LINK = `.,;:!?'"*_`;

/** The text as nodes. */
export function textNodes(text, me) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(LINK)) {
    const address = trimmed(match[0]);
    if (!URL.canParse(address)) continue;
    nodes.push(...marked(text.slice(at, match.index), me), link(address));
    at = match.index + address.length;
  }
  return [...nodes, ...marked(text.slice(at), me)];
}

/** Whether a text has this name in it, as a word of its own. */
export function mentions(text, name) {
  return name !== '' && mention(name).test(text);
}

/** An element with these attributes and children; strings become text. */
export function element(tag, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

/** A name: its direction does not reach what stands beside it, its colour is always the same. */
export function nameNode(name) {
  const node = element('bdi', { className: 'name' }, name);
  node.style.setProperty('--hue', hue(name));
  return node;
}

function hue(name) {
  let sum = 7;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 360;
  return sum;
}

function trimmed(address) {
  const count = (bracket) => address.split(bracket).length;
  // Counted once: a link of nothing but brackets is not to hold up the page.
  let unopened = count(')') - count('(');
  let end = address.length;
  for (; ; end -= 1) {
    const last = address[end - 1];
    if (last === ')' && unopened > 0) unopened -= 1;
    else if (!AFTER_LINK.includes(last)) return address.slice(0, end);
  }
}

function link(address) {
  return element('a', { href: address, target: '_blank', rel: 'noopener noreferrer' }, address);
}

function marked(text, me) {
  if (!mentions(text, me)) return text ? [text] : [];
  const pieces = text.split(mention(me));
  return pieces.filter(Boolean).map((piece) => (mentions(piece, me) ? element('mark', {}, piece) : piece));
}

function mention(name) {
  const literal = name.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  return new RegExp(`(?<![\\p{L}\\p{N}_])(${literal})(?![\\p{L}\\p{N}_])`, 'iu');
}
