// At midnight the dates change: today's messages become yesterday's, and the first message of a new day gets a line with the date.

import assert from 'node:assert/strict';
import { expectText, hear, intercept, open, play, serve, takeName } from '../stage.mjs';

await play(async () => {
  const page = await open(await serve(), { timezoneId: 'Europe/Berlin' });
  await page.clock.install({ time: new Date('2026-11-20T22:58:30Z') });
  const sockets = await intercept(page);
  await takeName(page, 'alice');
  await expectText(page, '#connection', 'Connected');
  const days = () => page.locator('#log .day').allInnerTexts();
  const say = async (time, text) => {
    sockets.inject(`@90 ${time} MSG nora ${text}`);
    await page.clock.runFor(300);
    return hear(page, text);
  };

  const evening = await say('2026-11-20T22:59:00.000Z', 'good evening');
  assert.equal(await evening.locator('time').innerText(), '23:59');
  // Leaves out lines of the server, which have the real time.
  assert.deepEqual((await days()).slice(-1), ['Today, Friday 20 November']);

  await page.clock.runFor('02:00');
  assert.deepEqual((await days()).slice(-1), ['Yesterday, Friday 20 November']);
  const night = await say('2026-11-20T23:00:30.000Z', 'still here');
  assert.equal(await night.locator('time').innerText(), '00:00');
  assert.deepEqual((await days()).slice(-2), ['Yesterday, Friday 20 November', 'Today, Saturday 21 November']);

  await page.clock.runFor('24:00:00');
  assert.deepEqual((await days()).slice(-2), ['Friday 20 November', 'Yesterday, Saturday 21 November']);

  // Timers stop while the machine sleeps. The date is correct soon after it wakes.
  await page.clock.setSystemTime(new Date('2026-11-23T09:00:00Z'));
  await page.clock.runFor('01:00');
  assert.deepEqual((await days()).slice(-2), ['Friday 20 November', 'Saturday 21 November']);
  // A note from the evening stands before messages of the night, and does not begin a day.
  await sockets.cut();
  await hear(page, 'The connection was lost.');
  await page.clock.runFor('00:01');
  await hear(page, 'Connected again.');
  await say('2026-11-21T12:00:00.000Z', 'the same day');
  assert.deepEqual((await days()).slice(-2), ['Friday 20 November', 'Saturday 21 November']);
  await say('2026-11-21T23:30:00.000Z', 'sent while it slept');
  assert.deepEqual((await days()).slice(-2), ['Saturday 21 November', 'Yesterday, Sunday 22 November']);
});
