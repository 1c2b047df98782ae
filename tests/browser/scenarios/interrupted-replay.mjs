// The connection is lost during a replay: the next replay shows all missed messages, each once.

import assert from 'node:assert/strict';
import { expectHere, expectText, forgiveLostConnections, hear, intercept, nc, open, play, serve, takeName } from '../stage.mjs';

await play(async () => {
  const server = await serve();
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const alice = await open(server);
  let isHeldBack = false;
  const sockets = await intercept(alice, (line) => isHeldBack && /^(SINCE|WHO|CANVAS)/.test(line));
  await takeName(alice, 'alice');
  await expectText(alice, '#connection', 'Connected');
  await nora.hear('JOIN alice');
  await alice.click('#show-canvas');
  nora.say('MSG before');
  await nora.hear(/^OK MSG/);
  await hear(alice, 'before');

  isHeldBack = true;
  await sockets.cut();
  await hear(alice, 'The connection was lost.');
  nora.say('MSG meanwhile');
  await nora.hear(/^OK MSG/);
  await expectText(alice, '#connection', 'Connected');
  nora.say('MSG live');
  await nora.hear(/^OK MSG/);
  await hear(alice, 'live');
  sockets.inject('STROKE nora #000000 999 5000,5000', 'USER ghost member', 'NOTICE half told');
  await hear(alice, 'half told');

  isHeldBack = false;
  await sockets.cut();
  await hear(alice, 'meanwhile');
  await expectHere(alice, 'nora*', 'alice');
  const said = await alice.locator('#log .msg .said').allInnerTexts();
  assert.deepEqual(said.sort(), ['before', 'live', 'meanwhile']);
  const middle = await alice.locator('#canvas').evaluate((canvas) => [...canvas.getContext('2d').getImageData(600, 600, 1, 1).data]);
  assert.deepEqual(middle, [255, 255, 255, 255]);
  forgiveLostConnections();
});
