// The address of the page names the room: links open rooms, and back and forward go through the rooms that were shown.

import assert from 'node:assert/strict';
import { expectRooms, expectText, hear, join, nc, open, play, say, serve, takeName } from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0'] });
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  nora.say('JOIN #ops,#Café');
  await nora.hear(/^OK JOIN #ops \S+ last=0 #Café \S+ last=0$/);

  const alice = await join(server, 'alice');
  const at = () => decodeURIComponent(new URL(alice.url()).hash);
  await say(alice, '/join #ops');
  await expectRooms(alice, '#lobby', '#ops*');
  await say(alice, '/join #CAFÉ');
  await expectRooms(alice, '#Café*', '#lobby', '#ops');
  assert.equal(at(), '#Café', 'the server spells the name');

  await alice.goBack();
  await expectRooms(alice, '#Café', '#lobby', '#ops*');
  await alice.goBack();
  await expectRooms(alice, '#Café', '#lobby*', '#ops');
  assert.equal(at(), '');
  await alice.goForward();
  await expectRooms(alice, '#Café', '#lobby', '#ops*');

  // A changed address enters the room; one that breaks the rules is refused, and the page stays where it is.
  await alice.evaluate(() => (location.hash = '#dev'));
  await expectRooms(alice, '#Café', '#dev*', '#lobby', '#ops');
  await alice.evaluate(() => (location.hash = '#two%20words'));
  const invalid = 'The name of a room is one word of at most 32 characters. It begins with a letter or a digit.';
  await expectText(alice, '#not-sent', invalid);
  assert.equal(at(), '#dev');
  await alice.evaluate(() => (location.hash = '#%e0'));
  await expectRooms(alice, '#Café', '#dev*', '#lobby', '#ops');

  // Going back to a room that the user has left does not enter it again.
  await alice.goto(`http://127.0.0.1:${server.web}/#ops`);
  await expectRooms(alice, '#Café', '#dev', '#lobby', '#ops*');
  await say(alice, '/join #dev');
  await expectRooms(alice, '#Café', '#dev*', '#lobby', '#ops');
  await say(alice, '/part #ops');
  await expectRooms(alice, '#Café', '#dev*', '#lobby');
  await alice.goBack();
  await expectText(alice, '#finder-error', 'You have left #ops.');
  await expectRooms(alice, '#Café', '#dev*', '#lobby');
  assert.equal(at(), '#dev');
  await alice.click('#enter-room');
  await expectRooms(alice, '#Café', '#dev', '#lobby', '#ops*');

  // A link to a room whose name breaks the rules leads to the lobby.
  const bob = await open({ ...server, path: '/#not,a,room' });
  await takeName(bob, 'bob');
  await hear(bob, 'You could not enter #not,a,room.');
  await expectRooms(bob, '#lobby*');

  // After a reload, the user is in the same rooms.
  await alice.reload();
  await takeName(alice, 'alice');
  await expectRooms(alice, '#Café', '#dev', '#lobby', '#ops*');
});
