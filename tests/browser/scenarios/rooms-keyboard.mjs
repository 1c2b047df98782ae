// Rooms by keyboard and screen reader: roles, names, the order of the focus, and announcements. axe-core finds nothing serious.

import assert from 'node:assert/strict';
import { expect, expectRooms, expectText, hear, join, nc, play, say, seriousFlaws, serve } from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0'] });
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  nora.say('JOIN #ops,#dev', '#ops TOPIC on call: nora');
  for (const colorScheme of ['light', 'dark']) {
    const page = await join(server, `alice-${colorScheme}`, { colorScheme, reducedMotion: 'reduce' });
    const { keyboard } = page;
    const focused = () => page.evaluate(() => {
      const { ariaLabel, innerText, id } = document.activeElement;
      return ariaLabel || innerText || id;
    });
    const goTo = async (name, key = 'Tab') => {
      for (let steps = 0; steps < 60; steps += 1) {
        if (await focused() === name) return;
        await keyboard.press(key);
      }
      assert.fail(`no way to ${name}`);
    };
    const check = async (where) => assert.deepEqual(await seriousFlaws(page), [], `${where}, ${colorScheme}`);

    // The button opens the column, and the column leads to the dialog.
    await goTo('Rooms', 'Shift+Tab');
    await keyboard.press('Enter');
    await goTo('Find or make a room');
    await keyboard.press('Enter');
    await expectText(page, '#finder-status', '3 rooms');
    assert.equal(await focused(), 'room-wanted');
    await check('in the dialog');
    await keyboard.type('op');
    await expectText(page, '#finder-status', '1 room');
    await goTo('#ops\n1 member\non call: nora');
    await keyboard.press('Enter');
    await expectText(page, '#room-name', '#ops');
    const announced = () => page.locator('#announcement').textContent();
    assert.equal(await announced(), '#ops is open.');

    // In the composer: /join, with rooms completed by Tab.
    await goTo('Message');
    await keyboard.type('/join #de');
    await keyboard.press('Tab');
    assert.equal(await page.inputValue('#text'), '/join #de', 'Tab completes the rooms of the user only');
    await page.focus('#text');
    await keyboard.press('End');
    await keyboard.type('v');
    await keyboard.press('Enter');
    await expectRooms(page, '#dev*', '#lobby', '#ops');
    await keyboard.type('/#lo');
    await keyboard.press('Tab');
    assert.equal(await page.inputValue('#text'), '/#lobby ');
    await page.fill('#text', '');
    await keyboard.type('/j');
    await keyboard.press('Tab');
    assert.equal(await page.inputValue('#text'), '/join ');
    await page.fill('#text', '');

    // Arrow keys move in the column. The focus stays there when a room is opened.
    await goTo('#dev', 'Shift+Tab');
    await keyboard.press('ArrowDown');
    assert.equal(await focused(), '#lobby');
    await keyboard.press('End');
    assert.equal(await focused(), '#ops');
    await keyboard.press('Enter');
    await expectText(page, '#room-name', '#ops');
    assert.equal(await focused(), '#ops');
    await expectRooms(page, '#dev', '#lobby', '#ops*');
    nora.say(`MSG alice-${colorScheme}: tea`);
    await expectRooms(page, '#dev', '#lobby @1', '#ops*');
    assert.equal(await announced(), 'nora mentions you in #lobby.');
    await check('in a room');

    // Screen readers do not read the messages of a room one by one when it is opened, but read those that come.
    await keyboard.press('Home');
    await keyboard.press('ArrowDown');
    await keyboard.press('Enter');
    await hear(page, `alice-${colorScheme}: tea`);
    await expect(page, () => document.getElementById('log').ariaBusy === 'false', null, 'the log is not busy any more');

    // The head: the topic, and leaving.
    await keyboard.press('End');
    await keyboard.press('Enter');
    await goTo('Topic');
    await keyboard.press('Enter');
    assert.equal(await focused(), 'topic-text');
    await check('in the dialog for the topic');
    await keyboard.press('Escape');
    assert.equal(await focused(), 'Topic');
    await goTo('Leave');
    await keyboard.press('Enter');
    await expectRooms(page, '#dev', '#lobby*');
    await say(page, '/part #dev');
    await expectRooms(page, '#lobby*');
    await page.close({ runBeforeUnload: true });
  }
});
