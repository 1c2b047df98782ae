// The server closes a connection on which nobody logs in for a while. The form keeps what the user has typed, and connects again.

import { expectText, nc, open, play, serveAccounts } from '../stage.mjs';

await play(async () => {
  const server = await serveAccounts('--name-timeout', '2s');
  const owner = nc(server, 'alice');
  owner.say('REGISTER correct horse battery', 'QUIT');
  await owner.hear(/^HELLO/, 'OK NICK alice', 'COORDINATOR alice', 'OK REGISTER alice', 'OK QUIT');

  const page = await open(server);
  await page.click('#with-account');
  await page.fill('#login-name', 'alice');
  await page.fill('#login-password', 'incorrect horse');
  const opened = page.waitForEvent('websocket');
  await page.click('#log-in');
  const socket = await opened;
  const closed = socket.waitForEvent('close');
  await expectText(page, '#login-error', 'The name or the password is wrong.');
  await page.fill('#login-password', 'correct horse battery');
  await closed;
  await page.click('#log-in');
  await expectText(page, '#connection', 'Connected');
  await expectText(page, '#me', 'alice');
});
