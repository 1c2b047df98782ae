// A message is the user's own only if the user wrote it. While the page is disconnected, another member may take the name and leave
// again.

import assert from 'node:assert/strict';
import { expect, expectHere, expectText, forgiveLostConnections, hear, join, nc, play, say, serve, takeName, wire } from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0', '--resume-timeout', '1'] });
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const line = await wire(server.web);
  const alice = await join(line, 'alice');
  await expectHere(alice, 'nora*', 'alice');
  await nora.hear('JOIN alice');
  const isOwn = async (text) => /\bown\b/.test(await (await hear(alice, text)).first().getAttribute('class'));
  await say(alice, 'mine');
  await nora.hear('MSG alice mine');
  assert.equal(await isOwn('mine'), true);

  // The server reserves the name for one second. Then another member takes it.
  line.cut();
  await hear(alice, 'The connection was lost.');
  await nora.hear('LEAVE alice lost');
  const other = nc(server, 'alice');
  await nora.hear('JOIN alice');
  other.say('MSG not alice at all', 'QUIT');
  await nora.hear('MSG alice not alice at all', 'LEAVE alice quit');
  line.mend();
  await expectText(alice, '#connection', 'Connected');
  assert.equal(await isOwn('not alice at all'), false);
  assert.equal(await alice.locator('#log .mark + *').innerText().then((text) => text.includes('not alice at all')), true, 'it is new');
  assert.equal(await isOwn('mine'), true);

  // While another member has the name, the page marks no member as the user, and asks for a name.
  line.cut();
  await nora.hear('JOIN alice', 'LEAVE alice lost');
  const third = nc(server, 'alice');
  await nora.hear('JOIN alice');
  line.mend();
  await expectText(alice, '#name-reason', 'The connection was lost, and your name is no longer available.');
  await expectText(alice, '#name-error', '“alice” is taken. Choose another name.');
  await expect(alice, () => {
    const isShown = (node) => node.checkVisibility();
    return ![...document.querySelectorAll('#names .self, #you')].some(isShown);
  }, null, 'nobody is shown as the user');
  third.say('MSG and not she either');
  await takeName(alice, 'alice2');
  await expectHere(alice, 'nora*', 'alice', 'alice2');
  assert.equal(await isOwn('and not she either'), false);
  forgiveLostConnections();

  // Among replayed messages, those sent under the name since the user took it are the user's own.
  const own = await alice.evaluate(async () => {
    const { Room } = await import('./room.js');
    const room = new Room();
    room.begin('epoch');
    const isOwn = (id, name = 'alice') => room.isOwn({ kind: 'past', name, id });
    room.apply({ kind: 'join', name: 'alice', id: null });
    room.hasReadUpTo(5);
    const joined = [isOwn(4), isOwn(6), isOwn(6, 'bob')];
    room.apply({ kind: 'msg', name: 'bob', text: 'hi', id: 9 });
    room.apply({ kind: 'rename', name: 'alice', to: 'al', id: null });
    return [...joined, isOwn(8, 'al'), isOwn(10, 'al'), isOwn(10)];
  });
  assert.deepEqual(own, [false, true, false, false, true, false]);
});
