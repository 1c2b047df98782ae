// Two browsers and nc in two rooms: each message goes to its room, and the column shows what is unread and where the user is mentioned.

import assert from 'node:assert/strict';
import { expect, expectHere, expectRooms, expectText, hear, join, nc, openRoom, play, say, serve } from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0'] });
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const alice = await join(server, 'alice');
  await expectHere(alice, 'nora*', 'alice');

  // With one room, neither the column nor the head takes space.
  assert.equal(await alice.locator('#rooms').isVisible(), false);
  assert.equal(await alice.locator('#room-head').isVisible(), false);
  assert.equal(await alice.getAttribute('#text', 'placeholder'), 'Message to everybody');

  nora.say('JOIN #ops', '#ops TOPIC on call: nora', '#ops MSG the database is slow');
  await nora.hear('JOIN alice', /^OK JOIN #ops epoch=\S+ last=0$/, '#ops COORDINATOR nora', '#ops OK TOPIC on call: nora', '#ops OK MSG 1');
  await say(alice, '/join #ops');
  await nora.hear('#ops JOIN alice');
  await hear(alice, 'the database is slow');
  await expectRooms(alice, '#lobby', '#ops*');
  await expectHere(alice, 'nora*', 'alice');
  await expectText(alice, '#room-name', '#ops');
  await expectText(alice, '#topic', 'on call: nora');
  assert.equal(await alice.getAttribute('#text', 'placeholder'), 'Message to #ops');
  assert.equal(new URL(alice.url()).hash, '#ops');

  // Bob opens a link to the room: he is in no other one.
  const bob = await join({ ...server, path: '/#ops' }, 'bob');
  await hear(bob, 'the database is slow');
  await expectHere(bob, 'nora*', 'alice', 'bob');
  await expectText(bob, '#room-name', '#ops');
  assert.equal(await bob.locator('#leave-room').isVisible(), false, 'he cannot leave his only room');
  await nora.hear('#ops JOIN bob');

  await say(bob, 'which one?');
  await hear(alice, 'bob', 'which one?');
  await nora.hear('#ops MSG bob which one?');
  await say(alice, 'all of them');
  await hear(bob, 'alice', 'all of them');
  await nora.hear('#ops MSG alice all of them');

  // Messages of another room are counted, and those that mention the user have a mark.
  nora.say('MSG tea is ready');
  await expectRooms(alice, '#lobby 1', '#ops*');
  nora.say('MSG alice: there is cake, too');
  await expectRooms(alice, '#lobby @2', '#ops*');
  assert.equal(await alice.getAttribute('.room[data-name="#lobby"]', 'aria-label'), '#lobby, 2 unread, you are mentioned');
  assert.equal(await alice.title(), '(2) #ops · chinwag');
  assert.equal(await alice.locator('#log', { hasText: 'tea is ready' }).count(), 0, 'it is not in this room');
  await openRoom(alice, '#lobby');
  await hear(alice, 'there is cake, too');
  await expectRooms(alice, '#lobby*', '#ops');
  assert.equal(await alice.title(), '#lobby · chinwag');
  const mark = await alice.locator('#log .mark + *').innerText();
  assert.ok(mark.includes('tea is ready'), 'the mark is before the first unread message');
  await expectHere(alice, 'nora*', 'alice');
  await nora.hear('OK MSG 1', 'OK MSG 2');

  // Whispers need no common room, and show where the user is.
  await say(bob, '/w alice psst');
  await hear(alice, 'bob', 'psst');
  await say(alice, '/w bob hush');
  await hear(bob, 'alice', 'hush');
  await openRoom(alice, '#ops');
  assert.equal(await alice.locator('#log', { hasText: 'psst' }).count(), 0);

  // A line can name its room. A line that begins with the name of a room could be meant for that room.
  await say(alice, '/#lobby I am in the other room');
  await nora.hear('MSG alice I am in the other room');
  await hear(alice, 'Sent to #lobby.');
  await say(alice, '#lobby here?');
  const isRoom = (name) =>
    `Not sent: ${name} is a room. To send it there, type /${name} and the text. To send it here, begin with a space.`;
  await expectText(alice, '#not-sent', isRoom('#lobby'));
  await say(alice, ' #lobby here!');
  await nora.hear('#ops MSG alice  #lobby here!');
  await say(alice, '/#dev hello');
  await expectText(alice, '#not-sent', 'Not sent: you are not in #dev. To enter it, type /join #dev');
  await alice.fill('#text', '');

  // The topic: for all members, and cleared.
  await alice.click('#set-topic');
  await alice.fill('#topic-text', 'on call: alice');
  await alice.press('#topic-text', 'Enter');
  await nora.hear('#ops TOPIC alice on call: alice');
  await hear(bob, 'alice set the topic: on call: alice');
  await expectText(bob, '#topic', 'on call: alice');
  await say(bob, '/topic -');
  await nora.hear('#ops TOPIC bob');
  await hear(alice, 'bob cleared the topic');
  await expect(alice, () => document.getElementById('topic').hidden, null, 'no topic');

  // A rename shows in each common room; leaving a room shows in that room only.
  await say(bob, '/nick robert');
  await nora.hear('#ops RENAME bob robert');
  await hear(alice, 'bob is now robert');
  await say(alice, '/part off duty');
  await nora.hear('#ops LEAVE alice part off duty');
  await hear(bob, 'alice left: off duty');
  await expectHere(bob, 'nora*', 'robert');
  await expectRooms(alice, '#lobby*');
  await expectHere(alice, 'nora*', 'alice');
  await say(alice, '/part');
  await expectText(alice, '#not-sent', 'This is your only room. Open another one first, or use Quit to leave the chat.');
  await alice.fill('#text', '');
  await say(alice, '#ops is quiet');
  await expectText(alice, '#not-sent', isRoom('#ops'));
  await alice.fill('#text', '');

  // The address of the first room, and Home.
  await say(bob, '/join dev');
  await expectRooms(bob, '#dev*', '#ops');
  await expectText(bob, '#room-name', '#dev');
  await say(bob, '/home');
  await expectRooms(bob, '#dev', '#ops*');
  await bob.click('#leave-room');
  await expectRooms(bob, '#dev*');
  await nora.hear('#ops LEAVE robert part');
});
