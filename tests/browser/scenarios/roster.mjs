// A page that fell behind gets a ROSTER: it replaces the member list, and requests the canvas again.

import assert from 'node:assert/strict';
import { expect, expectHere, expectText, hear, intercept, open, play, say, serve, takeName } from '../stage.mjs';

await play(async () => {
  const server = await serve();
  const page = await open(server);
  const sockets = await intercept(page);
  await takeName(page, 'alice');
  await expectText(page, '#connection', 'Connected');
  await page.click('#show-canvas');
  // By then the replies to all requests of joining have arrived.
  await say(page, 'first');
  await hear(page, 'first');
  await expectHere(page, 'alice*');
  const before = sockets.sent.filter((line) => line === 'CANVAS').length;

  sockets.inject('@- 2026-11-20T12:44:29.138Z ROSTER 2', 'USER nora coordinator', 'USER alice member');
  await expectHere(page, 'nora*', 'alice');
  await expect(page, () => document.getElementById('check-status').hidden, null, 'no coordinator');
  // The focus stays where it is when the order changes.
  sockets.inject('@- 2026-11-20T12:44:29.138Z ROSTER 3', 'USER nora coordinator', 'USER bob member', 'USER alice member');
  await expectHere(page, 'nora*', 'bob', 'alice');
  await page.locator('#names button[data-name="bob"]').focus();
  sockets.inject('@- 2026-11-20T12:44:29.138Z ROSTER 3', 'USER bob member', 'USER alice member', 'USER nora coordinator');
  await expectHere(page, 'bob', 'alice', 'nora*');
  assert.equal(await page.evaluate(() => document.activeElement.dataset.name), 'bob');

  await say(page, 'here I am');
  await hear(page, 'here I am');
  const asked = sockets.sent.filter((line) => line === 'CANVAS').length;
  assert.equal(asked, before + 3);
});
