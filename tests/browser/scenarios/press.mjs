// A press on a name chooses the member on which it began, even if the list changes before it ends: a whisper never becomes
// public, and never goes to another member.

import assert from 'node:assert/strict';
import { expect, expectHere, expectText, hear, join, nc, play, serve } from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0'] });
  const [nora, zoe, bob] = [nc(server, 'nora'), nc(server), nc(server)];
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  zoe.say('NICK zoë');
  await nora.hear('JOIN zoë');
  bob.say('NICK bob');
  await nora.hear('JOIN bob');
  const alice = await join(server, 'alice');
  await expectHere(alice, 'nora*', 'zoë', 'bob', 'alice');
  const button = (name) => alice.locator(`#names button[data-name="${name}"]`);
  const press = async (name) => {
    const { x, y, height } = await button(name).boundingBox();
    await alice.mouse.move(x + 20, y + height / 2);
    await alice.mouse.down();
  };
  const send = async (text) => {
    await alice.fill('#text', text);
    await alice.press('#text', 'Enter');
  };

  // A member joins, and another one above leaves: the list moves under the pointer.
  await press('bob');
  const carol = nc(server, 'carol');
  await nora.hear('JOIN alice', 'JOIN carol');
  zoe.say('QUIT');
  await expectHere(alice, 'nora*', 'bob', 'alice', 'carol');
  await alice.mouse.up();
  await expectText(alice, '#whispered-to', 'bob');
  await send('one');
  await bob.hear(/^HELLO/, 'OK NICK bob', 'JOIN alice', 'JOIN carol', 'LEAVE zoë quit', 'WHISPER alice one');

  // The member changes its name during the press.
  await press('bob');
  bob.say('NICK robert');
  await expectHere(alice, 'nora*', 'robert', 'alice', 'carol');
  await alice.mouse.up();
  await expectText(alice, '#whispered-to', 'robert');
  await send('two');
  await bob.hear('OK NICK robert', 'WHISPER alice two');

  // The member leaves during the press: the whisper goes to nobody.
  await press('carol');
  carol.say('QUIT');
  await expectHere(alice, 'nora*', 'robert', 'alice');
  await alice.mouse.up();
  await expectText(alice, '#whispered-to', 'carol (not here)');
  await send('three');
  await expectText(alice, '#not-sent', 'Not sent: carol is not here. Choose other recipients, or everybody.');

  // Another member who takes the name does not get the whisper either, unless chosen.
  {
    bob.say('NICK carol');
    await expectHere(alice, 'nora*', 'carol', 'alice');
    await alice.press('#text', 'Enter');
    await expectText(alice, '#not-sent', 'Not sent: carol is not here. Choose other recipients, or everybody.');
    await button('carol').click();
    await expectText(alice, '#whispered-to', 'carol');
    await alice.press('#text', 'Enter');
    await bob.hear('LEAVE carol quit', 'OK NICK carol', 'WHISPER alice three');
  }

  // A press that moves away chooses nobody.
  await press('nora');
  await alice.mouse.move(300, 300);
  await alice.mouse.up();
  assert.equal(await alice.locator('#whispering').isVisible(), false);

  // The row stays the same element, so that the focus is kept.
  const marked = await button('carol').evaluateHandle((element) => element);
  bob.say('NICK bob');
  await expectHere(alice, 'nora*', 'bob', 'alice');
  assert.equal(await marked.evaluate((element) => element === document.querySelector('button[data-name="bob"]')), true);

  // When a focused member leaves, the focus moves to the next one, and a key press meant for the first chooses nobody.
  await button('nora').focus();
  nora.say('QUIT');
  await expectHere(alice, 'bob*', 'alice');
  await expect(alice, () => document.activeElement.dataset.name === 'bob', null, 'the focus is on the next name');
  await alice.evaluate(() => document.activeElement.click());
  assert.equal(await alice.locator('#whispering').isVisible(), false);
  bob.say('QUIT');
  await expectHere(alice, 'alice*');
  assert.equal(await alice.evaluate(() => document.activeElement.id), 'people-title');
  await hear(alice, 'bob left');
});
