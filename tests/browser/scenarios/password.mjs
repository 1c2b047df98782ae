// The page asks for the password of a server, keeps it in memory only, gives it again after a reconnect, and publishes it nowhere. Over a
// connection that others may read, it does not ask.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, expectText, forgiveLostConnections, hear, nc, open, play, say, seriousFlaws, serve, takeName, wire } from '../stage.mjs';

const directory = mkdtempSync(path.join(os.tmpdir(), 'chinwag-'));
const file = path.join(directory, 'password');
writeFileSync(file, 'hunter2\n', { mode: 0o600 });

await play(async () => {
  const server = await serve({ options: ['--password-file', file] });
  const nora = nc(server);
  nora.say('PASS hunter2', 'NICK nora');
  await nora.hear(/^HELLO .*,password /, 'OK PASS', 'OK NICK nora', 'COORDINATOR nora');
  const line = await wire(server.web);
  const alice = await open(line);
  assert.equal(await alice.locator('#password').isVisible(), false);
  await takeName(alice, 'alice');
  await expectText(alice, '#name-error', 'This server needs a password.');
  await expect(alice, () => document.activeElement.id === 'password', null, 'the password has the focus');
  const kind = await alice.locator('#password').evaluate(({ type, autocomplete }) => [type, autocomplete]);
  assert.deepEqual(kind, ['password', 'current-password']);
  assert.deepEqual(await seriousFlaws(alice), []);
  await alice.fill('#password', 'hunter3');
  await alice.click('#take-name');
  await expectText(alice, '#name-error', 'The password is wrong.');
  await alice.fill('#password', 'hunter2');
  await alice.press('#password', 'Enter');
  await expectText(alice, '#connection', 'Connected');
  await nora.hear('JOIN alice');

  const kept = await alice.evaluate(() => {
    const field = document.getElementById('password').value;
    return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, field, document.documentElement.outerHTML, location.href]);
  });
  assert.ok(kept.includes('alice') && !kept.includes('hunter'), 'it is nowhere but in the memory of the page');

  await say(alice, 'pass hunter2');
  await expectText(alice, '#not-sent', 'Not sent: it looks like a password. To send it as a message, begin with a space.');
  await say(alice, ' pass the salt');
  await nora.hear('MSG alice  pass the salt');

  line.cut();
  await hear(alice, 'The connection was lost.');
  nora.say('MSG meanwhile');
  await nora.hear(/^OK MSG/);
  line.mend();
  await hear(alice, 'meanwhile');
  await expectText(alice, '#connection', 'Connected');

  // Others on its network have used up the attempts: the page keeps the right password, and gives it again.
  line.cut();
  await hear(alice, 'The connection was lost.');
  const guesser = nc(server);
  guesser.say(...Array(10).fill('PASS hunter3'));
  while (!/^ERR - too-many-errors /.test(await guesser.next()));
  line.mend();
  await alice.click('#retry');
  await expectText(alice, '#name-error', 'Too many wrong passwords were given from your network. This page tries again in a few seconds.');
  await expectText(alice, '#name-reason', 'The connection was lost.');
  assert.equal(await alice.locator('#password').isVisible(), false);
  await expectText(alice, '#connection', 'Connected');
  assert.equal(await alice.locator('#name-dialog').isVisible(), false);
  forgiveLostConnections();

  // The server says that others may read this connection.
  const bob = await open(server);
  const sent = [];
  await bob.routeWebSocket(/ws$/, (socket) => {
    socket.onMessage((text) => sent.push(text));
    socket.send('HELLO chinwag/1 epoch=k7qd features=rooms,password this server needs a password\n');
  });
  await bob.reload();
  await takeName(bob, 'bob');
  await expectText(bob, '#name-error', 'This server needs a password, but others could read it on the way. Open this page with https://');
  assert.equal(await bob.locator('#password').isVisible(), false);
  assert.ok(!sent.some((text) => text.startsWith('PASS')), 'the page has sent no password');
});
rmSync(directory, { recursive: true });
