// Unsent text and its recipients survive a reload. Each tab has a draft of its own.

import assert from 'node:assert/strict';
import { expectHere, expectText, hear, join, nc, openIn, play, serve, takeName } from '../stage.mjs';

await play(async () => {
  const server = await serve();
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const alice = await join(server, 'alice');
  await expectHere(alice, 'nora*', 'alice');

  await alice.fill('#text', 'half a sentence\nand more');
  await alice.reload();
  assert.equal(await alice.inputValue('#text'), 'half a sentence\nand more');
  const tab = await openIn(alice.context(), server);
  assert.equal(await tab.inputValue('#text'), '', 'another tab has its own');
  await tab.close();

  await takeName(alice, 'alice');
  await expectHere(alice, 'nora*', 'alice');
  await alice.fill('#text', 'a secret');
  await alice.getByRole('button', { name: 'nora' }).click();
  await expectText(alice, '#whispered-to', 'nora');
  await alice.reload();
  assert.equal(await alice.inputValue('#text'), 'a secret');
  await takeName(alice, 'alice');
  await expectHere(alice, 'nora*', 'alice');
  await expectText(alice, '#whispered-to', 'nora');
  await alice.press('#text', 'Enter');
  await nora.hear('JOIN alice', 'LEAVE alice quit', 'JOIN alice', 'LEAVE alice quit', 'JOIN alice', 'WHISPER alice a secret');
  await hear(alice, 'whispers to nora', 'a secret');

  // If a recipient has left before the reload, the whisper goes to nobody.
  await alice.getByRole('button', { name: 'nora' }).click();
  await alice.fill('#text', 'another secret');
  await alice.reload();
  nora.say('QUIT');
  await takeName(alice, 'alice');
  await expectHere(alice, 'alice*');
  await expectText(alice, '#whispered-to', 'nora (not here)');
  await alice.press('#text', 'Enter');
  await expectText(alice, '#not-sent', 'Not sent: nora is not here. Choose other recipients, or everybody.');
  await alice.click('#to-all');
  await alice.fill('#text', '');
  await alice.reload();
  assert.equal(await alice.inputValue('#text'), '');
  assert.equal(await alice.locator('#whispering').isVisible(), false);
});
