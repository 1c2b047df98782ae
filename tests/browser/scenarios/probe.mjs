// A page that becomes visible again checks its connection: slow replies count as a sign of life, silence does not.

import assert from 'node:assert/strict';
import { expectText, forgiveLostConnections, hear, join, play, say, serve, wire } from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '2', '--line-burst', '30'] });
  const line = await wire(server.web);
  const alice = await join(line, 'alice');
  const lines = Array.from({ length: 36 }, (_, number) => `line ${number}`);
  await say(alice, lines.join('\n'));
  await alice.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await hear(alice, 'line 35');
  await expectText(alice, '#connection', 'Connected');
  assert.equal(await alice.getByText('The connection was lost.').count(), 0);

  line.hold();
  await alice.evaluate(() => dispatchEvent(new Event('online')));
  await hear(alice, 'The connection was lost.');
  forgiveLostConnections();
});
