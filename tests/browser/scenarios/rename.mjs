// While the user changes the name, the room stays usable beside the popover. A reconnect keeps the popover, the typed text and the
// focus.

import assert from 'node:assert/strict';
import { expect, expectText, forgiveLostConnections, hear, join, nc, play, serve, takeName, wire } from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0', '--resume-timeout', '1'] });
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const line = await wire(server.web);
  const alice = await join(line, 'alice');
  await nora.hear('JOIN alice');
  const focused = () => alice.evaluate(() => document.activeElement.id);
  const again = (count) => expect(alice, (count) => {
    const notes = [...document.querySelectorAll('#log .note')];
    return notes.filter(({ textContent }) => textContent === 'Connected again.').length === count;
  }, count, `connected again ${count} times`);
  const reconnect = async (count) => {
    line.cut();
    await expect(alice, () => !document.getElementById('retry').hidden, null, 'it is tried again');
    line.mend();
    await again(count);
  };

  // The log can be scrolled and read beside the popover. Escape or a press elsewhere closes it.
  await alice.click('#rename');
  assert.equal(await focused(), 'name');
  assert.equal(await alice.locator('#name-dialog').evaluate((dialog) => dialog.matches(':modal')), false);
  nora.say('MSG are you still here?');
  await hear(alice, 'are you still here?');
  const box = await alice.locator('#log').boundingBox();
  await alice.mouse.click(box.x + 20, box.y + box.height - 20);
  assert.equal(await alice.locator('#name-dialog').isVisible(), false);

  await alice.click('#rename');
  await alice.fill('#name', 'half typ');
  await reconnect(1);
  assert.equal(await alice.inputValue('#name'), 'half typ');
  assert.equal(await focused(), 'name');
  await takeName(alice, 'nora');
  await expectText(alice, '#name-error', '“nora” is taken. Choose another name.');
  await alice.keyboard.press('Escape');
  assert.equal(await alice.locator('#name-dialog').isVisible(), false);

  for (const id of ['log', 'text', 'people-title']) {
    await alice.focus(`#${id}`);
    await reconnect((await alice.locator('#log .note', { hasText: 'Connected again.' }).count()) + 1);
    assert.equal(await focused(), id, `the focus stays on ${id}`);
  }

  // If the name is lost meanwhile, the page asks for a name to join with, in a modal dialog.
  await alice.click('#rename');
  line.cut();
  await nora.hear(/^OK MSG/, 'LEAVE alice lost');
  const other = nc(server, 'alice');
  await other.hear(/^HELLO/, 'OK NICK alice');
  line.mend();
  await expectText(alice, '#name-reason', 'The connection was lost, and your name is no longer available.');
  assert.equal(await alice.locator('#name-dialog').evaluate((dialog) => dialog.matches(':modal')), true);
  await alice.keyboard.press('Escape');
  await takeName(alice, 'al');
  await expectText(alice, '#me', 'al');
  forgiveLostConnections();
});
