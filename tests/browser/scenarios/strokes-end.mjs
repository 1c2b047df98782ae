// A stroke ends when the canvas is closed, the pointer is lost, the window loses the focus or the connection breaks. Later
// movements and keys draw nothing.

import assert from 'node:assert/strict';
import { expect, expectText, forgiveLostConnections, hear, join, nc, play, serve, wire } from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0'] });
  const line = await wire(server.web);
  const nora = nc(server);
  nora.say('SET draw on', 'NICK nora');
  await nora.hear(/^HELLO/, 'OK SET draw on', 'OK NICK nora', 'COORDINATOR nora');
  const alice = await join(line, 'alice');
  await nora.hear('JOIN alice');
  await alice.click('#show-canvas');
  const { x, y, width, height } = await alice.locator('#canvas').boundingBox();
  const move = (across, down) => alice.mouse.move(x + width * across, y + height * down, { steps: 4 });
  /** Begins a stroke, and waits until others see it. */
  const begin = async (across, down) => {
    await move(across, down);
    await alice.mouse.down();
    await nora.hear(/^DRAW alice #1c1917 40 /);
  };
  /** Checks that nothing more is drawn: the next line that others get is this message. */
  const expectNothing = async (name) => {
    await move(0.9, 0.9);
    await alice.mouse.up();
    await move(0.1, 0.1);
    await alice.fill('#text', name);
    await alice.press('#text', 'Enter');
    await nora.hear(`MSG alice ${name}`);
  };

  await begin(0.2, 0.2);
  await alice.evaluate(() => document.getElementById('show-canvas').click());
  await expectNothing('closed');
  await alice.click('#show-canvas');

  await begin(0.3, 0.3);
  // In one step: with several, the page may send a piece between them, and then the rest of the stroke.
  await alice.mouse.move(x + width * 0.31, y + height * 0.3);
  await nora.hear(/^DRAW alice #1c1917 40 3000,3000 /);
  await alice.evaluate(() => {
    const canvas = document.getElementById('canvas');
    for (let id = 0; id < 10; id += 1) if (canvas.hasPointerCapture(id)) canvas.releasePointerCapture(id);
  });
  await expectNothing('pointer lost');

  await begin(0.4, 0.4);
  await alice.evaluate(() => dispatchEvent(new Event('blur')));
  await expectNothing('window left');

  // By keys: Space puts the pen down; closing the canvas lifts it.
  await alice.focus('#canvas');
  await alice.keyboard.press('Space');
  await nora.hear(/^DRAW alice #1c1917 40 5000,5000/);
  await alice.evaluate(() => document.getElementById('show-canvas').click());
  await alice.evaluate(() => document.getElementById('show-canvas').click());
  await alice.focus('#canvas');
  await alice.keyboard.press('ArrowRight');
  await alice.keyboard.press('ArrowRight');
  await expectNothing('lifted');

  // The loss of the connection ends the stroke. While disconnected, the canvas cannot be drawn on.
  await begin(0.5, 0.5);
  line.cut();
  await hear(alice, 'The connection was lost.');
  await alice.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const before = await alice.locator('#canvas').evaluate((canvas) => canvas.toDataURL());
  await move(0.8, 0.5);
  await alice.mouse.up();
  await alice.mouse.down();
  await move(0.6, 0.8);
  await alice.mouse.up();
  assert.equal(await alice.locator('#canvas').evaluate((canvas) => canvas.toDataURL()), before);
  assert.equal(await alice.locator('#clear').isDisabled(), true);
  line.mend();
  await expectText(alice, '#connection', 'Connected');
  await expect(alice, () => !document.getElementById('clear').disabled, null, 'drawing is possible again');
  await expectNothing('back again');
  await begin(0.7, 0.2);
  await alice.mouse.up();
  forgiveLostConnections();
});
