// Keys that belong to a composition (Chinese, Japanese, Korean and others) send nothing and complete nothing.

import assert from 'node:assert/strict';
import {
  expect, expectHere, expectText, hear, hearPending, intercept, join, nc, open, play, say, serve, takeName,
} from '../stage.mjs';

await play(async () => {
  const server = await serve();
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const alice = await join(server, 'alice');
  await expectHere(alice, 'nora*', 'alice');
  /** Dispatches a key event as a browser does. Returns whether the page left the default action. */
  const press = (page, selector, key, told) => page.evaluate(([selector, key, told]) => {
    const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...told });
    return document.querySelector(selector).dispatchEvent(event);
  }, [selector, key, told]);
  // Safari ends the composition first and reports the key afterwards, with keyCode 229.
  const composing = [{ isComposing: true, keyCode: 229 }, { isComposing: true, keyCode: 13 }, { isComposing: false, keyCode: 229 }];

  for (const told of composing) {
    await alice.fill('#text', 'にほん');
    await press(alice, '#text', 'Enter', told);
    assert.equal(await alice.inputValue('#text'), 'にほん');
    await alice.fill('#text', 'no');
    assert.equal(await press(alice, '#text', 'Tab', told), true);
    assert.equal(await alice.inputValue('#text'), 'no');
  }

  // A composition in Chromium.
  await alice.fill('#text', '');
  await alice.focus('#text');
  const devtools = await alice.context().newCDPSession(alice);
  await devtools.send('Input.imeSetComposition', { text: 'にほn', selectionStart: 3, selectionEnd: 3 });
  await devtools.send('Input.insertText', { text: '日本' });
  assert.equal(await alice.inputValue('#text'), '日本');
  await alice.keyboard.press('Enter');
  await hear(alice, 'alice', '日本');
  await nora.hear('JOIN alice', 'MSG alice 日本');
  await expect(alice, () => !document.querySelector('#log .pending'), null, 'it is acknowledged');
  assert.equal(await alice.locator('#log .msg').count(), 1);

  // A refused message returns to the box only after the composition has ended.
  const carol = await open(server);
  const sockets = await intercept(carol, (line) => line.startsWith('MSG'));
  await takeName(carol, 'carol');
  await expectText(carol, '#connection', 'Connected');
  await say(carol, 'one');
  await hearPending(carol, 'one');
  await carol.focus('#text');
  const editor = await carol.context().newCDPSession(carol);
  await editor.send('Input.imeSetComposition', { text: 'かn', selectionStart: 2, selectionEnd: 2 });
  sockets.inject('ERR MSG not-stored the disk is full');
  await expect(carol, () => !document.querySelector('#log .pending'), null, 'it is refused');
  assert.equal(await carol.inputValue('#text'), 'かn');
  await editor.send('Input.insertText', { text: '感' });
  await expect(carol, () => document.getElementById('text').value === 'one\n感', null, 'both are in the box');

  // Escape ends a composition and does not close the popover around it.
  await carol.click('#rename');
  for (const told of composing) assert.equal(await press(carol, '#name', 'Escape', told), false);
  assert.equal(await carol.locator('#name-dialog').isVisible(), true);

  const bob = await open(server);
  for (const told of composing) {
    await bob.fill('#name', 'ぼ');
    assert.equal(await press(bob, '#name', 'Enter', told), false, 'the form is not sent');
  }
  await expectText(bob, '#connection', 'Not connected');
});
