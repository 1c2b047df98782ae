// After a lost connection, the page is in the same rooms, and shows the missed messages of each: with a resumed session, and with a new
// one.

import assert from 'node:assert/strict';
import {
  expectHere, expectRooms, expectText, forgiveLostConnections, hear, join, nc, openRoom, play, say, serve, wire,
} from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0', '--resume-timeout', '2'] });
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  nora.say('JOIN #ops,#dev');
  // Within a turn of the server, events of different rooms come in any order.
  await nora.hear(/^OK JOIN/, /COORDINATOR nora$/, /COORDINATOR nora$/);
  nora.say('#ops TOPIC on call');
  await nora.hear('#ops OK TOPIC on call');
  const line = await wire(server.web);
  const alice = await join(line, 'alice');
  await nora.hear('JOIN alice');
  await say(alice, '/join #ops,#dev');
  await nora.hear(/^#\S+ JOIN alice$/, /^#\S+ JOIN alice$/);
  await expectRooms(alice, '#dev*', '#lobby', '#ops');
  nora.say('MSG one', '#ops MSG two', '#dev MSG three');
  await hear(alice, 'three');
  await expectRooms(alice, '#dev*', '#lobby 1', '#ops 1');

  // Resumed: nobody notices.
  line.cut();
  await hear(alice, 'The connection was lost.');
  nora.say('MSG missed one', '#ops MSG missed two', '#ops MSG and you, alice', '#dev MSG missed three', '#ops TOPIC still on call');
  await nora.hear(...Array.from({ length: 7 }, () => /OK MSG/), '#ops OK TOPIC still on call');
  line.mend();
  await expectText(alice, '#connection', 'Connected');
  await hear(alice, 'missed three');
  await expectRooms(alice, '#dev*', '#lobby 2', '#ops @3');
  await expectHere(alice, 'nora*', 'alice');
  await openRoom(alice, '#ops');
  await expectText(alice, '#topic', 'still on call');
  await expectHere(alice, 'nora*', 'alice');
  const said = await alice.locator('#log .msg .said').allInnerTexts();
  assert.deepEqual(said, ['two', 'missed two', 'and you, alice']);
  await say(alice, 'I am back');
  await nora.hear('#ops MSG alice I am back');

  // Not resumed: the page enters the rooms again.
  line.cut();
  await hear(alice, 'The connection was lost.');
  await nora.hear(/LEAVE alice lost$/, /LEAVE alice lost$/, /LEAVE alice lost$/);
  nora.say('MSG away one', '#dev MSG away three', '#ops MSG away two');
  await nora.hear(/OK MSG/, /OK MSG/, /OK MSG/);
  line.mend();
  await expectText(alice, '#connection', 'Connected');
  await nora.hear(/JOIN alice$/, /JOIN alice$/, /JOIN alice$/);
  await hear(alice, 'away two');
  await expectRooms(alice, '#dev 1', '#lobby 3', '#ops*');
  await say(alice, 'and again');
  await nora.hear('#ops MSG alice and again');
  await openRoom(alice, '#lobby');
  await hear(alice, 'away one');
  await expectHere(alice, 'nora*', 'alice');

  // A text without an acknowledgement goes back to the draft of its room.
  line.hold();
  await openRoom(alice, '#dev');
  await alice.fill('#text', 'for the developers');
  await alice.press('#text', 'Enter');
  await openRoom(alice, '#ops');
  line.cut();
  await hear(alice, 'The connection was lost.');
  assert.equal(await alice.inputValue('#text'), '');
  await openRoom(alice, '#dev');
  assert.equal(await alice.inputValue('#text'), 'for the developers');
  await hear(alice, 'The connection was lost.');
  line.mend();
  await expectText(alice, '#connection', 'Connected');
  await alice.press('#text', 'Enter');
  await nora.hear('#dev MSG alice for the developers');

  // A new server has none of the rooms: the page makes them again.
  await server.stop();
  await hear(alice, 'The connection was lost.');
  const next = await serve({ ...server, options: ['--line-rate', '0'] });
  await expectText(alice, '#connection', 'Connected');
  await expectRooms(alice, '#dev*', '#lobby', '#ops');
  await hear(alice, 'The server no longer has the messages above.');
  const zed = nc(next, 'zed');
  await zed.hear(/^HELLO/, 'OK NICK zed');
  zed.say('JOIN #dev', '#dev WHO');
  await zed.hear(/^OK JOIN #dev/, '#dev USER alice coordinator', '#dev USER zed member', '#dev OK WHO 2');
  forgiveLostConnections();
});
