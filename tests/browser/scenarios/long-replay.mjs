// After a replay of any length, the page shows a bounded number of the newest messages, and none twice.

import assert from 'node:assert/strict';
import { expectText, hear, intercept, open, play, serve, takeName } from '../stage.mjs';

await play(async () => {
  const page = await open(await serve());
  const sockets = await intercept(page);
  await takeName(page, 'alice');
  await expectText(page, '#connection', 'Connected');
  sockets.inject('@6000 2026-11-20T12:44:30.138Z MSG nora a message during the replay');
  const replay = Array.from({ length: 4500 }, (_, at) => `PAST ${at + 10} 2026-11-20T12:44:29.138Z nora said ${at + 10}`);
  sockets.inject(...replay, 'PAST 6000 2026-11-20T12:44:30.138Z nora a message during the replay', 'NOTICE that was all');
  await hear(page, 'said 4509');
  await hear(page, 'that was all');
  assert.equal(await page.getByText('a message during the replay').count(), 1);
  const count = await page.locator('#log > *').count();
  assert.ok(count > 100 && count < 300, `${count} entries`);
});
