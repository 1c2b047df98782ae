// Messages are deleted by their authors and by moderators: the text goes from all pages, also from earlier messages of a reload. The owner
// locks the room, and invites.

import assert from 'node:assert/strict';
import { enter, expect, expectText, hear, join, logIn, nc, play, register, say, serveAccounts } from '../stage.mjs';

/** Waits until the messages of the log are these, in order: the author, and the text or what stands for it. */
async function expectMessages(page, ...wanted) {
  await expect(page, (wanted) => {
    const shown = [...document.querySelectorAll('#log .msg')].map((node) => {
      return `${node.querySelector('.who').textContent}: ${node.querySelector('.said').textContent}`;
    });
    return shown.join('\n') === wanted.join('\n');
  }, wanted, `the messages should be ${wanted.join(', ')}`);
}

async function menuAt(page, text) {
  await page.locator('#log .said', { hasText: text }).click({ button: 'right' });
}

await play(async () => {
  const server = await serveAccounts();
  await register(server, 'owen');
  const owen = await logIn(server, 'owen', '#ops');
  const tom = await join(server, 'tom');
  await enter(tom, '#ops');
  const bob = nc(server, 'bob');
  bob.say('JOIN #ops', '#ops MSG first of bob', '#ops MSG second of bob');
  for (const page of [owen, tom]) await hear(page, 'bob', 'second of bob');
  await say(tom, 'my number is 555');
  await hear(owen, 'tom', 'my number is 555');

  // A guest has the menu at its own messages only.
  await menuAt(tom, 'second of bob');
  assert.equal(await tom.locator('#member-menu').isVisible(), false);
  await menuAt(tom, 'my number is 555');
  assert.deepEqual(await tom.getByRole('menuitem').allInnerTexts(), ['Delete message']);
  await tom.getByRole('menuitem', { name: 'Delete message' }).click();
  for (const page of [owen, tom]) {
    await expectMessages(page, 'bob: first of bob', 'bob: second of bob', 'tom: Message deleted');
  }

  // A moderator deletes the message of somebody else, by the name of its author.
  await owen.locator('#log .who .name', { hasText: 'bob' }).first().click();
  await owen.getByRole('menuitem', { name: 'Delete message' }).click();
  await expectMessages(owen, 'bob: Message deleted by you', 'bob: second of bob', 'tom: Message deleted');
  await expectMessages(tom, 'bob: Message deleted by owen', 'bob: second of bob', 'tom: Message deleted');

  // Without an id, the command means the last own message.
  await say(tom, 'one');
  await say(tom, 'two');
  await hear(owen, 'tom', 'two');
  await say(tom, '/delete');
  await expectMessages(
    owen, 'bob: Message deleted by you', 'bob: second of bob', 'tom: Message deleted', 'tom: one', 'tom: Message deleted',
  );
  await say(tom, '/delete');
  await expectMessages(
    tom, 'bob: Message deleted by owen', 'bob: second of bob', 'tom: Message deleted', 'tom: Message deleted', 'tom: Message deleted',
  );
  await say(tom, '/delete');
  await expectText(tom, '#not-sent', 'You have sent no message here.');

  // A page that joins later reads who wrote them, and nothing else.
  const eve = await join(server, 'eve');
  await enter(eve, '#ops');
  await expectMessages(
    eve, 'bob: Message deleted', 'bob: second of bob', 'tom: Message deleted', 'tom: Message deleted', 'tom: Message deleted',
  );

  // A locked room: eve is inside and stays, mia is invited, and ned is not.
  await say(owen, '/lock maybe');
  await expectText(owen, '#not-sent', 'Type /lock open|accounts|invited to choose who may enter the room.');
  await owen.fill('#text', '');
  await say(owen, '/lock invited');
  await hear(owen, 'You locked the room: only the invited may enter');
  await hear(eve, 'owen locked the room: only the invited may enter');
  const mia = nc(server, 'mia');
  await mia.hear(/^HELLO/, 'OK NICK mia');
  await say(owen, '/invite mia');
  await hear(owen, 'You invited mia');
  await mia.hear('#ops INVITE owen mia on');
  mia.say('JOIN #ops');
  await hear(owen, 'mia joined');
  const ned = nc(server, 'ned');
  ned.say('JOIN #ops');
  await ned.hear(/^HELLO/, 'OK NICK ned', /^ERR JOIN room-locked /);
});
