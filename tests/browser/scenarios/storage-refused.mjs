// The page works in a browser that refuses to store data.

import { expectHere, open, play, serve, takeName } from '../stage.mjs';

await play(async () => {
  const page = await open(await serve());
  await page.addInitScript(() => {
    const refuse = () => {
      throw new DOMException('Access is denied for this document.', 'SecurityError');
    };
    Object.defineProperty(globalThis, 'localStorage', { get: refuse });
  });
  await page.reload();
  await takeName(page, 'alice');
  await expectHere(page, 'alice*');
});
