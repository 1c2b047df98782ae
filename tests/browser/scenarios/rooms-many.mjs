// With 100 rooms and 1,000 members, no task of the page is so long that a user notices it. The test measures processor time, because other
// programs may run meanwhile.

import { crowd, expect, expectShortTasks, expectText, join, measureTasks, openRoom, play, serve, wire } from '../stage.mjs';

const MEMBERS = 1000;
const ROOMS = 100;

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0', '--connect-rate', '0'] });
  const line = await wire(server.web);
  const members = await crowd(server, MEMBERS, ['127.0.1.1', '127.0.1.2', '127.0.1.3', '127.0.1.4', '127.0.1.5']);
  const name = (number) => `#room${String(number).padStart(2, '0')}`;
  // Ten members make the rooms; each of the others is in two of them.
  const all = Array.from({ length: ROOMS - 1 }, (_, number) => name(number));
  members.forEach((member, number) => member.say(`NICK member${number}`));
  for (let at = 0; at < all.length; at += 10) members[at / 10].say(`JOIN ${all.slice(at, at + 10).join()}`);
  for (const member of members.slice(0, 10)) await member.sync();
  members.slice(10).forEach((member, number) => member.say(`JOIN ${name(number % 90)},${name(90 + (number % 9))}`));
  for (const member of members.slice(10)) await member.sync();

  const page = await join(line, 'alice');
  const expectCount = (selector, count) =>
    expect(page, ([found, wanted]) => document.querySelectorAll(found).length === wanted, [selector, count], `${count} ${selector}`);
  const shows = (selector, text) =>
    expect(page, ([selector, text]) => document.querySelector(selector).textContent.includes(text), [selector, text], text);
  const check = (what, action) => expectShortTasks(what, () => measureTasks(page, action));
  const type = async (text) => {
    await page.fill('#text', text);
    await page.press('#text', 'Enter');
  };

  await check('joining 99 rooms', async () => {
    for (let at = 0; at < all.length; at += 16) await type(`/join ${all.slice(at, at + 16).join()}`);
    await expectCount('#room-list li', ROOMS);
    await expectText(page, '#room-name', name(98));
  });
  await check('messages in all rooms', async () => {
    members.slice(10).forEach((member, number) => member.say(...Array.from({ length: 10 }, (_, at) => (
      `${name(number % 90)} MSG message ${at} of ${number} with some words in it`
    ))));
    members[10].say(`MSG alice: that is all`);
    await shows('.room[data-name="#lobby"] .badge', '1');
  });
  await check('1,000 change their names', async () => {
    members.forEach((member, number) => member.say(`NICK renamed${number}`));
    members[999].say('MSG renamed all');
    await shows('.room[data-name="#lobby"] .badge', '2');
  });
  await check('opening rooms', async () => {
    await openRoom(page, '#lobby');
    await expectCount('#names li', MEMBERS + 1);
    for (const number of [3, 50, 97]) await openRoom(page, name(number));
    await openRoom(page, '#lobby');
    await expectCount('#names li', MEMBERS + 1);
  });
  await check('the dialog', async () => {
    await page.click('#find-room');
    await expectCount('#found-rooms li', ROOMS);
    await page.keyboard.type('room1');
    await expectCount('#found-rooms li', 10);
    await page.keyboard.press('Escape');
  });
  await check('a reconnect', async () => {
    line.cut();
    await expectText(page, '#connection', 'Not connected. Retrying…');
    members.slice(10).forEach((member, number) => member.say(`${name(number % 90)} MSG missed of ${number}`));
    line.mend();
    await expectText(page, '#connection', 'Connected');
    await openRoom(page, name(89));
    await shows('#log', 'missed of 989');
  });
  await check('500 leave', async () => {
    members.slice(500).forEach((member) => member.say('QUIT'));
    await openRoom(page, '#lobby');
    await expectCount('#names li', 501);
  });
});
