// A link ends before the quotes, brackets and punctuation of the sentence around it.

import assert from 'node:assert/strict';
import { open, play, serve } from '../stage.mjs';

const CASES = [
  ['see https://a.example/x.', ['https://a.example/x']],
  ['“https://a.example/x”', ['https://a.example/x']],
  ['«https://a.example/x» „https://b.example/“', ['https://a.example/x', 'https://b.example/']],
  ['‘https://a.example/x’', ['https://a.example/x']],
  ['https://a.example/it’s', ['https://a.example/it’s']],
  ['"https://a.example/x"', ['https://a.example/x']],
  ["'https://a.example/x'", ['https://a.example/x']],
  ['`https://a.example/x`', ['https://a.example/x']],
  ['https://a.example/x…', ['https://a.example/x']],
  ['https://a.example/x...', ['https://a.example/x']],
  ['请看https://a.example/x。谢谢', ['https://a.example/x']],
  ['（https://a.example/x）、「https://b.example/」', ['https://a.example/x', 'https://b.example/']],
  ['https://a.example/x，https://b.example/！', ['https://a.example/x', 'https://b.example/']],
  ['https://zh.wikipedia.org/wiki/聊天', ['https://zh.wikipedia.org/wiki/聊天']],
  ['(https://a.example/x)', ['https://a.example/x']],
  ['https://a.example/x_(y)', ['https://a.example/x_(y)']],
  ['(see https://a.example/x_(y).)', ['https://a.example/x_(y)']],
  ['[https://a.example/x] {https://b.example/}', ['https://a.example/x', 'https://b.example/']],
  ['http://[::1]:8080/x, and', ['http://[::1]:8080/x']],
  ['**https://a.example/x**', ['https://a.example/x']],
  ['<https://a.example/x>', ['https://a.example/x']],
  ['https://a.example/?q=a,b&c=d;e!', ['https://a.example/?q=a,b&c=d;e']],
  ['HTTPS://A.example/X', ['HTTPS://A.example/X']],
  ['https://', []],
  ['javascript:alert(1) http:/x ftp://a.example/', []],
];

await play(async () => {
  const page = await open(await serve());
  const found = await page.evaluate(async (texts) => {
    const { linksIn } = await import('./links.js');
    return texts.map((text) => linksIn(text).map(({ start, end, address }) => {
      if (text.slice(start, end) !== address) throw new Error(`${address} is not at ${start}`);
      return address;
    }));
  }, CASES.map(([text]) => text));
  CASES.forEach(([text, links], index) => assert.deepEqual(found[index], links, text));
});
