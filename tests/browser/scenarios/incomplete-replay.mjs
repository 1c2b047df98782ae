// If the server no longer keeps all missed messages, a note marks the gap, above the messages that it still keeps.

import assert from 'node:assert/strict';
import { expectText, forgiveLostConnections, hear, intercept, nc, open, play, serve, takeName } from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0', '--history', '3'] });
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const alice = await open(server);
  let isHeld = false;
  const sockets = await intercept(alice, (line) => isHeld && /^SINCE/.test(line));
  await takeName(alice, 'alice');
  await expectText(alice, '#connection', 'Connected');
  nora.say('MSG before');
  await hear(alice, 'before');

  isHeld = true;
  await sockets.cut();
  nora.say(...Array.from({ length: 9 }, (_, number) => `MSG missed ${number}`));
  await expectText(alice, '#connection', 'Connected');
  await hear(alice, 'Connected again.');
  // A message and a whisper arrive before the reply with the missed messages.
  nora.say('MSG meanwhile', 'WHISPER alice psst');
  await hear(alice, 'psst');
  isHeld = false;
  sockets.inject('ERR SINCE too-old the oldest is 12');
  await hear(alice, 'missed 8');
  const shown = await alice.locator('#log > .note, #log .said').allInnerTexts();
  assert.deepEqual(shown.slice(shown.indexOf('before')), [
    'before', 'The connection was lost.', 'Connected again.', 'Some messages are missing here: the server no longer keeps them.',
    'missed 7', 'missed 8', 'meanwhile', 'psst',
  ]);
  forgiveLostConnections();
});
