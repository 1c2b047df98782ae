// The keyboard alone is enough for everything.

import assert from 'node:assert/strict';
import { expect, expectHere, expectText, hear, join, nc, open, play, serve } from '../stage.mjs';

await play(async () => {
  const server = await serve();
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const bob = await join(server, 'bob');
  const page = await open(server);
  const { keyboard } = page;
  /** Presses Tab or Shift+Tab until the element has the focus. */
  const goTo = async (name, key = 'Tab') => {
    for (let steps = 0; steps < 60; steps += 1) {
      const label = await page.evaluate(() => {
        const { ariaLabel, innerText, id } = document.activeElement;
        return ariaLabel || innerText || id;
      });
      if (label === name) return;
      await keyboard.press(key);
    }
    assert.fail(`no way to ${name}`);
  };

  await keyboard.type('alice');
  await keyboard.press('Enter');
  await expectText(page, '#connection', 'Connected');
  await expectHere(page, 'nora*', 'bob', 'alice');
  await keyboard.type('bo');
  await keyboard.press('Tab');
  await keyboard.type('good morning');
  await keyboard.press('Enter');
  await hear(bob, 'alice', 'bob: good morning');

  await goTo('bob');
  await keyboard.press('Space');
  await goTo('Message', 'Shift+Tab');
  await keyboard.type('psst');
  await keyboard.press('Enter');
  await hear(bob, 'alice whispers', 'psst');
  await goTo('smile', 'Shift+Tab');
  await keyboard.press('Enter');
  await keyboard.press('Enter');
  await hear(bob, 'alice', '🙂');

  await goTo('Rename', 'Shift+Tab');
  await keyboard.press('Enter');
  await keyboard.type('al');
  await keyboard.press('Enter');
  await expectText(page, '#me', 'al');
  await goTo('Rename', 'Shift+Tab');
  await keyboard.press('Enter');
  await keyboard.press('Escape');
  await expect(page, () => !document.getElementById('name-dialog').open, null, 'Escape closes');
  await goTo('Quit');
  await keyboard.press('Enter');
  await expectText(page, '#name-reason', 'You have left the room.');
  await hear(bob, 'al left');
});
