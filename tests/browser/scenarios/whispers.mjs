// The next line goes only to the two chosen members of three. The line after it goes to everybody.

import assert from 'node:assert/strict';
import { expectHere, expectText, hear, join, nc, play, say, serve } from '../stage.mjs';

await play(async () => {
  const server = await serve();
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const [alice, bob, carol] = [await join(server, 'alice'), await join(server, 'bob'), await join(server, 'carol')];
  await nora.hear('JOIN alice', 'JOIN bob', 'JOIN carol');
  await expectHere(alice, 'nora*', 'alice', 'bob', 'carol');

  const choose = (name) => alice.getByRole('button', { name, exact: true }).click();
  await choose('nora coordinator');
  await choose('bob');
  await expectText(alice, '#whispered-to', 'nora, bob');
  await say(alice, 'not a word to carol');
  await nora.hear('WHISPER alice not a word to carol');
  await hear(bob, 'alice whispers', 'not a word to carol');
  await hear(alice, 'alice whispers to nora, bob', 'not a word to carol');
  await expectText(alice, '#send', 'Send');
  await say(alice, 'good morning');
  await hear(carol, 'good morning');
  assert.equal(await carol.getByText('not a word').count(), 0);

  // Both lines of a whisper of two lines go only to the chosen members.
  await choose('bob');
  await alice.fill('#text', 'psst, one\npsst, two');
  await alice.press('#text', 'Enter');
  await hear(bob, 'alice whispers', 'psst, one');
  await hear(bob, 'alice whispers', 'psst, two');
  await say(alice, 'that was all');
  await hear(carol, 'that was all');
  assert.equal(await carol.getByText('psst').count(), 0);

  // A chosen member who leaves stays chosen, so that a whisper never becomes public.
  await choose('bob');
  await alice.fill('#text', 'a secret for bob');
  await bob.click('#quit');
  await expectHere(alice, 'nora*', 'alice', 'carol');
  await alice.press('#text', 'Enter');
  await expectText(alice, '#not-sent', 'Not sent: bob is not here. Choose other recipients, or everybody.');
  assert.equal(await alice.inputValue('#text'), 'a secret for bob');
  await alice.click('#to-all');
  await alice.fill('#text', 'and now for all');
  await alice.press('#text', 'Enter');
  await hear(carol, 'and now for all');
  assert.equal(await carol.getByText('a secret').count(), 0);

  nora.say('WHISPER carol from nc to a page');
  await hear(carol, 'nora whispers', 'from nc to a page');
});
