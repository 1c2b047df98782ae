// While disconnected, the header, the member list and the composer show it.

import assert from 'node:assert/strict';
import { expect, expectHere, expectText, forgiveLostConnections, hear, join, nc, play, serve, wire } from '../stage.mjs';

await play(async () => {
  const server = await serve();
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const line = await wire(server.web);
  const alice = await join(line, 'alice');
  await expectHere(alice, 'nora*', 'alice');
  await expectText(alice, '#people-title', 'Members 2');
  await expectText(alice, '#send', 'Send');

  for (const width of [1280, 390]) {
    await alice.setViewportSize({ width, height: 760 });
    line.cut();
    await expectText(alice, '#connection', 'Not connected. Retrying…');
    await expectText(alice, '#people-title', 'Last seen 2');
    await expectText(alice, '#send', 'Waiting…');
    assert.equal(await alice.locator('#send').getAttribute('aria-disabled'), 'true');
    assert.equal(await alice.locator('#retry').isVisible(), true);
    await alice.fill('#text', 'wait for it');
    await alice.press('#text', 'Enter');
    await expectText(alice, '#not-sent', 'Not sent: no connection. Your text is kept.');
    assert.equal(await alice.inputValue('#text'), 'wait for it');
    if (width === 1280) await expectText(alice, '#people-help', 'Not connected: this list may be out of date.');
    line.mend();
    // Not alice.click(): the page may connect by itself before that, and then the button is gone.
    await alice.evaluate(() => document.getElementById('retry').click());
    await expect(alice, () => document.getElementById('connection').textContent === 'Connected', null, 'connected again');
    await expectText(alice, '#people-title', 'Members 2');
    await expectText(alice, '#send', 'Send');
    assert.equal(await alice.locator('#not-sent').isVisible(), false);
  }
  await alice.press('#text', 'Enter');
  await nora.hear('JOIN alice', 'MSG alice wait for it');
  await hear(alice, 'alice', 'wait for it');
  forgiveLostConnections();
});
