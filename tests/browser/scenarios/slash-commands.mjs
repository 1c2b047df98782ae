// A line that begins with a slash is a command, a whisper or a refusal, and is never sent to everybody.

import assert from 'node:assert/strict';
import { expect, expectHere, expectText, hear, join, nc, play, serve } from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0'] });
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const alice = await join(server, 'alice');
  const bob = nc(server, 'bob');
  await bob.hear(/^HELLO/, 'OK NICK bob');
  await nora.hear('JOIN alice', 'JOIN bob');
  await expectHere(alice, 'nora*', 'alice', 'bob');
  const type = async (text) => {
    await alice.fill('#text', text);
    await alice.press('#text', 'Enter');
  };
  const refuse = async (text, why) => {
    await type(text);
    await expect(alice, (wanted) => document.getElementById('not-sent').textContent.includes(wanted), why, `${text} is refused`);
    assert.equal(await alice.inputValue('#text'), text, 'it stays in the box');
  };

  for (const command of ['/w', '/msg', '/WHISPER', '  /w', '\t/msg', '\u00a0/W', '\u3000/w', '\u0085/w', '／w', '\u200b/msg', '\u001b/w']) {
    await type(`${command} bob psst`);
    await bob.hear('WHISPER alice psst');
  }
  await type('/w bob,nora to both');
  await bob.hear('WHISPER alice to both');
  await hear(alice, 'alice', 'whispers to bob, nora', 'to both');

  await refuse('/shrug', 'Unknown command /shrug. Type /help for a list of commands.');
  await refuse('/shrug', 'To send it as a message, type //shrug');
  await refuse('/', 'Unknown command /');
  await refuse('/ w bob psst', 'Unknown command /');
  await refuse('/wbob psst', 'Unknown command /wbob');
  await refuse('/constructor x', 'Unknown command /constructor');
  await refuse('/set tags off', '/set is not available on this page.');
  await refuse('/w bob', 'Type /w name text to whisper');
  await refuse('/w bob, nora psst', 'Type /w name text to whisper');
  await refuse('/w zed psst', 'Not sent: zed is not here.');
  await refuse('/w alice psst', 'You cannot whisper to yourself.');
  await refuse('/nick a,b', 'A name cannot contain a comma.');
  await refuse('/who else', 'Type /who to list the members.');
  await refuse('/status', 'Only the coordinator');
  await refuse('one\n/shrug\nthree', 'Unknown command /shrug');
  await refuse('one\n/quit', 'Not sent: a command must be the only line.');

  // Pasted control characters cannot delete the command that the page puts before the text.
  await alice.evaluate(() => (document.getElementById('text').value = `${'\b'.repeat(9)}QUIT`));
  await alice.press('#text', 'Enter');
  await type('//etc/motd');
  await type('  //indented');
  await type(' just a message');
  await nora.hear('WHISPER alice to both', /^MSG alice \ufffd+QUIT$/, 'MSG alice /etc/motd', 'MSG alice   /indented', 'MSG alice  just a message');

  await type('/who');
  await hear(alice, '3 members: nora (coordinator), alice (you) and bob.');
  await type('/ping');
  await hear(alice, /The server replied in \d+ ms\./);
  await type('/help');
  await hear(alice, '/w name text: whisper');
  await type('/canvas');
  assert.equal(await alice.locator('#drawing').isVisible(), true);
  await type('/canvas');

  // A line that names its recipient leaves the chosen recipients unchanged: the next line is still a whisper.
  await alice.getByRole('button', { name: 'bob', exact: true }).click();
  await type('/w nora aside');
  await nora.hear('WHISPER alice aside');
  await expectText(alice, '#whispered-to', 'bob');
  await type('for bob');
  await bob.hear(/^MSG alice \ufffd+QUIT$/, 'MSG alice /etc/motd', 'MSG alice   /indented', 'MSG alice  just a message');
  await bob.hear('WHISPER alice for bob');

  // While a line is typed, the page shows its recipients.
  await alice.fill('#text', '/w nora,bob psst');
  await expectText(alice, '#whispered-to', 'nora, bob');
  await expectText(alice, '#send', 'Whisper');
  await alice.fill('#text', '');
  await expectText(alice, '#send', 'Send');

  const complete = async (text, expected) => {
    await alice.fill('#text', text);
    await alice.press('#text', 'Tab');
    assert.equal(await alice.inputValue('#text'), expected);
  };
  await complete('no', 'nora: ');
  await complete('@no', '@nora ');
  await complete('see (no', 'see (nora ');
  await complete('see ("@NO', 'see ("@nora ');
  await complete('/w no', '/w nora ');
  await complete('/w bob,no', '/w bob,nora ');
  await complete('/wh', '/who ');
  await complete('first\nno', 'first\nnora: ');

  await type('/nick al');
  await expectText(alice, '#me', 'al');
  await nora.hear('RENAME alice al');
  await type('/quit time for tea');
  await nora.hear('LEAVE al quit time for tea');
  await expectText(alice, '#name-reason', 'You have left the room.');
});
