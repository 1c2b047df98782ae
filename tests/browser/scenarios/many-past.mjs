// However much is told again, the page keeps a bounded part of it: the last.

import assert from 'node:assert/strict';
import { expectText, hear, intercept, open, play, serve, takeName } from '../stage.mjs';

await play(async () => {
  const page = await open(await serve());
  const sockets = await intercept(page);
  await takeName(page, 'alice');
  await expectText(page, '#connection', 'Connected');
  const told = Array.from({ length: 3000 }, (_, at) => `PAST ${at + 10} 2026-11-20T12:44:29.138Z nora said ${at + 10}`);
  sockets.inject(...told);
  await hear(page, 'said 3009');
  assert.equal(await page.locator('#log > *').count(), 2000);
});
