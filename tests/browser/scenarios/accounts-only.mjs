// A server for accounts only: the page shows the login first, also for the password of the server. Over a connection that others may read,
// it neither asks for a password nor sends the token that it keeps.

import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expectFocus, expectText, nc, open, play, seriousFlaws, serve, serveAccounts } from '../stage.mjs';

const file = path.join(os.tmpdir(), `chinwag-${process.pid}.password`);
writeFileSync(file, 'hunter2\n', { mode: 0o600 });

await play(async () => {
  const before = await serveAccounts();
  const owner = nc(before, 'alice');
  owner.say('REGISTER correct horse battery');
  await owner.hear(/^HELLO/, 'OK NICK alice', 'COORDINATOR alice', 'OK REGISTER alice');
  await before.stop();
  const server = await serve({ ...before, options: [...before.options, '--accounts-only', '--password-file', file] });

  const alice = await open(server);
  await expectText(alice, '#name-title', `Log in at 127.0.0.1:${server.web}`);
  await expectFocus(alice, 'login-name');
  assert.equal(await alice.locator('#without-account').isVisible(), false);
  await alice.fill('#login-name', 'alice');
  await alice.fill('#login-password', 'correct horse battery');
  await alice.click('#log-in');
  await expectText(alice, '#login-error', 'This server needs a password.');
  await expectFocus(alice, 'server-password');
  assert.deepEqual(await seriousFlaws(alice), []);
  await alice.fill('#server-password', 'hunter2');
  await alice.check('#login-stays');
  await alice.press('#server-password', 'Enter');
  await expectText(alice, '#me', 'alice');
  const isKept = () => localStorage.getItem(`chinwag.login ${location.pathname}`) !== null;
  await alice.waitForFunction(isKept);
  const stored = await alice.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
  assert.ok(!/hunter2|battery/.test(stored), 'no password is stored');

  // The token logs in; the server's password is asked for.
  await alice.reload();
  await expectText(alice, '#login-error', 'This server needs a password.');
  await alice.fill('#server-password', 'hunter2');
  await alice.click('#log-in-again');
  await expectText(alice, '#me', 'alice');
  await alice.click('#show-account');
  await alice.click('[data-view="remove"]');
  await alice.fill('#remove-password', 'correct horse battery');
  await alice.click('#remove-account');
  await expectText(alice, '#name-reason', 'The account alice is deleted.');
  await expectText(alice, '#name-title', `Log in at 127.0.0.1:${server.web}`);
  assert.equal(await alice.evaluate(isKept), false);

  // The server says that others may read this connection.
  const sent = [];
  const exposed = 'This server needs a password, but others could read it on the way. Open this page with https://';
  await alice.evaluate(() => {
    const login = { name: 'alice', number: 1, token: `cwt_${'0'.repeat(32)}`, expiresAt: '2099-01-01T00:00:00.000Z' };
    localStorage.setItem(`chinwag.login ${location.pathname}`, JSON.stringify(login));
  });
  await alice.routeWebSocket(/ws$/, (socket) => {
    socket.onMessage((text) => sent.push(text));
    socket.send('HELLO chinwag/1 epoch=k7qd features=rooms,accounts,accounts-only this server is for accounts only\n');
  });
  await alice.reload();
  await expectText(alice, '#name-error', exposed);
  await alice.evaluate(() => localStorage.clear());
  await alice.reload();
  await expectText(alice, '#name-error', exposed);
  assert.equal(await alice.locator('#login-form').isVisible(), false);
  assert.ok(!sent.some((text) => /^(LOGIN|TAKEOVER|TOKEN)/.test(text)), 'the page has sent no secret');
});
rmSync(file);
