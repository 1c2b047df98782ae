// A page that came over http:// from another machine sends no password and no access token, whatever the greeting says: an attacker who can
// read them on the way can also write it.

import assert from 'node:assert/strict';
import { expect, expectText, open, play, serveAccounts } from '../stage.mjs';

const HELLO = 'HELLO chinwag/1 epoch=k7qd features=rooms,secure,accounts';

await play(async () => {
  const server = { ...(await serveAccounts('--http-origin', 'http://chat.example.org')), host: 'chat.example.org' };

  // The server does not say that this connection is secure.
  const alice = await open(server);
  const greetings = [];
  alice.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => greetings.push(payload)));
  await alice.reload();
  await expectText(alice, '#name-title', `Join the chat at chat.example.org:${server.web}`);
  await alice.fill('#name', 'alice');
  await alice.click('#take-name');
  await expectText(alice, '#me', 'alice');
  const hellos = greetings.filter((text) => /^HELLO/.test(text));
  assert.ok(hellos.length > 0 && hellos.every((text) => / features=rooms,watch,search,accounts /.test(text)), `${hellos}`);
  assert.equal(await alice.isVisible('#show-account'), false);

  // A greeting that says so proves nothing here.
  const sent = [];
  const greet = async (text) => {
    sent.length = 0;
    await alice.unrouteAll();
    await alice.routeWebSocket(/ws$/, (socket) => {
      socket.onMessage((line) => sent.push(line));
      socket.send(`${text}\n`);
    });
    await alice.reload();
  };
  const exposed = 'This server needs a password, but others could read it on the way. Open this page with https://';
  await greet(`${HELLO} type NICK and your name to join`);
  await alice.fill('#name', 'alice');
  await alice.click('#take-name');
  await expect(alice, () => document.getElementById('take-name').disabled, null, 'the page has sent the name');
  assert.equal(await alice.isVisible('#with-account'), false, 'no login is offered');
  await greet(`${HELLO},accounts-only type LOGIN, your name and your password`);
  await expectText(alice, '#name-error', exposed);
  await greet(`${HELLO},password type PASS and the password`);
  await alice.fill('#name', 'alice');
  await alice.click('#take-name');
  await expectText(alice, '#name-error', exposed);
  await alice.evaluate(() => {
    const login = { name: 'alice', number: 1, token: `cwt_${'0'.repeat(32)}`, expiresAt: '2099-01-01T00:00:00.000Z' };
    localStorage.setItem(`chinwag.login ${location.pathname}`, JSON.stringify(login));
  });
  await greet(`${HELLO} type NICK and your name to join`);
  await expectText(alice, '#name-error', exposed);
  assert.ok(!sent.some((line) => /^(LOGIN|TAKEOVER|TOKEN|PASS)/.test(line)), `${sent}`);

  // The user's own machine has several names.
  for (const host of ['localhost', '127.0.0.1']) {
    const page = await open({ ...server, host });
    await expect(page, () => document.getElementById('with-account').checkVisibility(), null, `the login is offered at ${host}`);
    await page.close();
  }
});
