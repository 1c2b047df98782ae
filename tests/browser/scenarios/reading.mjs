// While the user reads further up, the view stays in place: when messages arrive, missed ones are inserted, old ones are dropped, or the
// width changes. A mark shows where the user stopped reading.

import assert from 'node:assert/strict';
import {
  expect, expectHere, expectText, forgiveLostConnections, hear, intercept, join, nc, open, play, say, serve, takeName, wire,
} from '../stage.mjs';

/** Scrolls so that the message with this text is at the top, and waits until the page knows. */
const readAt = async (page, text) => {
  const isThere = (text) => [...document.querySelectorAll('#log .said')].some((each) => each.textContent === text);
  await expect(page, isThere, text, `${text} is in the log`);
  await page.evaluate((text) => {
    const entry = [...document.querySelectorAll('#log > *')].find((each) => each.querySelector('.said')?.textContent === text);
    const log = document.getElementById('log');
    log.scrollTop += entry.getBoundingClientRect().top - log.getBoundingClientRect().top;
  }, text);
  await frames(page);
};
const frames = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
/** How far below the top of the panel the message with this text begins, in CSS pixels. */
const offset = (page, text) => page.evaluate((text) => {
  const entry = [...document.querySelectorAll('#log > *')].find((each) => each.querySelector('.said')?.textContent === text);
  return entry.getBoundingClientRect().top - document.getElementById('log').getBoundingClientRect().top;
}, text);
/** The message after the mark. */
const afterMark = (page) => page.evaluate(() => {
  const { nextElementSibling } = document.querySelector('#log .mark');
  return nextElementSibling.querySelector('.said').textContent;
});
const expectStays = async (page, text, why) => {
  await frames(page);
  const at = await offset(page, text);
  assert.ok(Math.abs(at) <= 1, `${text} is ${at} px from the top after ${why}`);
};

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0'] });
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const line = await wire(server.web);
  const alice = await join(line, 'alice');
  await expectHere(alice, 'nora*', 'alice');
  const words = 'with some words that take more than one line where the window is narrow, and only one where it is wide enough';
  nora.say(...Array.from({ length: 120 }, (_, number) => `MSG line ${number} ${words}`));
  await hear(alice, 'line 119');

  const read = `line 60 ${words}`;
  await readAt(alice, read);
  nora.say('MSG one more', 'MSG and another');
  await expectText(alice, '#new-messages', '2 new messages ↓');
  await expectStays(alice, read, 'new messages');
  for (const width of [700, 1500, 420, 1280]) {
    await alice.setViewportSize({ width, height: 760 });
    await expectStays(alice, read, `a width of ${width}`);
  }
  await alice.click('#show-canvas');
  await expectStays(alice, read, 'the canvas is opened');
  await alice.click('#show-canvas');

  // More messages arrive than the page keeps: the messages being read stay.
  nora.say(...Array.from({ length: 2500 }, (_, number) => `MSG flood ${number}`));
  await expectText(alice, '#new-messages', '2502 new messages ↓');
  await expectStays(alice, read, 'a flood');

  // The mark is before the first unseen message.
  assert.equal(await afterMark(alice), 'one more');
  await alice.click('#new-messages');
  await hear(alice, 'flood 2499');
  assert.equal(await alice.title(), 'chinwag');
  await expect(alice, () => document.querySelectorAll('#log > *').length < 300, null, 'the oldest are no longer shown');

  // Scrolling up from the end adds older messages, and the view stays.
  await alice.locator('#log').evaluate((log) => (log.scrollTop = 0));
  await expect(alice, () => document.querySelectorAll('#log > *').length > 300, null, 'older ones are shown');
  assert.ok(await alice.locator('#log').evaluate((log) => log.scrollTop) > 0);
  await readAt(alice, 'flood 2300');

  // Missed messages are inserted before later ones.
  line.cut();
  await hear(alice, 'The connection was lost.');
  await expectStays(alice, 'flood 2300', 'the connection was lost');
  nora.say('MSG missed one', 'MSG missed two');
  await nora.hear('JOIN alice', ...Array.from({ length: 2624 }, () => /^OK MSG/));
  line.mend();
  await expectText(alice, '#connection', 'Connected');
  await hear(alice, 'missed two');
  await expectStays(alice, 'flood 2300', 'missed messages came');
  assert.equal(await afterMark(alice), 'missed one');
  // A message of the user scrolls to the end and removes the mark.
  await say(alice, 'back again');
  await hear(alice, 'back again');
  assert.equal(await alice.locator('#log .mark').count(), 0);
  await expect(alice, () => {
    const { scrollHeight, clientHeight, scrollTop } = document.getElementById('log');
    return scrollHeight - clientHeight - scrollTop < 2;
  }, null, 'the end is shown');
  forgiveLostConnections();

  // History is inserted above the messages being read.
  const bob = await open(server);
  const sockets = await intercept(bob, (sent) => /^HISTORY/.test(sent));
  await takeName(bob, 'bob');
  await hear(bob, 'You joined');
  const time = new Date().toISOString();
  sockets.inject(...Array.from({ length: 90 }, (_, number) => `@${9000 + number} ${time} MSG nora live ${number}`));
  await hear(bob, 'live 89');
  await readAt(bob, 'live 40');
  sockets.inject(...Array.from({ length: 50 }, (_, number) => `PAST ${10 + number} ${time} nora past ${number}`), 'OK HISTORY 50 last=59');
  await hear(bob, 'past 49');
  await expectStays(bob, 'live 40', 'history was inserted');
  const texts = await bob.locator('#log .said').allInnerTexts();
  assert.deepEqual(texts.slice(0, 3), ['past 0', 'past 1', 'past 2']);

  // After a reload, the mark shows where the user stopped reading.
  const carol = await join(server, 'carol');
  await hear(carol, 'back again');
  await carol.reload();
  nora.say('MSG while carol was away');
  await hear(alice, 'while carol was away');
  await takeName(carol, 'carol');
  await hear(carol, 'while carol was away');
  assert.equal(await afterMark(carol), 'while carol was away');
});
