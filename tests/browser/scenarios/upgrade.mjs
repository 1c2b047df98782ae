// A server with a store is stopped and started again, as for an upgrade: the page shows each message once, in order.

import assert from 'node:assert/strict';
import { expectText, forgiveLostConnections, hear, join, nc, play, say, serve, serveAccounts } from '../stage.mjs';

const MESSAGES = 40;

/** Says messages as fast as possible; returns their texts. */
async function talk(server, when) {
  const nora = nc(server, 'nora');
  const texts = Array.from({ length: MESSAGES }, (_, at) => `said ${at} ${when}`);
  nora.say(...texts.map((text) => `MSG ${text}`));
  for (let acknowledged = 0; acknowledged < MESSAGES; ) {
    if (/^OK MSG/.test(await nora.next())) acknowledged += 1;
  }
  return texts;
}

await play(async () => {
  const server = await serveAccounts();
  const alice = await join(server, 'alice');
  await say(alice, 'the first');
  const before = await talk(server, 'before');
  await server.stop();
  const next = { ...server, ...(await serve(server)) };
  // The page has not come back yet, or is reading what it missed.
  const after = await talk(next, 'after');
  await expectText(alice, '#connection', 'Connected');
  await say(alice, 'the last');
  await hear(alice, 'the last');
  const said = await alice.locator('#log .msg .said').allInnerTexts();
  assert.deepEqual(said, ['the first', ...before, ...after, 'the last']);
  forgiveLostConnections();
});
