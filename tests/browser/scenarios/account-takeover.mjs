// Two windows use one account in turn: the one that logs in displaces the other, which says so and does not come back by itself.

import assert from 'node:assert/strict';
import { expectFocus, expectText, forgiveLostConnections, hear, join, nc, open, play, serve, serveAccounts, takeName } from '../stage.mjs';

const IN_USE = 'Another window or another device uses this account.';
const TAKEN = 'Another window or another device has logged in to your account. If that was not you, log in here and change the password.';

await play(async () => {
  const server = await serveAccounts();
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const owner = nc(server, 'alice');
  owner.say('REGISTER correct horse battery');
  await owner.hear(/^HELLO/, 'OK NICK alice', 'OK REGISTER alice');
  await nora.hear('JOIN alice');

  const first = await open(server);
  await takeName(first, 'alice');
  await first.click('#with-account');
  await first.fill('#login-password', 'correct horse battery');
  await first.click('#log-in');
  await expectText(first, '#login-error', IN_USE);
  await expectText(first, '#log-in-again', 'Log in here instead');
  await expectFocus(first, 'log-in-again');
  await first.keyboard.press('Enter');
  await expectText(first, '#me', 'alice');
  await owner.hear(/^ERR - taken-over /);
  await nora.hear('LEAVE alice displaced', 'JOIN alice');

  // A guest who is in a room logs in.
  const second = await join(server, 'bob');
  await nora.hear('JOIN bob');
  await second.click('#show-account');
  await second.click('#account-log-in');
  await second.fill('#login-name', 'alice');
  await second.fill('#login-password', 'correct horse battery');
  await second.click('#log-in');
  await expectText(second, '#login-error', IN_USE);
  await second.click('#log-in-again');
  await expectText(second, '#me', 'alice');
  await expectText(second, '#connection', 'Connected');
  await expectText(first, '#name-reason', TAKEN);
  await expectText(first, '#connection', 'Not connected');
  assert.equal(await first.locator('#retry').isVisible(), false, 'it does not come back by itself');
  await nora.hear('LEAVE alice displaced', 'RENAME bob alice');

  await first.click('#log-in-again');
  await expectText(first, '#me', 'alice');
  await expectText(second, '#name-reason', TAKEN);
  await nora.hear('LEAVE alice displaced', 'JOIN alice');

  // After a restart of the server, the page logs in again by itself.
  await server.stop();
  await hear(first, 'The connection was lost.');
  const next = await serve(server);
  await expectText(first, '#connection', 'Connected');
  const probe = nc(next);
  probe.say('LOGIN alice correct horse battery');
  await probe.hear(/^HELLO/, /^ERR LOGIN account-in-use /);

  // With another password, it asks.
  probe.say('TAKEOVER alice correct horse battery');
  await probe.hear('OK TAKEOVER alice');
  await expectText(first, '#name-reason', TAKEN);
  probe.say('PASSWORD staple staple');
  for (;;) if (await probe.next() === 'OK PASSWORD') break;
  await first.click('#log-in-again');
  await expectText(first, '#login-error', 'The name or the password is wrong.');
  assert.equal(await first.locator('#log-in-again').isVisible(), false);
  await first.fill('#login-password', 'staple staple');
  await first.click('#log-in');
  await expectText(first, '#login-error', IN_USE);
  forgiveLostConnections();
});
