// During a press in the log, nothing moves under the pointer: links can be clicked and text can be selected, however many messages
// arrive. After the press the view returns to the end.

import assert from 'node:assert/strict';
import { expect, hear, join, nc, play, serve } from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0'] });
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const page = await join(server, 'alice');
  const flood = async (last) => {
    nora.say(...Array.from({ length: 400 }, (_, number) => `MSG ${last} ${number}`), `MSG ${last}`);
  };
  const atEnd = () => expect(page, () => {
    const { scrollHeight, clientHeight, scrollTop, lastElementChild } = document.getElementById('log');
    return scrollHeight - clientHeight - scrollTop < 2 && /third|fourth|fifth/.test(lastElementChild.textContent);
  }, null, 'the end is shown');
  nora.say(...Array.from({ length: 60 }, (_, number) => `MSG line ${number}`), 'MSG see https://a.example/x and some words');
  const entry = (await hear(page, 'see https')).last();
  await page.evaluate(() => {
    globalThis.clicked = [];
    addEventListener('click', (event) => {
      event.preventDefault();
      clicked.push(event.target.href);
    });
  });

  const { x, y, width, height } = await entry.locator('a').boundingBox();
  await page.mouse.move(x + width / 2, y + height / 2);
  await page.mouse.down();
  await flood('third');
  await expect(page, () => document.getElementById('log').textContent.includes('third 200'), null, 'messages are shown below');
  assert.deepEqual(await entry.locator('a').boundingBox(), { x, y, width, height });
  await page.mouse.up();
  assert.deepEqual(await page.evaluate(() => clicked.splice(0)), ['https://a.example/x']);
  await atEnd();

  // A selection in progress keeps its start.
  nora.say('MSG fourth selected words');
  const said = (await hear(page, 'fourth selected words')).last().locator('.said');
  await atEnd();
  const place = await said.boundingBox();
  await page.mouse.move(place.x + 1, place.y + place.height / 2);
  await page.mouse.down();
  nora.say('MSG fifth', 'MSG fifth again');
  await hear(page, 'fifth again');
  await page.mouse.move(place.x + 400, place.y + place.height / 2, { steps: 3 });
  assert.equal(await page.evaluate(() => String(getSelection())), 'fourth selected words');
  // The page misses the release. The next movement ends the press.
  await page.evaluate(() => addEventListener('pointerup', (event) => event.stopImmediatePropagation(), { capture: true, once: true }));
  await page.mouse.up();
  await page.mouse.move(place.x, place.y);
  await atEnd();
});
