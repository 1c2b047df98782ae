// Each room keeps its draft with the recipients, its scroll position, its members and its canvas.

import assert from 'node:assert/strict';
import { expect, expectHere, expectRooms, expectText, hear, join, nc, openRoom, play, say, serve, takeName } from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0'] });
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const bob = nc(server, 'bob');
  await bob.hear(/^HELLO/, 'OK NICK bob');
  nora.say('JOIN #ops', ...Array.from({ length: 300 }, (_, number) => `#ops MSG line ${number}`));
  const alice = await join(server, 'alice');
  await say(alice, '/join #ops');
  await hear(alice, 'line 299');
  await expectHere(alice, 'nora*', 'alice');
  nora.say(...Array.from({ length: 300 }, (_, number) => `#ops MSG more ${number}`));
  await hear(alice, 'more 299');
  await hear(alice, 'more 140');

  const topOf = () => alice.evaluate(() => {
    const log = document.getElementById('log');
    const { top } = log.getBoundingClientRect();
    const first = [...log.children].find((each) => each.getBoundingClientRect().bottom > top + 1);
    return [first.querySelector('.said')?.textContent, Math.round(first.getBoundingClientRect().top - top)];
  });
  const frames = () => alice.evaluate(async () => {
    for (let count = 0; count < 20; count += 1) await new Promise(requestAnimationFrame);
  });
  const isAtEnd = () => expect(alice, () => {
    const { scrollHeight, clientHeight, scrollTop } = document.getElementById('log');
    return scrollHeight - clientHeight - scrollTop < 2;
  }, null, 'the end is shown');

  // The scroll position stays while other messages arrive.
  await alice.evaluate(() => {
    const entry = [...document.querySelectorAll('#log > *')].find((each) => each.querySelector('.said')?.textContent === 'more 150');
    const log = document.getElementById('log');
    log.scrollTop += entry.getBoundingClientRect().top - log.getBoundingClientRect().top + 3;
  });
  await frames();
  const before = await topOf();
  assert.equal(before[0], 'more 150');
  await openRoom(alice, '#lobby');
  await expectHere(alice, 'nora*', 'bob', 'alice');
  await isAtEnd();
  nora.say('#ops MSG and one more', 'MSG for the lobby');
  await hear(alice, 'for the lobby');
  await expectRooms(alice, '#lobby*', '#ops 1');
  await openRoom(alice, '#ops');
  await frames();
  assert.deepEqual(await topOf(), before);
  await expectText(alice, '#new-messages', '1 new message ↓');
  await alice.click('#new-messages');
  await hear(alice, 'and one more');
  await isAtEnd();
  assert.ok((await alice.locator('#log .mark + *').innerText()).includes('and one more'));
  await openRoom(alice, '#lobby');
  nora.say('#ops MSG the last one');
  await expectRooms(alice, '#lobby*', '#ops 1');
  await openRoom(alice, '#ops');
  await hear(alice, 'the last one');
  await isAtEnd();

  // Drafts, with their recipients.
  await alice.fill('#text', 'half a sentence');
  await openRoom(alice, '#lobby');
  assert.equal(await alice.inputValue('#text'), '');
  await alice.fill('#text', 'a secret');
  await alice.getByRole('button', { name: 'bob' }).click();
  await expectText(alice, '#whispered-to', 'bob');
  await openRoom(alice, '#ops');
  assert.equal(await alice.inputValue('#text'), 'half a sentence');
  assert.equal(await alice.locator('#whispering').isVisible(), false);
  await alice.press('#text', 'Enter');
  await hear(alice, 'half a sentence');
  await openRoom(alice, '#lobby');
  await expectText(alice, '#whispered-to', 'bob');
  await alice.reload();
  assert.equal(await alice.inputValue('#text'), 'a secret', 'drafts survive a reload');
  await takeName(alice, 'alice');
  await expectHere(alice, 'nora*', 'bob', 'alice');
  await alice.press('#text', 'Enter');
  await bob.hear('JOIN alice', 'MSG nora for the lobby', 'LEAVE alice quit', 'JOIN alice', 'WHISPER alice a secret');

  // A refused line goes back to the draft of its room, also if the user has opened another one.
  await openRoom(alice, '#ops');
  await alice.evaluate(() => {
    const { value } = Object.assign(document.getElementById('text'), { value: '/w zed psst' });
    void value;
    document.getElementById('composer').requestSubmit();
    document.querySelector('.room[data-name="#lobby"]').click();
  });
  await expectText(alice, '#room-name', '#lobby');
  await openRoom(alice, '#ops');
  await expectText(alice, '#not-sent', 'Not sent: zed is not here.');
  assert.equal(await alice.inputValue('#text'), '/w zed psst');
  await alice.fill('#text', '');

  // Text that is typed while /join waits for its reply moves into the room. A whisper, and text of a room that was opened by a click, stay.
  const typeAfterJoin = (room, text, click = '') => alice.evaluate(([room, text, click]) => {
    const box = document.getElementById('text');
    box.value = `/join ${room}`;
    document.getElementById('composer').requestSubmit();
    if (click) document.querySelector(click).click();
    box.value = text;
    box.dispatchEvent(new Event('input'));
  }, [room, text, click]);
  await typeAfterJoin('#one', 'for room one');
  await expectText(alice, '#room-name', '#one');
  assert.equal(await alice.inputValue('#text'), 'for room one');
  await openRoom(alice, '#ops');
  assert.equal(await alice.inputValue('#text'), '');
  await openRoom(alice, '#lobby');
  await typeAfterJoin('#two', 'for bob', '#names li:nth-child(2) button');
  await expectText(alice, '#room-name', '#two');
  assert.equal(await alice.inputValue('#text'), '');
  await openRoom(alice, '#lobby');
  await expectText(alice, '#whispered-to', 'bob');
  assert.equal(await alice.inputValue('#text'), 'for bob');
  await alice.fill('#text', '');
  await alice.click('#to-all');
  await typeAfterJoin('#three', 'for ops', '.room[data-name="#ops"]');
  await expectText(alice, '#room-name', '#three');
  assert.equal(await alice.inputValue('#text'), '');
  await openRoom(alice, '#ops');
  assert.equal(await alice.inputValue('#text'), 'for ops');
  await alice.fill('#text', '');
  // Another room was opened meanwhile, and text was sent there.
  await alice.evaluate(() => {
    const box = document.getElementById('text');
    const submit = (text) => {
      box.value = text;
      document.getElementById('composer').requestSubmit();
    };
    submit('/join #four');
    document.querySelector('.room[data-name="#lobby"]').click();
    submit('sent to the lobby');
    box.value = 'for the lobby';
    box.dispatchEvent(new Event('input'));
  });
  await expectText(alice, '#room-name', '#four');
  assert.equal(await alice.inputValue('#text'), '');
  await openRoom(alice, '#lobby');
  assert.equal(await alice.inputValue('#text'), 'for the lobby');
  // Several commands, before the reply to the first one; a draft of the room stays.
  await alice.evaluate(() => {
    const box = document.getElementById('text');
    for (const text of ['/join #five', '/join #six', 'moved']) {
      box.value = text;
      if (text.startsWith('/')) document.getElementById('composer').requestSubmit();
      else box.dispatchEvent(new Event('input'));
    }
  });
  await expectText(alice, '#room-name', '#six');
  assert.equal(await alice.inputValue('#text'), 'moved');
  await typeAfterJoin('#three', 'more');
  await expectText(alice, '#room-name', '#three');
  await alice.fill('#text', 'old text');
  await openRoom(alice, '#six');
  await alice.fill('#text', '');
  await alice.evaluate(() => {
    const box = document.getElementById('text');
    for (const text of ['/join #three', '/join #four']) {
      box.value = text;
      document.getElementById('composer').requestSubmit();
    }
  });
  await expectText(alice, '#room-name', '#four');
  assert.equal(await alice.inputValue('#text'), '');
  await openRoom(alice, '#three');
  assert.equal(await alice.inputValue('#text'), 'old text');
  await alice.fill('#text', '');
  await openRoom(alice, '#ops');
  for (const room of ['#one', '#two', '#three', '#four', '#five', '#six']) await say(alice, `/part ${room}`);
  await expectRooms(alice, '#lobby', '#ops*');

  // The canvas.
  const colourAt = (x, y) => alice.locator('#canvas').evaluate((canvas, [x, y]) => {
    return [...canvas.getContext('2d').getImageData(x, y, 1, 1).data].slice(0, 3).join();
  }, [x, y]);
  const expectColour = (x, y, colour) => expect(alice, ([x, y, colour]) => {
    const { data } = document.getElementById('canvas').getContext('2d').getImageData(x, y, 1, 1);
    return [...data].slice(0, 3).join() === colour;
  }, [x, y, colour], `the canvas at ${x},${y} should be ${colour}`);
  nora.say('#ops DRAW #0000ff 999 4000,5000 6000,5000');
  await alice.click('#show-canvas');
  await expectColour(600, 600, '0,0,255');
  await openRoom(alice, '#lobby');
  await expectColour(600, 600, '255,255,255');
  nora.say('#ops DRAW #ff0000 999 4000,5000 6000,5000', 'DRAW #00ff00 999 1000,1000 1100,1000');
  await expectColour(120, 120, '0,255,0');
  assert.equal(await colourAt(600, 600), '255,255,255');
  await openRoom(alice, '#ops');
  await expectColour(600, 600, '255,0,0');
  assert.equal(await colourAt(120, 120), '255,255,255');
});
