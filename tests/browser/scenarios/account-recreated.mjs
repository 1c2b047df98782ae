// The operator deletes an account, and adds another one of the same name. The device that stayed logged in to the first one notices it, and
// its logout revokes no access token of the second one, although the numbers of the tokens begin again. On a server for accounts only, the page
// says that the operator has ended the login, and does not connect again by itself.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, expectText, forgiveLostConnections, nc, open, play, serve, serveAccounts } from '../stage.mjs';

const PASSWORD = 'correct horse battery';
const ASKS = 'You are logged in as alice. This device asks for the password when you come back.';

const directory = mkdtempSync(path.join(os.tmpdir(), 'chinwag-'));
const file = path.join(directory, 'password');
writeFileSync(file, `${PASSWORD}\n`, { mode: 0o600 });

function account(server, ...words) {
  const { status, stderr } = spawnSync(process.env.CHINWAGD, ['account', ...words, '--control', server.control], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}

/** The operator replaces the account. A script makes the first access token of the new one. */
async function replaceAccount(server) {
  account(server, 'remove', 'alice');
  account(server, 'add', 'alice', '--end-rest', '--password-file', file);
  const script = nc(server);
  script.say(`LOGIN alice ${PASSWORD}`, 'TOKEN new build server', 'QUIT');
  await script.hear(/^HELLO/, 'OK LOGIN alice');
  for (;;) {
    const [, token] = /^OK TOKEN new 1 (\S+)/.exec(await script.next()) ?? [];
    if (token) return token;
  }
}

async function expectValid(server, token) {
  const script = nc(server);
  script.say(`LOGIN alice ${token}`, 'QUIT');
  await script.hear(/^HELLO/, 'OK LOGIN alice');
}

await play(async () => {
  const server = await serveAccounts();
  account(server, 'add', 'alice', '--password-file', file);
  const page = await open(server);
  const isKept = () => localStorage.getItem(`chinwag.login ${location.pathname}`) !== null;
  const logIn = async (stays) => {
    await page.fill('#login-name', 'alice');
    await page.fill('#login-password', PASSWORD);
    await page.setChecked('#login-stays', stays);
    await page.click('#log-in');
    await expectText(page, '#me', 'alice');
  };
  await page.click('#with-account');
  await logIn(true);
  await expect(page, isKept, null, 'the device stays logged in');

  // The user logs in to the new account with the password: the device does not stay logged in.
  const token = await replaceAccount(server);
  await logIn(false);
  await expect(page, () => localStorage.getItem(`chinwag.login ${location.pathname}`) === null, null, 'the page forgets the token of the first account');
  await page.click('#show-account');
  await expectText(page, '#account-state', ASKS);
  await page.click('#account-log-out');
  await expectText(page, '#name-reason', 'You are logged out.');
  await expectValid(server, token);

  // It stays logged in to the second account, and the user logs out of it while it does not exist any more.
  await logIn(true);
  await expect(page, isKept, null, 'the device stays logged in');
  await page.reload();
  await expectText(page, '#me', 'alice');
  account(server, 'remove', 'alice');
  account(server, 'add', 'alice', '--end-rest', '--password-file', file);
  await page.click('#show-account');
  await page.click('#account-log-out');
  await expectText(page, '#name-reason', 'You are logged out.');
  assert.equal(await page.evaluate(isKept), false);

  // Without guests.
  await logIn(true);
  await expect(page, isKept, null, 'the device stays logged in');
  await server.stop();
  await serve({ ...server, options: [...server.options, '--accounts-only'] });
  await page.reload();
  await expectText(page, '#me', 'alice');
  forgiveLostConnections();
  account(server, 'remove', 'alice');
  await expectText(page, '#name-reason',
    'The operator of the server has ended your login: your account was deleted, or has another password now. Ask the operator.');
  await expectText(page, '#connection', 'Not connected');
  assert.equal(await page.evaluate(isKept), false);
  assert.equal(await page.isVisible('#log-in-again'), false);
});
rmSync(directory, { recursive: true });
