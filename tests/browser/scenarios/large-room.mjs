// With 1,000 members who act at once, no task of the page is so long that the page answers keys and the pointer late. The test measures
// processor time, because other programs may run meanwhile.

import { crowd, expect, expectShortTasks, expectText, join, measureTasks, open, play, serve, takeName } from '../stage.mjs';

const COUNT = 1000;

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0', '--connect-rate', '0'] });
  const page = await join(server, 'alice');
  const expectCount = (page, selector, count) =>
    expect(page, ([found, wanted]) => document.querySelectorAll(found).length === wanted, [selector, count], `${count} ${selector}`);
  const shows = (page, selector, text) =>
    expect(page, ([selector, text]) => document.querySelector(selector).textContent.includes(text), [selector, text], text);
  const check = (what, action, runs) => expectShortTasks(what, (number) => measureTasks(page, () => action(number)), runs);

  const members = await crowd(server, COUNT);
  await check('1,000 join', async () => {
    members.forEach((member, number) => member.say(`NICK member${number}`));
    await expectCount(page, '#names li', COUNT + 1);
    await shows(page, '#log', 'member999 joined');
  });
  await check('200 change their names', async () => {
    members.slice(0, 200).forEach((member, number) => member.say(`NICK renamed${number}`));
    await shows(page, '#names', 'renamed199');
    await shows(page, '#log', 'is now renamed199');
  });
  await check('10,000 messages', async () => {
    const message = (number) => `MSG message ${number} with some words in it, as people write`;
    members[0].say(...Array.from({ length: 10_000 }, (_, number) => message(number)));
    await shows(page, '#log', 'message 9999 ');
  });
  await page.click('#show-canvas');
  await check('8,192 strokes', async () => {
    const stroke = (number) => `DRAW #1e90ff 40 ${number},0 500,${number} ${number},700 5,5 20,30`;
    members[1].say(...Array.from({ length: 8192 }, (_, number) => stroke(number)), 'MSG that is a drawing');
    await shows(page, '#log', 'that is a drawing');
  });
  await page.click('#show-canvas');
  // With cold caches, the same work takes longer.
  await check('the table of everybody, and a fresh one', async (number) => {
    await page.click('#check-status');
    await expectCount(page, '#status-rows tr', COUNT + 1);
    members[2].say(`NICK fresh${number}`);
    await shows(page, '#status-rows', `fresh${number}`);
    await page.keyboard.press('Escape');
    await expectCount(page, '#status-rows tr', 0);
  }, 3);
  await check('500 leave', async () => {
    members.slice(500).forEach((member) => member.say('QUIT'));
    await expectCount(page, '#names li', COUNT - 500 + 1);
  });

  await page.close({ runBeforeUnload: true });
  // A new page runs code that is not compiled yet.
  await expectShortTasks('joining such a room', async (number) => {
    const late = await open(server);
    const result = await measureTasks(late, async () => {
      await takeName(late, `late${number}`);
      await expectText(late, '#connection', 'Connected');
      await expectCount(late, '#names li', COUNT - 500 + 1);
      await late.click('#show-canvas');
    });
    await late.close({ runBeforeUnload: true });
    return result;
  }, 3);
});
