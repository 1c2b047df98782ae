// The owner of a name logs in while a guest has it: the guest gets the dialog with an explanation, and goes on under another name.

import assert from 'node:assert/strict';
import { expectFocus, expectText, hear, intercept, nc, open, play, say, serveAccounts, takeName } from '../stage.mjs';

await play(async () => {
  const server = await serveAccounts();
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const alice = await open(server);
  const sockets = await intercept(alice);
  await takeName(alice, 'alice');
  await expectText(alice, '#connection', 'Connected');
  await nora.hear('JOIN alice');
  await say(alice, '/join #ops');
  await expectText(alice, '#room-name', '#ops');

  // Only the operator adds an account for the name of a guest: the line is injected.
  const displace = (name) => sockets.inject(`@- 2026-11-30T12:00:00.000Z LEAVE ${name} displaced the owner has logged in; write: NICK name`);
  displace('alice');
  await expectText(alice, '#name-reason',
    'The name alice belongs to an account, and its owner has logged in. Choose another name to go on.');
  await expectFocus(alice, 'name');
  assert.equal(await alice.inputValue('#name'), '');
  await hear(alice, 'The owner of the name alice has logged in.');
  const before = sockets.sent.length;
  await takeName(alice, 'al');
  await expectText(alice, '#connection', 'Connected');
  await expectText(alice, '#me', 'al');
  await nora.hear('RENAME alice al');
  await expectText(alice, '#room-name', '#ops');
  const lines = sockets.sent.slice(before);
  assert.deepEqual(lines.slice(0, 2), ['SET resume on', 'NICK al'], 'it takes the name on the same connection, with another resume token');
  assert.ok(lines.some((line) => /^JOIN .*#ops/.test(line)), 'it enters its rooms again');

  // If the connection is lost meanwhile, the page waits for the user: it does not take the old name.
  displace('al');
  await expectText(alice, '#name-reason',
    'The name al belongs to an account, and its owner has logged in. Choose another name to go on.');
  const lost = sockets.sent;
  await sockets.cut();
  while (sockets.sent === lost || !sockets.sent.includes('SET draw on')) await alice.evaluate(() => new Promise(requestAnimationFrame));
  await takeName(alice, 'ally');
  await expectText(alice, '#me', 'ally');
  await nora.hear('JOIN ally');
  assert.deepEqual(sockets.sent.filter((line) => /^(NICK|RESUME)/.test(line)), ['NICK ally']);
});
