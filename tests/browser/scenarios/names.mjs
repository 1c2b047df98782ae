// The dialog explains why a name is refused, and asks again. An accepted name is remembered, and can be changed.

import { expect, expectHere, expectText, hear, nc, open, openIn, play, serve, takeName } from '../stage.mjs';

await play(async () => {
  const server = await serve();
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');

  const page = await open(server);
  await expectText(page, '#address', `127.0.0.1:${server.web}`);
  await expectText(page, '#connection', 'Not connected');
  await takeName(page, 'nora');
  await expectText(page, '#name-error', '“nora” is taken. Choose another name.');
  await takeName(page, 'a,b');
  await expectText(page, '#name-error', 'A name cannot contain a comma.');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await takeName(page, 'alice');
  await expectText(page, '#connection', 'Connected');
  await expectText(page, '#me', 'alice');
  await hear(page, 'You joined');
  await nora.hear('JOIN alice');

  await page.click('#rename');
  await takeName(page, 'nora');
  await expectText(page, '#name-error', '“nora” is taken. Choose another name.');
  await takeName(page, 'zoë');
  await expectText(page, '#me', 'zoë');
  await expectHere(page, 'nora*', 'zoë');
  await nora.hear('RENAME alice zoë');

  const another = await openIn(page.context(), server);
  await expect(another, () => document.getElementById('name').value === 'zoë', null, 'the name is remembered');
});
