// A message is pending until the server has acknowledged it; then it looks like other messages. A message that is too long is refused
// with its length, before it is sent.

import assert from 'node:assert/strict';
import { expect, expectHere, expectText, hear, hearPending, intercept, nc, open, play, say, serve, takeName } from '../stage.mjs';

await play(async () => {
  const server = await serve();
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const alice = await open(server);
  let isHeld = false;
  const sockets = await intercept(alice, (line) => isHeld && /^(MSG|WHISPER)/.test(line));
  await takeName(alice, 'alice');
  await expectText(alice, '#connection', 'Connected');
  await expectHere(alice, 'nora*', 'alice');

  isHeld = true;
  await say(alice, 'is this on?');
  const pending = await hearPending(alice, 'alice', 'is this on?');
  assert.equal(await pending.locator('time').innerText(), 'sending…');
  await alice.fill('#text', '/w nora psst');
  await alice.press('#text', 'Enter');
  assert.equal(await alice.locator('#log .pending').count(), 2);
  // Messages that arrive meanwhile are shown above it.
  nora.say('MSG meanwhile');
  await hear(alice, 'meanwhile');
  const texts = await alice.locator('#log .msg .said, #log .whisper .said').allInnerTexts();
  assert.deepEqual(texts, ['meanwhile', 'is this on?', 'psst']);

  const time = new Date().toISOString();
  sockets.inject(`@99 ${time} MSG alice is this on?`, 'OK MSG 99', 'OK WHISPER nora');
  await expect(alice, () => !document.querySelector('#log .pending'), null, 'no message is pending');
  const said = await hear(alice, 'alice', 'is this on?');
  assert.equal(await said.count(), 1);
  assert.match(await said.locator('time').innerText(), /^\d\d:\d\d$/);
  const look = (entry) => entry.evaluate((shown) => {
    const [text, name] = ['.said', '.who'].map((part) => getComputedStyle(shown.querySelector(part)));
    return [text.color, text.fontStyle, text.fontSize, name.fontWeight, shown.querySelector('.who').getBoundingClientRect().right];
  });
  assert.deepEqual(await look(said), await look(await hear(alice, 'meanwhile')), 'it looks like another message');
  await hear(alice, 'alice', 'whispers to nora', 'psst');

  // A refused message is not shown as sent, and goes back into the box.
  await say(alice, 'one more');
  await hearPending(alice, 'one more');
  sockets.inject('ERR MSG not-stored the message was not delivered: the disk is full; try again later');
  await expectText(alice, '#not-sent', 'Not sent: The server could not store the message. Try again later.');
  assert.equal(await alice.inputValue('#text'), 'one more');
  await expect(alice, () => !document.querySelector('#log .pending'), null, 'no message is pending');
  assert.equal((await alice.getByText('one more').count()), 0);
  isHeld = false;

  const before = sockets.sent.length;
  const refuse = async (text, why) => {
    await alice.fill('#text', text);
    await alice.press('#text', 'Enter');
    await expectText(alice, '#not-sent', why);
    assert.equal(await alice.inputValue('#text'), text);
  };
  const shorten = 'Shorten it, or send it in parts.';
  await refuse('x'.repeat(4093), `Not sent: the message has 4,093 bytes; the limit is 4,092 bytes. ${shorten}`);
  await expectText(alice, '#length', '4,093 of 4,092 bytes');
  await refuse('ё'.repeat(2047), `Not sent: the message has 4,094 bytes; the limit is 4,092 bytes. ${shorten}`);
  await refuse(`short\n${'x'.repeat(4093)}`, `Not sent: line 2 has 4,093 bytes; the limit is 4,092 bytes. ${shorten}`);
  await refuse(`/w nora ${'x'.repeat(4084)}`, `Not sent: the message has 4,084 bytes; the limit is 4,083 bytes. ${shorten}`);
  await alice.getByRole('button', { name: 'nora' }).click();
  await refuse('x'.repeat(4084), `Not sent: the message has 4,084 bytes; the limit is 4,083 bytes. ${shorten}`);
  assert.equal(sockets.sent.length, before, 'nothing was sent');
  await alice.fill('#text', 'x'.repeat(4083));
  await alice.press('#text', 'Enter');
  await nora.hear('JOIN alice', 'OK MSG 1', `WHISPER alice ${'x'.repeat(4083)}`);
  await say(alice, 'y'.repeat(4092));
  await nora.hear(`MSG alice ${'y'.repeat(4092)}`);
});
