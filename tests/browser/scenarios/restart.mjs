// A new server replaces the old one: the pages reconnect automatically, and the member list is correct.

import { expectHere, expectText, forgiveLostConnections, hear, join, nc, play, say, serve } from '../stage.mjs';

await play(async () => {
  const server = await serve();
  const alice = await join(server, 'alice');
  const bob = await join(server, 'bob');
  nc(server, 'nora');
  await expectHere(alice, 'alice*', 'bob', 'nora');
  await say(alice, 'said on the first one');
  await hear(bob, 'said on the first one');

  await server.stop();
  await hear(alice, 'The connection was lost.');
  await hear(bob, 'The connection was lost.');
  const next = await serve(server);
  await expectText(alice, '#connection', 'Connected');
  await expectText(bob, '#connection', 'Connected');
  await hear(alice, 'The server was restarted');
  const nora = nc(next, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora');
  nora.say('WHO');
  await nora.hear(/^USER (alice|bob) coordinator$/, /^USER (alice|bob) member$/, 'USER nora member', 'OK WHO 3');
  await say(bob, 'said on the second one');
  await nora.hear('MSG bob said on the second one');
  await hear(alice, 'bob', 'said on the second one');
  await hear(alice, 'nora joined');
  forgiveLostConnections();
});
