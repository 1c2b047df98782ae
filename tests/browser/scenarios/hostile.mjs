// Messages with HTML, control characters or extreme lengths stay text, and do not break the layout.

import assert from 'node:assert/strict';
import { expectHere, hear, join, nc, play, say, serve } from '../stage.mjs';

await play(async () => {
  const server = await serve();
  const alice = await join(server, 'alice');
  const eve = nc(server, 'eve');
  await expectHere(alice, 'alice*', 'eve');

  const texts = [
    '<script>document.title = "owned"</script>',
    '<img src=x onerror="document.title=1"><b>bold</b> &amp; &lt;',
    'https://example.org/"><script>alert(1)</script>',
    `${'x'.repeat(4000)} end`,
  ];
  for (const text of texts) eve.say(`MSG ${text}`);
  for (const text of texts) assert.equal(await (await hear(alice, text)).locator('.said').textContent(), text);
  assert.equal(await alice.locator('#log script, #log img, #log b').count(), 0);
  assert.equal(await alice.title(), 'chinwag');

  // Direction overrides are replaced, and right-to-left text changes no direction but its own.
  eve.say('MSG \u202egnp.exe', 'MSG שלום עולם', 'NICK דוד');
  await hear(alice, '\ufffdgnp.exe');
  const hebrew = await hear(alice, 'שלום עולם');
  assert.equal(await hebrew.locator('.said').evaluate((said) => getComputedStyle(said).direction), 'rtl');
  assert.equal(await hebrew.evaluate((entry) => getComputedStyle(entry).direction), 'ltr');
  await expectHere(alice, 'alice*', 'דוד');

  // Regression: 100 links that consist of brackets took 8 s.
  const took = await alice.evaluate(async () => {
    const { textNodes } = await import('/text.js');
    const start = performance.now();
    for (let times = 0; times < 100; times += 1) textNodes(`http://a/${')'.repeat(4000)}`, 'alice');
    return performance.now() - start;
  });
  assert.ok(took < 1000, `${took} ms`);

  const overflow = await alice.locator('#log').evaluate((log) => log.scrollWidth - log.clientWidth);
  assert.equal(overflow, 0);
  await say(alice, 'y'.repeat(4000));
  await hear(alice, 'y'.repeat(4000));
  await alice.fill('#text', '🙂'.repeat(4000));
  await alice.press('#text', 'Enter');
  await alice.locator('#not-sent').waitFor();
  assert.equal((await alice.inputValue('#text')).length, 8000);
});
