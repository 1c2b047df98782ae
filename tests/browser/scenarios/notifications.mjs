// Desktop notifications are off until the user turns them on. Then the page shows them only for whispers and mentions that are
// out of sight.

import assert from 'node:assert/strict';
import { expect, expectHere, expectText, hear, nc, open, play, serve, takeName } from '../stage.mjs';

/** Replaces the notifications of the browser: records requests, and answers them. */
function record(permission) {
  globalThis.asked = 0;
  globalThis.shown = [];
  globalThis.Notification = class {
    static permission = sessionStorage.getItem('granted') ?? 'default';
    static async requestPermission() {
      globalThis.asked += 1;
      if (permission === 'granted') sessionStorage.setItem('granted', permission);
      Notification.permission = permission;
      return permission;
    }
    constructor(title, { body }) {
      globalThis.shown.push(`${title}: ${body}`);
    }
  };
}

await play(async () => {
  const server = await serve();
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');

  const alice = await open(server);
  await alice.addInitScript(record, 'granted');
  await alice.reload();
  await takeName(alice, 'alice');
  await expectHere(alice, 'nora*', 'alice');
  const look = (isFocused) => alice.evaluate((isFocused) => {
    document.hasFocus = () => isFocused;
  }, isFocused);
  const shown = async () => (await alice.evaluate(() => globalThis.shown.splice(0)));
  assert.equal(await alice.locator('#notify').getAttribute('aria-pressed'), 'false');
  await look(false);
  nora.say('WHISPER alice before it was asked for');
  await hear(alice, 'before it was asked for');
  assert.deepEqual(await shown(), []);
  assert.equal(await alice.evaluate(() => globalThis.asked), 0, 'permission is requested only after a press');

  await alice.click('#notify');
  await expect(alice, () => document.getElementById('notify').ariaPressed === 'true', null, 'they are on');
  nora.say('MSG nothing in particular', 'WHISPER alice psst', 'MSG hello alice', 'NICK alice2', 'MSG alice2 does not count');
  await hear(alice, 'alice2 does not count');
  assert.deepEqual(await shown(), ['nora whispers to you: psst', 'nora mentions you: hello alice']);
  await look(true);
  await alice.evaluate(() => dispatchEvent(new Event('focus')));
  nora.say('MSG alice, are you looking?');
  await hear(alice, 'are you looking?');
  assert.deepEqual(await shown(), [], 'a visible message shows no notification');

  await alice.reload();
  assert.equal(await alice.locator('#notify').getAttribute('aria-pressed'), 'true', 'they stay on');
  await takeName(alice, 'alice');
  await expectText(alice, '#connection', 'Connected');
  await alice.click('#notify');
  await look(false);
  nora.say('WHISPER alice after they were turned off');
  await hear(alice, 'after they were turned off');
  assert.deepEqual(await shown(), []);

  const bob = await open(server);
  await bob.addInitScript(record, 'denied');
  await bob.reload();
  await takeName(bob, 'bob');
  await expectText(bob, '#connection', 'Connected');
  await bob.click('#notify');
  await expectText(bob, '#not-sent', 'Your browser blocks notifications from this page. Allow them in its settings, and try again.');
  assert.equal(await bob.locator('#notify').getAttribute('aria-pressed'), 'false');
});
