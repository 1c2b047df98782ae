// At a phone's width, every control is visible and nothing is cut off.

import assert from 'node:assert/strict';
import { expectHere, hear, join, nc, play, say, serve } from '../stage.mjs';

await play(async () => {
  const server = await serve();
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const page = await join(server, 'alice', { viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true });
  await expectHere(page, 'nora*', 'alice');
  nora.say('MSG a message that is longer than such a screen is wide, with https://example.org/a/rather/long/address?in=it');
  await hear(page, 'a message that is longer');
  await say(page, 'and an answer');
  await nora.hear('JOIN alice', /^OK MSG/, 'MSG alice and an answer');

  await page.tap('#show-canvas');
  for (const id of ['rename', 'quit', 'show-canvas', 'canvas', 'clear', 'text', 'send']) {
    const box = await page.locator(`#${id}`).boundingBox();
    assert.ok(box && box.x >= 0 && box.x + box.width <= 320 && box.y + box.height <= 640, `${id} is at ${JSON.stringify(box)}`);
  }
  const log = await page.locator('#log').boundingBox();
  assert.ok(log.height >= 60, `the list of messages has only ${log.height} px`);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320);
});
