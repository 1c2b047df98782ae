// Mentions and Tab compare names as the server does, ignoring case and composition.

import assert from 'node:assert/strict';
import { expectHere, hear, join, nc, play, serve } from '../stage.mjs';

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0'] });
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const others = [];
  for (const name of ['νικος', 'Zoë']) {
    others.push(nc(server, name));
    await nora.hear(`JOIN ${name}`);
  }
  const page = await join(server, 'Straße');
  await expectHere(page, 'nora*', 'νικος', 'Zoë', 'Straße');

  /** The highlighted part of a message from another member. */
  const marked = async (text) => {
    nora.say(`MSG ${text}`);
    return (await hear(page, text)).last().locator('mark').allInnerTexts();
  };
  assert.deepEqual(await marked('STRASSE, strasse and (straẞe)!'), ['STRASSE', 'strasse', 'straẞe']);
  assert.deepEqual(await marked('Strassen, Stras and Ostraße'), []);
  // A letter that folds to two letters matches as a whole, or not at all.
  const found = await page.evaluate(async () => {
    const { namesIn } = await import('./case.js');
    return [['Straß', 'Stras'], ['ßa', 'sa'], ['㎏', 'k'], ['ßa', 'ssa']].map(([text, name]) => namesIn(text, name).length);
  });
  assert.deepEqual(found, [0, 0, 0, 1]);
  assert.match(await (await hear(page, 'strasse and')).first().getAttribute('class'), /mention/);

  const completed = async (begun) => {
    await page.fill('#text', begun);
    await page.press('#text', 'Tab');
    return page.inputValue('#text');
  };
  assert.equal(await completed('ΝΙΚΟΣ'), 'νικος: ');
  assert.equal(await completed('(νικοσ'), '(νικος ');
  assert.equal(await completed('@ZOE\u0308'), '@Zoë ');
  assert.equal(await completed('/w ｎｏ'), '/w nora ');
});
