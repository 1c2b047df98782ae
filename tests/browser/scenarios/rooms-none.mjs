// With a server of one room, the page has no rooms: it sends the same lines as before, and shows no column.

import assert from 'node:assert/strict';
import { expectHere, expectText, hear, nc, open, play, say, serve, takeName } from '../stage.mjs';

await play(async () => {
  const server = await serve();
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const alice = await open({ ...server, path: '/#ops' });
  const sent = [];
  await alice.routeWebSocket(/ws$/, (near) => {
    const far = near.connectToServer();
    near.onMessage((line) => {
      sent.push(line);
      far.send(line);
    });
    far.onMessage((lines) => near.send(lines.replace(/^(HELLO \S+ \S+) features=\S+/m, '$1')));
  });
  await alice.reload();
  await takeName(alice, 'alice');
  await nora.hear('JOIN alice');
  await expectHere(alice, 'nora*', 'alice');
  await say(alice, 'hello');
  await nora.hear('MSG alice hello');
  assert.deepEqual(sent, [
    'SET tags on', 'SET echo on', 'SET draw on', 'SET resume on', 'NICK alice', 'WHO', 'HISTORY 20', 'MSG hello',
  ]);
  for (const part of ['#rooms', '#show-rooms', '#room-head']) assert.equal(await alice.locator(part).isVisible(), false, part);
  for (const command of ['/join #ops', '/part', '/rooms', '/home', '/topic tea']) {
    await say(alice, command);
    await expectText(alice, '#not-sent', 'This server has only one room.');
  }
  await say(alice, '/help');
  const help = await (await hear(alice, '/w name text')).innerText();
  assert.doesNotMatch(help, /\/join/);
  await alice.evaluate(() => (location.hash = '#dev'));
  await alice.fill('#text', '');
  await say(alice, 'still here');
  await nora.hear('MSG alice still here');
});
