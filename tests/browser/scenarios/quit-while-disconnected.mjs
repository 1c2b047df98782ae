// Quitting without a connection opens the join dialog, from which the user can join again.

import { expectText, forgiveLostConnections, hear, join, play, serve, takeName, wire } from '../stage.mjs';

await play(async () => {
  const line = await wire((await serve()).web);
  const alice = await join(line, 'alice');
  line.cut();
  await hear(alice, 'The connection was lost.');
  await alice.click('#quit');
  await expectText(alice, '#name-reason', 'You have left the room.');
  await expectText(alice, '#connection', 'Not connected');
  line.mend();
  await takeName(alice, 'al');
  await expectText(alice, '#connection', 'Connected');
  forgiveLostConnections();
});
