// If a server accepts a connection and sends nothing, the page closes it after ten seconds and tries again.

import { expectText, forgiveLostConnections, hear, join, play, serve, wire } from '../stage.mjs';

await play(async () => {
  const server = await serve();
  const line = await wire(server.web);
  const alice = await join(line, 'alice');
  await alice.clock.install();
  line.cut();
  await hear(alice, 'The connection was lost.');
  line.mend();
  line.swallow();
  await expectText(alice, '#connection', 'Not connected. Retrying…');
  const asked = alice.waitForEvent('websocket');
  await alice.clock.runFor(1000);
  await asked;
  line.mend();
  const again = alice.waitForEvent('websocket');
  await alice.clock.runFor(15_000);
  await again;
  await expectText(alice, '#connection', 'Connected');
  forgiveLostConnections();
});
