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
  ['[https://a.example/x](https://a.example/x)', ['https://a.example/x', 'https://a.example/x']],
  ['(https://a.example/x),(https://b.example/y)', ['https://a.example/x', 'https://b.example/y']],
  ['https://a.example/x,https://b.example/y', ['https://a.example/x', 'https://b.example/y']],
  ['https://web.archive.example/2020/https://a.example/', ['https://web.archive.example/2020/https://a.example/']],
  ['https://a.example/x（注）〝https://b.example/〟', ['https://a.example/x', 'https://b.example/']],
  ['＂https://a.example/x＂ ＜https://b.example/＞', ['https://a.example/x', 'https://b.example/']],
  ['‚https://a.example/x‘ ‹https://b.example/›', ['https://a.example/x', 'https://b.example/']],
  ['https://a.example/x።', ['https://a.example/x']],
  ['https://a.example/x—and', ['https://a.example/x']],
  ['https://a.example/x\u200b', ['https://a.example/x']],
  ['https://a.example/x• https://b.example/\\', ['https://a.example/x', 'https://b.example/']],
  ['https://ja.wikipedia.example/wiki/ジョン・レノン', ['https://ja.wikipedia.example/wiki/ジョン・レノン']],
  ['https://bücher.example:8080/a?b[]=1#c', ['https://bücher.example:8080/a?b[]=1#c']],
  ['https://a.example/x_(y)_(z))', ['https://a.example/x_(y)_(z)']],
  ['(www.a.example/x) WWW.b.example', ['https://www.a.example/x', 'https://WWW.b.example']],
  ['awww.a.example me@www.a.example www. www.a', []],
  [`https://a.example/${'.'.repeat(4000)}b`, [`https://a.example/${'.'.repeat(4000)}b`]],
  ['https://', []],
  ['javascript:alert(1) http:/x ftp://a.example/', []],
];

await play(async () => {
  const page = await open(await serve());
  const found = await page.evaluate(async (texts) => {
    const { linksIn } = await import('./links.js');
    return texts.map((text) => linksIn(text).map(({ start, end, address }) => {
      if (!address.endsWith(text.slice(start, end))) throw new Error(`${address} is not at ${start}`);
      return address;
    }));
  }, CASES.map(([text]) => text));
  CASES.forEach(([text, links], index) => assert.deepEqual(found[index], links, text));
});
