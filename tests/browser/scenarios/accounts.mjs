// A guest makes its name an account, logs in to it, stays logged in on a device, and logs out. The page stores no password; the access token
// that it keeps is revoked by the logout.

import assert from 'node:assert/strict';
import { expect, expectFocus, expectText, hear, join, nc, open, openIn, play, seriousFlaws, serveAccounts, takeName } from '../stage.mjs';

const PASSWORD = 'correct horse battery';

/** Everything that the page stores or shows, with the values of its fields. */
async function kept(page) {
  return page.evaluate(() => {
    const values = [...document.querySelectorAll('input, textarea')].map(({ value }) => value);
    return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, values, document.documentElement.outerHTML, location.href]);
  });
}

await play(async () => {
  const server = await serveAccounts();
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO .*[=,]accounts /, 'OK NICK nora', 'COORDINATOR nora');
  const alice = await join(server, 'alice');
  await nora.hear('JOIN alice');

  // The account is made by keyboard, and the focus returns.
  await alice.focus('#show-account');
  await alice.keyboard.press('Enter');
  await expectText(alice, '#account-state', 'You are a guest. After you leave, anybody can take the name alice. With an account, only you can.');
  await alice.click('[data-view="register"]');
  await expectText(alice, '#account-title', 'Make alice an account');
  await expectFocus(alice, 'register-password');
  const fields = await alice.locator('#register-form input').evaluateAll((inputs) => inputs.map((input) => [input.autocomplete, input.value]));
  assert.deepEqual(fields.slice(0, 2), [['username', 'alice'], ['new-password', '']]);
  await alice.keyboard.type('short');
  await alice.keyboard.press('Enter');
  await expectText(alice, '#register-error', 'This password is too short. Use at least 8 characters.');
  await expectFocus(alice, 'register-password');
  await alice.fill('#register-password', PASSWORD);
  await alice.check('#register-form [name="show"]');
  assert.equal(await alice.locator('#register-password').getAttribute('type'), 'text');
  assert.deepEqual(await seriousFlaws(alice), []);
  await alice.press('#register-password', 'Enter');
  await expectText(alice, '#account-said', 'alice is an account now.');
  await expectText(alice, '#account-state', 'You are logged in as alice. This device asks for the password when you come back.');
  assert.deepEqual(await seriousFlaws(alice), []);
  await alice.keyboard.press('Escape');
  await expectFocus(alice, 'show-account');
  assert.ok(!(await kept(alice)).includes(PASSWORD), 'the password is nowhere but in the memory of the page');
  await alice.click('#quit');
  await expectText(alice, '#name-reason', 'You have left the room.');
  await nora.hear('LEAVE alice quit');
  assert.equal(await alice.locator('#log-in-again').isVisible(), false, 'after Quit, the page has forgotten the password');

  // Another guest cannot take the name, but log in.
  const page = await open(server);
  await takeName(page, 'alice');
  await expectText(page, '#name-error', '“alice” belongs to an account. Log in to it, or choose another name.');
  await expectText(page, '#with-account', 'Log in as alice');
  await page.click('#with-account');
  await expectFocus(page, 'login-password');
  assert.equal(await page.inputValue('#login-name'), 'alice');
  const kinds = await page.locator('#login-name, #login-password').evaluateAll((inputs) => inputs.map(({ type, autocomplete }) => [type, autocomplete]));
  assert.deepEqual(kinds, [['text', 'username'], ['password', 'current-password']]);
  assert.deepEqual(await seriousFlaws(page), []);
  await page.fill('#login-password', 'incorrect horse');
  await page.keyboard.press('Enter');
  await expectText(page, '#login-error', 'The name or the password is wrong.');
  await expectFocus(page, 'login-password');
  await page.fill('#login-password', PASSWORD);
  await page.check('#login-stays');
  await page.click('#log-in');
  await expectText(page, '#connection', 'Connected');
  await expectText(page, '#me', 'alice');
  await expectFocus(page, 'text');
  await hear(page, 'You joined');
  await nora.hear('JOIN alice');

  // The device stays logged in, by a token of which it is the only place.
  await page.click('#show-account');
  await expect(page, () => /^You are logged in as alice\. This device stays logged in until \d+ \w+ \d+, or until you log out\.$/
    .test(document.getElementById('account-state').innerText), null, 'the device stays logged in');
  await page.click('[data-view="tokens"]');
  await expect(page, () => /^Chrome on \w+ \(this device\)\s+made .+, (?:last|never) used.*, expires .+\s+Revoke$/
    .test(document.querySelector('#token-list li')?.innerText), null, 'the list has this device');
  const stored = await kept(page);
  assert.ok(stored.includes('cwt_') && !stored.includes(PASSWORD), 'a token is kept, no password');
  await page.reload();
  await expectText(page, '#connection', 'Connected');
  await expectText(page, '#me', 'alice');
  await nora.hear('LEAVE alice quit', 'JOIN alice');

  // A second window joins as a guest instead.
  const second = await openIn(page.context(), server);
  await expectText(second, '#login-error', 'Another window or another device uses this account.');
  await second.click('#without-account');
  await takeName(second, 'al');
  await expectText(second, '#me', 'al');
  await nora.hear('JOIN al');

  // The logout revokes the token.
  const [, token] = /(cwt_[\da-f]{32})/.exec(stored);
  await page.click('#show-account');
  await page.click('#account-log-out');
  await expectText(page, '#name-reason', 'You are logged out.');
  await nora.hear('LEAVE alice quit');
  assert.ok(!(await kept(page)).includes('cwt_'), 'the token is removed');
  const thief = nc(server);
  thief.say(`LOGIN alice ${token}`);
  await thief.hear(/^HELLO/, /^ERR LOGIN password-wrong /);
  await page.reload();
  await expectText(page, '#name-title', `Join the chat at 127.0.0.1:${server.web}`);
  await expect(page, () => !document.getElementById('with-account').hidden, null, 'the login is offered before the page has joined');
});
