// The member list follows joins, renames and leaves. The coordinator can open a table of all members.

import assert from 'node:assert/strict';
import { expect, expectHere, expectText, hear, join, nc, play, serve, takeName } from '../stage.mjs';

await play(async () => {
  const server = await serve();
  const alice = await join(server, 'alice');
  await expectHere(alice, 'alice*');
  const bob = await join(server, 'bob');
  const nora = nc(server, 'nora');
  await expectHere(alice, 'alice*', 'bob', 'nora');
  await expectHere(bob, 'alice*', 'bob', 'nora');

  await bob.click('#rename');
  await takeName(bob, 'robert');
  await expectHere(alice, 'alice*', 'robert', 'nora');
  nora.say('NICK norah');
  await expectHere(bob, 'alice*', 'robert', 'norah');
  await hear(alice, 'bob is now robert');
  await hear(bob, 'nora is now norah');

  assert.equal(await bob.locator('#check-status').isVisible(), false);
  await alice.click('#check-status');
  await expect(alice, () => document.querySelectorAll('#status-rows tr').length === 3, null, 'three rows');
  const row = await alice.locator('#status-rows tr').nth(1).innerText();
  assert.match(row, /^robert\s+127\.0\.0\.1:\d+\s+less than 1 min\s+less than 1 min$/);
  // The open table is refreshed automatically.
  nora.say('QUIT tea');
  await expect(alice, () => document.querySelectorAll('#status-rows tr').length === 2, null, 'two rows');
  await alice.getByRole('button', { name: 'Close' }).click();
  await hear(bob, 'norah left: tea');

  await alice.click('#quit');
  await expectText(alice, '#name-reason', 'You have left the room.');
  await expectHere(bob, 'robert*');
  await hear(bob, 'You are now the coordinator');
  await bob.click('#check-status');
  await expect(bob, () => document.querySelectorAll('#status-rows tr').length === 1, null, 'one row');
  await bob.getByRole('button', { name: 'Close' }).click();

  await takeName(alice, 'alice');
  await expectHere(bob, 'robert*', 'alice');
  await expectHere(alice, 'robert*', 'alice');
  // Closing the page leaves the room.
  await alice.close({ runBeforeUnload: true });
  await expectHere(bob, 'robert*');
});
