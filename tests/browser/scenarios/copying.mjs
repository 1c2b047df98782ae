// A selection of several messages is copied as one line each, with time and name.

import assert from 'node:assert/strict';
import { hear, join, nc, play, say, serve } from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0'] });
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const alice = await join(server, 'alice');
  await hear(alice, 'You joined');
  nora.say('MSG first words', 'MSG second', 'WHISPER alice psst', 'MSG https://example.org/x and more');
  await hear(alice, 'and more');
  await say(alice, 'my own');
  await hear(alice, 'my own');

  /** Selects from one place to another, `[text, offset, part]` each, and returns the copied text. */
  const copy = (from, to) => alice.evaluate(([from, to]) => {
    const find = ([text, offset, part]) => {
      const entry = [...document.querySelectorAll('#log > *')].find((each) => each.textContent.includes(text));
      const node = document.createTreeWalker(entry.querySelector(part ?? '.said'), NodeFilter.SHOW_TEXT).nextNode();
      return [node, offset];
    };
    const [start, end] = [find(from), find(to)];
    getSelection().setBaseAndExtent(...start, ...end);
    const data = new DataTransfer();
    const event = new ClipboardEvent('copy', { clipboardData: data, bubbles: true, cancelable: true });
    const isPlain = document.getElementById('log').dispatchEvent(event);
    return (isPlain ? getSelection().toString() : data.getData('text/plain')).replaceAll(/\d\d:\d\d/g, '19:34');
  }, [from, to]);

  assert.equal(
    await copy(['You joined', 0], ['my own', 6]),
    [
      '19:34 You joined', '19:34 nora: first words', '19:34 nora: second', '19:34 nora (whisper to you): psst',
      '19:34 nora: https://example.org/x and more', '19:34 alice: my own',
    ].join('\n'),
  );
  // For the first and the last message, only the selected part is copied.
  assert.equal(await copy(['first', 6], ['second', 3]), '19:34 nora: words\n19:34 nora: sec');
  assert.equal(await copy(['second', 3], ['first', 6]), '19:34 nora: words\n19:34 nora: sec', 'backwards');
  // A selection within one message is copied unchanged.
  assert.equal(await copy(['first', 6], ['first', 11]), 'words');
  // A whole message with its time and name is copied as a line; a message that the selection only touches is not.
  assert.equal(await copy(['first', 0, 'time'], ['first', 11]), '19:34 nora: first words');
  assert.equal(await copy(['first', 0, 'time'], ['second', 0, 'time']), '19:34 nora: first words');

  // With the keyboard.
  await alice.locator('#log').focus();
  await alice.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await copy(['first', 0], ['second', 6]);
  await alice.keyboard.press('Control+C');
  const clipboard = await alice.evaluate(() => navigator.clipboard.readText());
  assert.match(clipboard, /^\d\d:\d\d nora: first words\n\d\d:\d\d nora: second$/);
});
