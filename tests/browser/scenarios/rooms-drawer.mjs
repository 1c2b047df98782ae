// On a phone, the rooms are in a drawer. It closes when a room is chosen, with Escape, and with a press beside it.

import assert from 'node:assert/strict';
import { expect, expectRooms, expectText, hear, join, nc, play, say, seriousFlaws, serve } from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0'] });
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  nora.say('JOIN #ops', '#ops TOPIC on call: nora');
  const alice = await join(server, 'alice', { viewport: { width: 390, height: 700 }, hasTouch: true, isMobile: true });
  await say(alice, '/join #ops');
  await expectText(alice, '#room-name', '#ops');
  const isOpen = () => alice.locator('#rooms').isVisible();
  assert.equal(await isOpen(), false);
  await expectText(alice, '#topic', 'on call: nora');

  nora.say('MSG alice: tea');
  await expect(alice, () => document.getElementById('rooms-unread').textContent === '1', null, 'the button shows the count');
  assert.equal(await alice.getAttribute('#show-rooms', 'aria-label'), 'Rooms, 1 unread, you are mentioned');
  await alice.tap('#show-rooms');
  assert.equal(await isOpen(), true);
  assert.equal(await alice.getAttribute('#show-rooms', 'aria-expanded'), 'true');
  await expectRooms(alice, '#lobby @1', '#ops*');
  const { x, height, width } = await alice.locator('#rooms').boundingBox();
  assert.ok(x === 0 && height === 700 && width < 340, 'the drawer is at the left');
  assert.deepEqual(await seriousFlaws(alice), []);
  await alice.tap('.room[data-name="#lobby"]');
  await expectText(alice, '#room-name', '#lobby');
  assert.equal(await isOpen(), false);
  await hear(alice, 'tea');

  await alice.tap('#show-rooms');
  await alice.keyboard.press('Escape');
  assert.equal(await isOpen(), false);
  await alice.tap('#show-rooms');
  await alice.touchscreen.tap(370, 400);
  await expect(alice, () => !document.querySelector('#rooms').checkVisibility(), null, 'it is closed');
  await alice.tap('#show-rooms');
  await alice.tap('#find-room');
  assert.equal(await isOpen(), false);
  await alice.tap('#found-rooms li:last-child button');
  await expectText(alice, '#room-name', '#ops');

  // On a wide page, the same rooms are in a column, which can be closed.
  await alice.tap('#show-rooms');
  await alice.setViewportSize({ width: 1280, height: 700 });
  await expect(alice, () => document.querySelector('#rooms').getBoundingClientRect().top > 30, null, 'below the header');
  await expectRooms(alice, '#lobby', '#ops*');
  await alice.tap('#show-rooms');
  assert.equal(await isOpen(), false);
  await alice.tap('#show-rooms');
  assert.equal(await isOpen(), true);

  // Nothing is cut off on small windows.
  for (const [w, h] of [[320, 480], [360, 300], [844, 390], [200, 400]]) {
    await alice.setViewportSize({ width: w, height: h });
    assert.equal(await alice.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, `nothing is cut off at ${w}×${h}`);
    const box = await alice.locator('#text').boundingBox();
    assert.ok(box.y + box.height <= h + 1, `the box is visible at ${w}×${h}`);
  }
});
