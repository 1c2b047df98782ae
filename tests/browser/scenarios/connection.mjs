// After a lost connection, the page reconnects under its name and shows missed messages. Other members see no LEAVE.

import assert from 'node:assert/strict';
import { expectHere, expectText, forgiveLostConnections, hear, join, nc, play, serve, wire } from '../stage.mjs';

await play(async () => {
  const server = await serve();
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const line = await wire(server.web);
  const alice = await join(line, 'alice');
  await nora.hear('JOIN alice');
  nora.say('MSG before');
  await nora.hear(/^OK MSG/);
  await hear(alice, 'before');

  line.cut();
  await hear(alice, 'The connection was lost.');
  await alice.fill('#text', 'am I heard?');
  await alice.press('#text', 'Enter');
  await expectText(alice, '#not-sent', 'Not sent: no connection. Your text is kept.');
  nora.say('MSG meanwhile', 'MSG and more');
  await nora.hear(/^OK MSG/, /^OK MSG/);
  line.mend();
  await expectText(alice, '#connection', 'Connected');
  await hear(alice, 'and more');
  await alice.click('#send');
  await nora.hear('MSG alice am I heard?');
  await hear(alice, 'alice', 'am I heard?');
  const said = await alice.locator('#log .said').allInnerTexts();
  assert.deepEqual(said, ['You joined', 'before', 'meanwhile', 'and more', 'am I heard?']);
  await expectHere(alice, 'nora*', 'alice');
  forgiveLostConnections();
});
