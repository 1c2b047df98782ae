// The connection is lost again right after each reconnect. The page takes its name back every time, whichever requests are lost.

import assert from 'node:assert/strict';
import { expect, expectHere, expectText, forgiveLostConnections, intercept, nc, open, play, serve, takeName } from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0'] });
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const alice = await open(server);
  let isHeldBack = false;
  let isBack = false;
  const sockets = await intercept(alice, (line) => {
    const isLost = isHeldBack && isBack;
    if (/^(RESUME|NICK)/.test(line)) isBack = true;
    return isLost;
  });
  await takeName(alice, 'alice');
  await expectHere(alice, 'nora*', 'alice');
  await nora.hear('JOIN alice');

  // Drops the lines that the page sends after it has its name again.
  isHeldBack = true;
  for (let count = 1; count <= 3; count += 1) {
    isBack = false;
    await sockets.cut();
    const again = (count) => {
      const notes = [...document.querySelectorAll('#log .note')].map(({ textContent }) => textContent);
      return notes.filter((text) => text === 'Connected again.').length === count;
    };
    await expect(alice, again, count, `connected again ${count} times`);
  }
  isHeldBack = false;
  await sockets.cut();
  await expectText(alice, '#connection', 'Connected');
  await expectHere(alice, 'nora*', 'alice');
  assert.equal(await alice.locator('#name-dialog').isVisible(), false);
  // Other members saw no LEAVE or JOIN.
  nora.say('PING');
  await nora.hear('OK PING');
  forgiveLostConnections();
});
