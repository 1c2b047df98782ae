// Takes the screenshots for the documents: rooms in light mode, in dark mode, on a phone without and with the drawer, and with the canvas.
// `scripts/screenshots` runs this.

import { fileURLToPath } from 'node:url';
import { expect, expectHere, expectRooms, expectText, hear, join, nc, openRoom, play, say, serve } from './stage.mjs';

const DIRECTORY = fileURLToPath(new URL('screenshots/', import.meta.url));

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0'] });
  const ci = nc(server, 'ci');
  await ci.hear(/^HELLO/, 'OK NICK ci', 'COORDINATOR ci');
  ci.say('JOIN #builds,#design,#kitchen', '#builds TOPIC main: https://ci.example.org/main', '#design TOPIC the new layout');
  ci.say('#builds MSG build 40 is red: https://ci.example.org/build/40');
  ci.say('#builds MSG build 41 is green: https://ci.example.org/build/41', '#design MSG build 41 has the new layout');

  const small = { viewport: { width: 1120, height: 640 } };
  const alice = await join(server, 'alice', small);
  const bob = await join(server, 'bob', { ...small, colorScheme: 'dark' });
  const zoe = await join(server, 'zoë', { viewport: { width: 390, height: 640 } });
  await expectHere(alice, 'ci*', 'alice', 'bob', 'zoë');
  for (const page of [alice, bob, zoe]) {
    await say(page, '/join #builds,#kitchen,#design');
    await expectText(page, '#room-name', '#design');
  }
  await expectHere(alice, 'ci*', 'alice', 'bob', 'zoë');
  const lines = [
    [zoe, 'good morning 🙂'],
    [alice, 'morning! bob, did you see that 41 is green?'],
    [bob, 'I did.'],
    [bob, 'Shall we draw the new layout, alice?'],
    [alice, 'yes, open the canvas'],
  ];
  for (const [page, text] of lines) {
    await say(page, text);
    await hear(alice, text);
  }
  await bob.getByRole('button', { name: 'alice', exact: true }).click();
  await say(bob, 'there is cake in the kitchen 🎉');
  await hear(alice, 'there is cake');
  await hear(bob, 'there is cake');
  await hear(zoe, 'yes, open the canvas');
  ci.say('MSG good morning', '#kitchen MSG alice, bob and zoë: the coffee is ready', '#builds MSG build 42 is red', '#builds MSG build 43 is green');
  const rooms = ['#builds 2', '#design*', '#kitchen @1', '#lobby 1'];
  for (const page of [alice, bob]) await expectRooms(page, ...rooms);

  const take = async (page, name) => {
    await page.mouse.move(0, 0);
    await page.evaluate(() => document.activeElement.blur());
    await page.screenshot({ path: `${DIRECTORY}${name}.png`, animations: 'disabled' });
  };
  await take(alice, 'light');
  await take(bob, 'dark');
  await take(zoe, 'narrow');
  await zoe.click('#show-rooms');
  await expectRooms(zoe, ...rooms);
  await take(zoe, 'drawer');
  await openRoom(alice, '#builds');
  await openRoom(alice, '#design');

  await alice.setViewportSize({ width: 1280, height: 640 });
  await alice.click('#show-canvas');
  await bob.click('#show-canvas');
  await draw(bob, 'blue', 'thin', box(1000, 1000, 9000, 8500), box(1000, 1000, 9000, 2300), box(7000, 2300, 9000, 8500));
  await draw(alice, 'orange', 'medium', wave(1600, 6200, 4000), wave(1600, 6200, 5200), wave(1600, 4800, 6400));
  await draw(bob, 'green', 'thick', [[7600, 3300], [7900, 3600], [8500, 2900]]);
  await expect(alice, () => {
    const [red, green] = document.getElementById('canvas').getContext('2d').getImageData(948, 432, 1, 1).data;
    return red < 60 && green > 100;
  }, null, 'the last stroke is painted');
  await take(alice, 'canvas');
});

/** Draws lines through points of the canvas, with pointer events. */
async function draw(page, colour, width, ...lines) {
  await page.getByRole('radio', { name: colour }).check();
  await page.getByRole('radio', { name: width }).check();
  const paper = await page.locator('#canvas').boundingBox();
  const move = ([x, y]) => page.mouse.move(paper.x + (x / 9999) * paper.width, paper.y + (y / 9999) * paper.height, { steps: 4 });
  for (const points of lines) {
    await move(points[0]);
    await page.mouse.down();
    for (const point of points) await move(point);
    await page.mouse.up();
  }
}

function box(left, top, right, bottom) {
  return [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]];
}

function wave(from, to, height) {
  const count = 24;
  return Array.from({ length: count + 1 }, (_, step) => [
    from + ((to - from) * step) / count, height + 250 * Math.sin(step / 1.5),
  ]);
}
