// The dialog finds rooms by the beginning of their names, page by page, and makes new ones. It explains why a room cannot be entered.

import assert from 'node:assert/strict';
import { expect, expectRooms, expectText, hear, join, nc, play, serve } from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0'] });
  // The server limits how many rooms one client makes: nine clients of other addresses make 120.
  const makers = [];
  for (let number = 0; number < 9; number += 1) {
    const maker = nc(server, `maker${number}`, `127.0.1.${number + 1}`);
    await maker.hear(/^HELLO/, `OK NICK maker${number}`);
    const names = Array.from({ length: 14 }, (_, at) => `#team${String(number * 14 + at).padStart(3, '0')}`);
    maker.say(`JOIN ${names.join(',')}`, `${names[0]} TOPIC the topic of ${names[0]}`);
    makers.push(maker);
  }
  makers[8].say('PING made');
  for (;;) if (await makers[8].next() === 'OK PING made') break;

  const alice = await join(server, 'alice');
  const found = (...names) => expect(alice, (wanted) => {
    const shown = [...document.querySelectorAll('#found-rooms bdi:first-child')].filter((each) => each.closest('.room-name'));
    return shown.map(({ textContent }) => textContent).join() === wanted.join();
  }, names, `the dialog should show ${names}`);
  const count = (wanted) =>
    expect(alice, (wanted) => document.querySelectorAll('#found-rooms li').length === wanted, wanted, `${wanted} rooms`);

  await alice.click('#show-rooms');
  await alice.click('#find-room');
  await count(100);
  await expectText(alice, '#finder-status', '100 rooms; there are more');
  await alice.click('#more-rooms');
  await count(127);
  await expectText(alice, '#finder-status', '127 rooms');
  assert.equal(await alice.locator('#more-rooms').isVisible(), false);

  // The list follows the text, in any letter case and with or without the sign.
  await alice.fill('#room-wanted', 'TEAM01');
  await found('#team010', '#team011', '#team012', '#team013', '#team014', '#team015', '#team016', '#team017', '#team018', '#team019');
  await alice.fill('#room-wanted', '#team014');
  await found('#team014');
  await expectText(alice, '#found-rooms li', '#team014 1 member the topic of #team014');
  await expectText(alice, '#enter-room', 'Open');
  await alice.locator('#found-rooms button').click();
  await expectRooms(alice, '#lobby', '#team014*');
  assert.equal(await alice.locator('#finder').isVisible(), false);
  await expectText(alice, '#topic', 'the topic of #team014');

  // A new room.
  await alice.click('#find-room');
  await alice.fill('#room-wanted', 'cake');
  await expectText(alice, '#finder-status', 'No name of a room begins like this. You can make this room.');
  await expectText(alice, '#enter-room', 'Make room');
  await alice.press('#room-wanted', 'Enter');
  await expectRooms(alice, '#cake*', '#lobby', '#team014');
  await hear(alice, 'You joined');

  // Names that the server refuses.
  await alice.click('#find-room');
  await alice.fill('#room-wanted', 'two words');
  await alice.press('#room-wanted', 'Enter');
  const invalid = 'The name of a room is one word of at most 32 characters. It begins with a letter or a digit.';
  await expectText(alice, '#finder-error', invalid);
  await alice.fill('#room-wanted', '!');
  await alice.press('#room-wanted', 'Enter');
  await expectText(alice, '#finder-error', invalid);
  await alice.fill('#room-wanted', 'l0bby');
  await alice.press('#room-wanted', 'Enter');
  const isAlike = () => /^#l0bby looks too much like #lobby/.test(document.getElementById('finder-error').textContent);
  await expect(alice, isAlike, null, 'a name that looks like another one is refused');
  await alice.fill('#room-wanted', '');
  await alice.press('#room-wanted', 'Enter');
  await expectText(alice, '#finder-error', 'Type the name of a room first.');
  await alice.keyboard.press('Escape');
  assert.equal(await alice.locator('#finder').isVisible(), false);
  await expectRooms(alice, '#cake*', '#lobby', '#team014');
});
