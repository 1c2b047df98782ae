// axe-core finds nothing serious: in the join dialog, in the room and in the status dialog, in light and in dark.

import assert from 'node:assert/strict';
import { hear, nc, open, play, say, seriousFlaws, serve, takeName } from '../stage.mjs';

await play(async () => {
  const server = await serve();
  for (const colorScheme of ['light', 'dark']) {
    const page = await open(server, { colorScheme, reducedMotion: 'reduce' });
    const check = async (where) => assert.deepEqual(await seriousFlaws(page), [], `${where}, ${colorScheme}`);
    await takeName(page, 'a b');
    await page.locator('#name-error').filter({ hasText: '.' }).waitFor();
    await check('in the join dialog');
    await takeName(page, `alice-${colorScheme}`);
    await hear(page, 'You joined');
    const nora = nc(server, 'nora');
    nora.say(`WHISPER alice-${colorScheme} psst`, `MSG hello alice-${colorScheme}, see https://example.org/`);
    await hear(page, 'nora', 'hello');
    await say(page, 'good morning');
    await page.getByRole('button', { name: 'nora' }).click();
    await page.fill('#text', ' ');
    await check('in the room');
    await page.click('#check-status');
    await page.locator('#status-rows tr').first().waitFor();
    await check('with the status');
    await page.keyboard.press('Escape');
    nora.say('QUIT');
    await hear(page, 'nora left');
    await page.click('#quit');
  }
});
