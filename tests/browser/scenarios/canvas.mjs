// A stroke appears on another page while it is drawn, and on a page that joins later. nc, without SET draw on, gets none.

import { expect, hear, join, nc, play, serve } from '../stage.mjs';

/** Waits until a point of the canvas, in canvas units, has this colour. */
const colourAt = (page, x, y, colour) =>
  expect(page, ([x, y, colour]) => {
    const canvas = document.getElementById('canvas');
    const scale = canvas.width / 9999;
    const [red, green, blue] = canvas.getContext('2d').getImageData(x * scale, y * scale, 1, 1).data;
    return `#${[red, green, blue].map((part) => part.toString(16).padStart(2, '0')).join('')}` === colour;
  }, [x, y, colour], `${x},${y} should be ${colour}`);

await play(async () => {
  const server = await serve();
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const [alice, bob] = [await join(server, 'alice'), await join(server, 'bob')];
  await nora.hear('JOIN alice', 'JOIN bob');

  // The canvas is closed at first.
  for (const page of [alice, bob]) await page.click('#show-canvas');
  const { x, y, width, height } = await alice.locator('#canvas').boundingBox();
  const move = (across, down) => alice.mouse.move(x + width * across, y + height * down, { steps: 10 });
  await alice.getByRole('radio', { name: 'red' }).check();
  await alice.getByRole('radio', { name: 'thick' }).check();
  await move(0.2, 0.2);
  await alice.mouse.down();
  await move(0.5, 0.2);
  // The mouse button is still down.
  await colourAt(bob, 3500, 2000, '#dc2626');
  await move(0.5, 0.6);
  await alice.mouse.up();
  await colourAt(bob, 5000, 4000, '#dc2626');

  await bob.focus('#canvas');
  await bob.keyboard.press('Space');
  for (let step = 0; step < 8; step += 1) await bob.keyboard.press('ArrowRight');
  await bob.keyboard.press('Space');
  await colourAt(alice, 6500, 5000, '#1c1917');

  // A single point is a dot.
  await move(0.8, 0.8);
  await alice.mouse.down();
  await alice.mouse.up();
  await colourAt(bob, 8000, 8000, '#dc2626');

  const carol = await join(server, 'carol');
  await nora.hear('JOIN carol');
  await carol.click('#show-canvas');
  await colourAt(carol, 3500, 2000, '#dc2626');
  await colourAt(carol, 6500, 5000, '#1c1917');
  await colourAt(carol, 9000, 9000, '#ffffff');

  await bob.click('#clear');
  for (const page of [alice, carol]) {
    await hear(page, 'bob cleared the canvas');
    await colourAt(page, 3500, 2000, '#ffffff');
  }
  await hear(bob, 'You cleared the canvas');
  nora.say('PING sync');
  await nora.hear('OK PING sync');
});
