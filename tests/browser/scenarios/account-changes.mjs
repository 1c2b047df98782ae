// The owner of an account changes the password, lists and revokes access tokens, and deletes the account. A change that needs the password
// asks for it.

import assert from 'node:assert/strict';
import { expect, expectFocus, expectText, nc, open, play, say, seriousFlaws, serveAccounts } from '../stage.mjs';

const PASSWORD = 'correct horse battery';

await play(async () => {
  const server = await serveAccounts();
  const owner = nc(server, 'alice');
  owner.say(`REGISTER ${PASSWORD}`, 'TOKEN new days=30 build server', 'TOKEN new deploy', 'QUIT');
  await owner.hear(/^HELLO/, 'OK NICK alice', 'COORDINATOR alice', 'OK REGISTER alice', /^OK TOKEN new 1 /, /^OK TOKEN new 2 /, 'OK QUIT');

  const page = await open(server);
  await page.click('#with-account');
  await page.fill('#login-name', 'ALICE');
  await page.fill('#login-password', PASSWORD);
  await page.check('#login-stays');
  await page.click('#log-in');
  await expectText(page, '#me', 'alice');
  const isKept = () => localStorage.getItem(`chinwag.login ${location.pathname}`) !== null;
  await expect(page, isKept, null, 'the device stays logged in');

  // By the token, the page may revoke others only after the password.
  await page.reload();
  await expectText(page, '#me', 'alice');
  await page.click('#show-account');
  await page.click('[data-view="tokens"]');
  const labels = (...wanted) => expect(page, (texts) => {
    const shown = [...document.querySelectorAll('.token-label')].map(({ textContent }) => textContent.replace(/^Chrome on .* \(/, '('));
    return shown.join() === texts.join();
  }, wanted, `the tokens should be ${wanted}`);
  await labels('(this device)', 'deploy', 'build server');
  await expectFocus(page, 'account-title');
  assert.deepEqual(await seriousFlaws(page), []);
  await page.getByRole('button', { name: 'Revoke build server' }).click();
  await expectText(page, '#account-title', 'Type your password again');
  await expectFocus(page, 'confirm-password');
  await page.fill('#confirm-password', 'incorrect horse');
  await page.click('#confirm');
  await expectText(page, '#confirm-error', 'The password is wrong.');
  await page.fill('#confirm-password', PASSWORD);
  await page.keyboard.press('Enter');
  await expectText(page, '#account-title', 'Access tokens');
  await labels('(this device)', 'deploy');
  await page.getByRole('button', { name: 'Revoke deploy' }).press('Enter');
  await labels('(this device)');
  await expect(page, () => document.activeElement.matches('#token-list button'), null, 'the focus moves to the next token');

  // The password.
  await page.click('[data-part="tokens"] > [data-view="overview"]');
  await page.click('[data-view="change"]');
  await expectFocus(page, 'change-before');
  const kinds = await page.locator('#change-form input').evaluateAll((inputs) => inputs.slice(0, 3).map(({ autocomplete }) => autocomplete));
  assert.deepEqual(kinds, ['username', 'current-password', 'new-password']);
  await page.fill('#change-before', 'incorrect horse');
  await page.fill('#change-password', 'staple');
  await page.click('#change');
  await expectText(page, '#change-error', 'This password is too short. Use at least 8 characters.');
  await expectFocus(page, 'change-password');
  await page.fill('#change-password', 'staple staple');
  await page.click('#change');
  await expectText(page, '#change-error', 'The password is wrong.');
  await expectFocus(page, 'change-before');
  await page.fill('#change-before', PASSWORD);
  await page.click('#change');
  await expectText(page, '#account-said',
    'Your password is changed. Access tokens stay valid: if somebody else knew the old password, revoke them.');
  const probe = nc(server);
  probe.say(`LOGIN alice ${PASSWORD}`, 'LOGIN alice staple staple');
  await probe.hear(/^HELLO/, /^ERR LOGIN password-wrong /, /^ERR LOGIN account-in-use /);

  // This device is logged out by its own token in the list: it asks for the password after a reload.
  await page.click('[data-view="tokens"]');
  await labels('(this device)');
  await page.locator('#token-list button').click();
  await expectText(page, '#token-status', 'No device stays logged in, and no script has a token.');
  assert.equal(await page.evaluate(isKept), false);
  await page.click('[data-part="tokens"] > [data-view="overview"]');
  await page.click('#account-stay');
  await expect(page, isKept, null, 'the device stays logged in again');

  // Revoked elsewhere, it explains the logout.
  probe.say('TAKEOVER alice staple staple', 'TOKEN revoke 4', 'QUIT');
  await probe.hear('OK TAKEOVER alice');
  for (;;) if (await probe.next() === 'OK TOKEN revoke 4') break;
  await probe.hear('OK QUIT');
  await expectText(page, '#log-in-again', 'Log in here instead');
  await page.click('#log-in-again');
  await expectText(page, '#login-error',
    'This device is not logged in any more: its access token has expired or was revoked. Log in with your password.');
  assert.equal(await page.evaluate(isKept), false);
  await page.fill('#login-password', 'staple staple');
  await page.click('#log-in');
  await expectText(page, '#me', 'alice');

  // The end.
  await page.click('#show-account');
  await page.click('[data-view="remove"]');
  await expectText(page, '#account-title', 'Delete the account alice');
  await page.fill('#remove-password', 'incorrect horse');
  await page.click('#remove-account');
  await expectText(page, '#remove-error', 'The password is wrong.');
  await page.fill('#remove-password', 'staple staple');
  await page.click('#remove-account');
  await expectText(page, '#account-said', 'The account alice is deleted. You are a guest now.');
  await expectText(page, '#account-state', 'You are a guest. After you leave, nobody can take the name alice for 30 days.');
  assert.equal(await page.isVisible('#account-register'), false, 'the name cannot become an account');
  await page.keyboard.press('Escape');
  await say(page, '/register');
  await page.fill('#register-password', 'staple staple');
  await page.click('#register');
  await expect(page, () => /^“alice” belonged to an account that was deleted, and cannot be taken before .* UTC\. Choose another name\.$/
    .test(document.getElementById('register-error').textContent), null, 'the name rests');
});
