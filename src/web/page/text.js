// Makes nodes of other members' text, never HTML. Links can be clicked, and the user's name is marked.

import { linksIn } from './links.js';

/** The text as nodes. */
export function textNodes(text, me) {
  const nodes = [];
  let at = 0;
  for (const { start, end, address } of linksIn(text)) {
    nodes.push(...marked(text.slice(at, start), me), link(address));
    at = end;
  }
  return [...nodes, ...marked(text.slice(at), me)];
}

/** Whether a text contains this name as a word. */
export function mentions(text, name) {
  return name !== '' && mention(name).test(text);
}

/** An element with these attributes and children; strings become text. */
export function element(tag, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

/** A name, isolated from the direction of the text around it, in the colour that it always has. */
export function nameNode(name) {
  const node = element('bdi', { className: 'name' }, name);
  node.style.setProperty('--hue', hue(name));
  return node;
}

/** Names, separated by commas. */
export function nameNodes(names) {
  return names.flatMap((name) => [', ', nameNode(name)]).slice(1);
}

/** A hue by FNV-1a, so that names that differ in one letter have distant colours. */
function hue(name) {
  let hash = 0x811c9dc5;
  for (const letter of name) hash = Math.imul(hash ^ letter.codePointAt(0), 0x01000193);
  return (Math.imul(hash, 0x9e3779b1) >>> 0) % 360;
}

function link(address) {
  return element('a', { href: address, target: '_blank', rel: 'noopener noreferrer' }, address);
}

function marked(text, me) {
  if (!mentions(text, me)) return text ? [text] : [];
  const pieces = text.split(mention(me));
  return pieces.filter(Boolean).map((piece) => (mentions(piece, me) ? element('mark', {}, piece) : piece));
}

let [mentioned, pattern] = ['', null];

/** A pattern for a name as a word. The last one is kept: most calls are for the same name. */
function mention(name) {
  if (name === mentioned) return pattern;
  const literal = name.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  mentioned = name;
  pattern = new RegExp(`(?<![\\p{L}\\p{N}_])(${literal})(?![\\p{L}\\p{N}_])`, 'iu');
  return pattern;
}
