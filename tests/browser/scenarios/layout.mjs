// The layout: columns line up, messages have room, the canvas is dark in dark mode, and the join dialog explains the room.

import assert from 'node:assert/strict';
import { expect, expectHere, hear, join, nc, open, play, say, serve } from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0'] });
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');

  // The join dialog explains the chat room.
  const door = await open(server);
  assert.equal(await door.locator('#name-title').innerText(), `Join the chat at 127.0.0.1:${server.web}`);
  assert.match(await door.locator('#name-place').innerText(), /^This is a chat room\. Everybody in it can read your messages/);
  await door.close();

  const alice = await join(server, 'alice', { viewport: { width: 1440, height: 900 } });
  const longName = 'a-name-of-thirty-two-characters_';
  const long = nc(server, longName);
  await long.hear(/^HELLO/, `OK NICK ${longName}`);
  await expectHere(alice, 'nora*', 'alice', longName);
  nora.say('MSG one', 'MSG two', 'MSG three');
  await hear(alice, 'three');
  long.say('MSG four', 'WHISPER alice five');
  await hear(alice, 'five');
  await say(alice, 'six');
  await hear(alice, 'alice', 'six');

  // Texts begin in one column, and names end in one. A group shows its name once.
  const edges = await alice.locator('#log .msg, #log .whisper').evaluateAll((entries) => entries.map((entry) => {
    const [text, name] = ['.said', '.who'].map((part) => entry.querySelector(part).getBoundingClientRect());
    return [text.left, name.right, name.left >= 0];
  }));
  assert.equal(new Set(edges.map(([text]) => text)).size, 1, 'texts line up');
  const shown = edges.filter(([, , isShown]) => isShown);
  assert.equal(new Set(shown.map(([, name]) => name)).size, 1, 'names line up');
  assert.deepEqual(edges.map(([, , isShown]) => isShown), [true, false, false, true, true, true]);

  // A long name wraps beside the first message of a group, takes no space beside the next one, and never touches the time.
  const wide = 'W'.repeat(32);
  const william = nc(server, wide);
  await william.hear(/^HELLO/, `OK NICK ${wide}`);
  william.say('MSG seven', 'MSG eight');
  await hear(alice, 'eight');
  const heights = await alice.locator('#log .msg').evaluateAll((entries) => entries.slice(-2).map(({ offsetHeight }) => offsetHeight));
  assert.ok(heights[0] > 60 && heights[1] < 30, `the messages are ${heights} px high`);
  const [time] = await alice.locator('#log .continued time').evaluateAll((times) => times.map((each) => getComputedStyle(each).color));
  assert.equal(time, 'rgba(0, 0, 0, 0)', 'a group has one time');
  const gap = () => alice.locator('#log .msg', { hasText: 'seven' }).evaluate((entry) => {
    const range = document.createRange();
    range.selectNodeContents(entry.querySelector('.who .name'));
    const lines = [...range.getClientRects()].filter(({ top }) => top < entry.querySelector('time').getBoundingClientRect().bottom);
    return entry.querySelector('time').getBoundingClientRect().left - Math.max(...lines.map(({ right }) => right));
  });
  for (let width = 380; width < 396; width += 1) {
    await alice.setViewportSize({ width, height: 844 });
    const px = await gap();
    assert.ok(px >= 8, `${px} px between name and time at a width of ${width}`);
  }
  await alice.setViewportSize({ width: 1440, height: 900 });
  william.say('QUIT');
  await expectHere(alice, 'nora*', 'alice', longName);
  assert.equal(await alice.locator('#log .msg').first().evaluate((entry) => entry.querySelector('.who').textContent), 'nora');

  // The list lines up with its heading, and a wide window is used.
  const left = (selector) => alice.locator(selector).first().evaluate((element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    return range.getBoundingClientRect().left;
  });
  assert.ok(Math.abs(await left('#people-title') - await left('#names .name')) < 1, 'the list lines up with its heading');
  assert.ok((await alice.locator('#log').boundingBox()).width > 1440 * 0.8, 'a wide window is used');
  assert.equal(await alice.locator('#drawing').isVisible(), false, 'the canvas is closed');

  // With forced colours, states that usually differ only in colour can still be told apart, and so can the pens.
  await alice.emulateMedia({ forcedColors: 'active' });
  await alice.getByRole('button', { name: longName }).click();
  const colours = await alice.evaluate(() => {
    const of = (selector, property) => [...document.querySelectorAll(selector)].map((each) => getComputedStyle(each)[property]);
    const system = (colour) => {
      document.body.style.outlineColor = colour;
      return getComputedStyle(document.body).outlineColor;
    };
    return {
      chosen: of('#names .person[aria-pressed="true"]', 'backgroundColor').every((colour) => colour === system('Highlight')),
      whispers: of('#log > .whisper', 'borderLeftColor').every((colour) => colour === system('Highlight')),
      messages: of('#log > .msg', 'borderLeftColor').every((colour) => colour === system('Canvas')),
      pens: new Set(of('#colours input', 'background')).size,
    };
  });
  assert.deepEqual(colours, { chosen: true, whispers: true, messages: true, pens: 7 });
  await alice.getByRole('button', { name: longName }).click();
  await alice.emulateMedia({ forcedColors: 'none' });

  // Printing prints all displayed messages and nothing else.
  nora.say(...Array.from({ length: 100 }, (_, number) => `MSG print ${number}`));
  await hear(alice, 'print 99');
  await alice.emulateMedia({ media: 'print' });
  const printed = await alice.evaluate(() => ({
    isWhole: document.documentElement.scrollHeight > document.querySelector('#log').scrollHeight,
    isScrolling: document.querySelector('#log').scrollHeight > document.querySelector('#log').clientHeight + 1,
    others: ['#composer', '#people', '#controls'].filter((selector) => document.querySelector(selector).checkVisibility()),
  }));
  assert.deepEqual(printed, { isWhole: true, isScrolling: false, others: [] });
  await alice.emulateMedia({ media: 'screen' });

  // In dark mode the canvas is dark, and strokes of the first pen are visible. Brightness is measured in a screenshot.
  const bob = await join(server, 'bob', { colorScheme: 'dark' });
  await bob.click('#show-canvas');
  const paper = await bob.locator('#canvas').boundingBox();
  await bob.getByRole('radio', { name: 'thick' }).check();
  await bob.mouse.move(paper.x + paper.width / 4, paper.y + paper.height / 2);
  await bob.mouse.down();
  await bob.mouse.move(paper.x + (paper.width * 3) / 4, paper.y + paper.height / 2, { steps: 5 });
  await bob.mouse.up();
  await bob.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const picture = (await bob.screenshot()).toString('base64');
  const brightness = await bob.evaluate(async ([picture, points]) => {
    const image = new Image();
    image.src = `data:image/png;base64,${picture}`;
    await image.decode();
    const sheet = new OffscreenCanvas(image.width, image.height).getContext('2d');
    sheet.drawImage(image, 0, 0);
    return points.map(([x, y]) => Math.max(...sheet.getImageData(x, y, 1, 1).data.slice(0, 3)));
  }, [picture, [[paper.x + paper.width / 2, paper.y + paper.height / 4], [paper.x + paper.width / 2, paper.y + paper.height / 2]]]);
  assert.ok(brightness[0] < 64 && brightness[1] > 192, `paper and ink are as bright as ${brightness}`);

  // The status table has durations in words, and no ids.
  await bob.close({ runBeforeUnload: true });
  nora.say('QUIT');
  await expectHere(alice, 'alice*', longName);
  await alice.click('#check-status');
  await expect(alice, () => document.querySelectorAll('#status-rows tr').length === 2, null, 'two rows');
  const table = (await alice.locator('#status-dialog').innerText()).replace(/\s+/g, ' ');
  assert.match(table, /^Status Name Address Idle for Online for alice coordinator 127\.0\.0\.1:\d+ less than 1 min less than 1 min /);
  const durations = await alice.evaluate(async () => {
    const { duration } = await import('./dates.js');
    return [59, 60, 185, 3600, 3900, 86_399, 86_400, 180_000].map(duration);
  });
  assert.deepEqual(durations, ['less than 1 min', '1 min', '3 min', '1 h', '1 h 5 min', '23 h 59 min', '1 day', '2 days 2 h']);
});
