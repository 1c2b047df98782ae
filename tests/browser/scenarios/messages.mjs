// Messages go from a page to another page and to nc, and back. The panel keeps its scroll position while the user reads.

import assert from 'node:assert/strict';
import { expect, expectText, hear, join, nc, play, say, serve } from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0'] });
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  nora.say('MSG before anybody came');
  await nora.hear('OK MSG 1');

  const alice = await join(server, 'alice');
  const past = await hear(alice, 'before anybody came');
  assert.match(await past.getAttribute('class'), /past/);
  assert.deepEqual(await alice.locator('#log > *').evaluateAll((entries) => entries.map(({ className }) => className)), [
    'day', 'msg past', 'event',
  ]);
  const bob = await join(server, 'bob');
  await nora.hear('JOIN alice', 'JOIN bob');

  await say(alice, 'hello bob');
  await nora.hear('MSG alice hello bob');
  assert.match(await (await hear(bob, 'alice', 'hello bob')).getAttribute('class'), /mention/);
  nora.say('MSG look at https://example.org/a_(b)?c=1. And at javascript:alert(1)');
  const links = (await hear(alice, 'look at')).locator('a');
  assert.deepEqual(
    await links.evaluateAll((all) => all.map(({ href, rel, target }) => ({ href, rel, target }))),
    [{ href: 'https://example.org/a_(b)?c=1', rel: 'noopener noreferrer', target: '_blank' }],
  );
  await alice.getByRole('button', { name: 'smile' }).click();
  await alice.getByRole('button', { name: 'frown' }).click();
  await alice.click('#send');
  await hear(bob, 'alice', '🙂🙁');

  nora.say(...Array.from({ length: 60 }, (_, number) => `MSG line ${number}`));
  await hear(bob, 'line 59');
  await bob.locator('#log').evaluate((log) => (log.scrollTop = 0));
  await expect(bob, () => document.getElementById('log').scrollTop === 0, null, 'scrolled up');
  // The page handles a scroll in the next frame.
  await bob.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  nora.say('MSG one more', 'MSG and another');
  await expectText(bob, '#new-messages', '2 new messages ↓');
  assert.equal(await bob.title(), '(2) chinwag');
  assert.equal(await bob.locator('#log').evaluate((log) => log.scrollTop), 0);
  await bob.click('#new-messages');
  await expect(bob, () => document.title === 'chinwag', null, 'all is read');
  await hear(bob, 'and another');

  await alice.fill('#text', 'two lines\nat once');
  await alice.press('#text', 'Enter');
  await hear(bob, 'two lines');
  await hear(bob, 'at once');

  const carol = await join(server, 'carol');
  await hear(carol, 'at once');
  assert.equal(await carol.locator('#log .past').count(), 20);
});
