// Creates nodes from the text of other members, never HTML. Turns links into anchors, and marks the user's name.

import { namesIn } from './case.js';
import { linksIn } from './links.js';

/** Most links in a text, and most marked names between two links. Each costs the browser time for layout. */
const LINKS_MAX = 40;
const MARKS_MAX = 4;

/** The nodes for a text. */
export function textNodes(text, me) {
  const nodes = [];
  let at = 0;
  for (const { start, end, address } of linksIn(text).slice(0, LINKS_MAX)) {
    nodes.push(...marked(text.slice(at, start), me), link(text.slice(start, end), address));
    at = end;
  }
  return [...nodes, ...marked(text.slice(at), me)];
}

/** Whether a text contains this name as a word. */
export function mentions(text, name) {
  return namesIn(text, name).length > 0;
}

/** An element with these attributes and children; strings become text. */
export function element(tag, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

/** The node for a name: isolated from the direction of the text around it, in a colour that depends on the name alone. */
export function nameNode(name) {
  const node = element('bdi', { className: 'name' }, name);
  node.style.setProperty('--hue', hue(name));
  return node;
}

/** The nodes for names, separated by commas. */
export function nameNodes(names) {
  return names.flatMap((name) => [', ', nameNode(name)]).slice(1);
}

/** A hue by FNV-1a, so that names that differ in one letter have distant colours. */
function hue(name) {
  let hash = 0x811c9dc5;
  for (const letter of name) hash = Math.imul(hash ^ letter.codePointAt(0), 0x01000193);
  return (Math.imul(hash, 0x9e3779b1) >>> 0) % 360;
}

function link(shown, address) {
  return element('a', { href: address, target: '_blank', rel: 'noopener noreferrer' }, shown);
}

function marked(text, me) {
  const nodes = [];
  let at = 0;
  for (const { start, end } of namesIn(text, me).slice(0, MARKS_MAX)) {
    nodes.push(text.slice(at, start), element('mark', {}, text.slice(start, end)));
    at = end;
  }
  return [...nodes, text.slice(at)].filter((node) => node !== '');
}
