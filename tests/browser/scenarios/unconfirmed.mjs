// When the connection is lost, unconfirmed lines go back into the box in order, and a whisper keeps its recipients.

import assert from 'node:assert/strict';
import { expectHere, expectText, forgiveLostConnections, hear, join, nc, play, serve, wire } from '../stage.mjs';

await play(async () => {
  const server = await serve();
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const line = await wire(server.web);
  const alice = await join(line, 'alice');
  await expectHere(alice, 'nora*', 'alice');

  line.hold();
  await alice.getByRole('button', { name: 'nora coordinator', exact: true }).click();
  await alice.fill('#text', 'secret one\nsecret two');
  await alice.press('#text', 'Enter');
  await expectText(alice, '#send', 'Send');
  line.cut();
  await hear(alice, 'The connection was lost.');
  assert.equal(await alice.inputValue('#text'), 'secret one\nsecret two');
  await expectText(alice, '#whispered-to', 'nora');

  line.mend();
  await expectText(alice, '#connection', 'Connected');
  await alice.press('#text', 'Enter');
  await nora.hear('JOIN alice', 'WHISPER alice secret one', 'WHISPER alice secret two');
  forgiveLostConnections();
});
