// Names of rooms and topics with HTML, other directions or extreme lengths stay text, and do not break the layout.

import assert from 'node:assert/strict';
import { expect, expectRooms, expectText, hear, intercept, join, nc, open, openRoom, play, say, serve, takeName } from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0'] });
  const eve = nc(server, 'eve');
  await eve.hear(/^HELLO/, 'OK NICK eve', 'COORDINATOR eve');
  const long = `#${'W'.repeat(32)}`;
  const hebrew = '#שלום';
  const html = '<img src=x onerror="document.title=1"><b>bold</b> &amp; https://example.org/"><script>alert(1)</script>';
  eve.say(`JOIN ${long},${hebrew},#a%2fb&c`, `${long} TOPIC ${html}`, `${hebrew} TOPIC \u202egnp.exe ${'y'.repeat(480)}`);

  const alice = await join(server, 'alice');
  for (const room of [long, hebrew]) await say(alice, `/join ${room}`);
  await expectText(alice, '#room-name', hebrew);
  await expect(alice, () => document.getElementById('topic').textContent.startsWith('\ufffdgnp.exe'), null, 'the override is replaced');
  assert.equal(await alice.locator('#room-name').evaluate((name) => getComputedStyle(name).direction), 'rtl');
  await openRoom(alice, long);
  await expectText(alice, '#topic', html);
  assert.equal(await alice.locator('#topic img, #topic b, #topic script').count(), 0);
  await alice.click('#find-room');
  await expect(alice, () => document.querySelectorAll('#found-rooms li').length >= 3, null, 'the rooms are found');
  assert.equal(await alice.locator('#found-rooms img, #found-rooms b, #found-rooms script').count(), 0);
  const overflows = () => alice.evaluate(() => ['#rooms', '#room-head', '#finder-scroll', '#finder'].filter((selector) => {
    const part = document.querySelector(selector);
    return part.checkVisibility() && part.scrollWidth > part.clientWidth;
  }));
  assert.deepEqual(await overflows(), []);
  await alice.keyboard.press('Escape');
  await alice.setViewportSize({ width: 390, height: 700 });
  await alice.click('#show-rooms');
  assert.deepEqual(await overflows(), []);
  assert.equal(await alice.title(), `${long} · chinwag`);
  await alice.keyboard.press('Escape');
  await alice.setViewportSize({ width: 1280, height: 760 });
  await alice.reload();
  await takeName(alice, 'alice');
  await expectText(alice, '#room-name', long);

  // Lines about rooms that the user is not in, and broken lines, change nothing.
  const bob = await open(server);
  const sockets = await intercept(bob);
  await takeName(bob, 'bob');
  await hear(bob, 'You joined');
  sockets.inject(
    '#ghost MSG eve boo', '@7 2026-11-20T12:44:29.138Z #ghost MSG eve boo', '#ghost LEAVE bob part', '#ghost USER eve coordinator', '#',
    '#ghost', '@- 2026-11-20T12:44:29.138Z #ghost TOPIC eve boo', 'ROOM', 'ROOM #ghost', '#ghost DRAW eve #000000 9 1,1',
    '@- 2026-11-20T12:44:29.138Z MSG eve still alive',
  );
  await hear(bob, 'still alive');
  assert.equal(await bob.locator('#rooms a').count(), 1);
  assert.equal(await bob.locator('#log', { hasText: 'boo' }).count(), 0);
});
