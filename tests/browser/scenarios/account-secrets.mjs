// The commands of accounts: the page refuses to publish one that was typed as a message, where the server does in chat mode; typed with a
// slash, it opens a dialog and sends nothing. No refusal shows protocol syntax.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { expectFocus, expectText, intercept, nc, open, play, say, serve, serveAccounts, takeName } from '../stage.mjs';

/** Lines that are refused, and lines that are said, on a server with accounts and a password. */
const TABLE = JSON.parse(readFileSync(new URL('../../common/secret-lines.json', import.meta.url)));

/** Those that a server can answer, and that do not depend on its password. */
const LINES = [...TABLE.refused, ...TABLE.said].filter((line) => line.trim() && !/^\u200b?(?:pass|ｐａｓｓ|ＰＡＳＳ)(?!word)/i.test(line) && !line.startsWith('//'));

const REFUSED = [
  'REGISTER', 'REGISTER short', `REGISTER ${'x'.repeat(600)}`, `REGISTER cwt_${'0'.repeat(32)}`, 'PASSWORD staple staple', 'UNREGISTER staple staple',
  'TOKEN', 'TOKEN new', 'TOKEN new days=0 x', 'TOKEN list', 'TOKEN revoke x', 'TOKEN revoke 1', 'LOGIN', 'LOGIN a,b x', 'LOGIN alice',
  `LOGIN ${'x'.repeat(40)} hunter22`, 'LOGIN alice hunter22', 'TAKEOVER alice hunter22', 'LOGIN nora correct horse', 'NICK nora', 'REGISTER hunter22',
  'REGISTER hunter22', 'LOGIN alice hunter22', 'TOKEN revoke 9', 'PASSWORD short',
];

/** Protocol syntax: a word in capitals, a hint to write a command, an argument in brackets. */
const SYNTAX = /\b[A-Z]{3,}\b|\bwrite\b|[[\]]|chinwagd/;

/** The replies to lines, of a client with a name. `ok` are the replies that are not errors, by their beginnings. */
async function repliesOf(client, lines) {
  const replies = [];
  for (const line of lines) {
    client.say(line);
    let reply;
    do reply = await client.next(); while (!/^(OK|ERR) /.test(reply));
    replies.push(reply);
  }
  return replies;
}

await play(async () => {
  const server = await serveAccounts();
  const closed = await serveAccounts('--registration', 'operators');
  const plain = await serve();
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  nora.say('REGISTER correct horse');
  await nora.hear('OK REGISTER nora');

  const alice = await open(server);
  const chat = nc(server, 'chat');
  await chat.hear(/^HELLO/, 'OK NICK chat');
  await repliesOf(chat, ['CHAT']);
  const isRefused = (await repliesOf(chat, LINES)).map((reply) => / secret-refused /.test(reply));
  const isSecret = await alice.evaluate(async (lines) => {
    const { looksLikeSecret } = await import('./secrets.js');
    return lines.map((line) => looksLikeSecret(line, { hasAccounts: true, hasPassword: false }));
  }, LINES);
  assert.deepEqual(LINES.filter((_, at) => isSecret[at]), LINES.filter((_, at) => isRefused[at]), 'the page refuses what the server refuses');
  const read = await alice.evaluate(async (table) => {
    const { looksLikeSecret } = await import('./secrets.js');
    const isRefused = (line) => looksLikeSecret(line, { hasAccounts: true, hasPassword: true });
    return { refused: table.refused.filter(isRefused), said: table.said.filter((line) => !isRefused(line)) };
  }, TABLE);
  assert.deepEqual(read, TABLE);

  const probe = nc(server, 'probe');
  await probe.hear(/^HELLO/, 'OK NICK probe');
  const refusals = (await repliesOf(probe, REFUSED)).filter((reply) => reply.startsWith('ERR '));
  assert.ok(refusals.length >= REFUSED.length - 1, refusals.join('\n'));
  for (const [other, ...lines] of [[closed, 'REGISTER hunter22'], [plain, 'REGISTER hunter22', 'LOGIN alice hunter22']]) {
    const client = nc(other, 'probe');
    await client.hear(/^HELLO/, 'OK NICK probe');
    refusals.push(...await repliesOf(client, lines));
  }
  const worded = await alice.evaluate(async (lines) => {
    const [{ parse }, { refusal }] = await Promise.all([import('./protocol.js'), import('./wording.js')]);
    return lines.map((line) => refusal(parse(line)));
  }, refusals);
  worded.forEach((words, at) => {
    assert.match(words, /^([A-Z]|nora ).*[.:\/]$/u, refusals[at]);
    assert.doesNotMatch(words, SYNTAX, refusals[at]);
  });
  const words = (line) => worded[refusals.findIndex((each) => each.startsWith(line))];
  assert.equal(words('ERR NICK name-registered'), 'nora belongs to an account. Log in to it, or choose another name.');
  assert.equal(words('ERR REGISTER registration-closed'), 'Only the operator of this server adds accounts. Ask the operator for one.');
  assert.equal(words('ERR REGISTER accounts-off'), 'This server has no accounts.');

  const sockets = await intercept(alice);
  await takeName(alice, 'alice');
  await expectText(alice, '#connection', 'Connected');
  const sent = sockets.sent.length;
  await say(alice, 'login alice hunter22');
  await expectText(alice, '#not-sent', 'Not sent: it looks like a password. To send it as a message, begin with a space.');
  await alice.fill('#text', '/register hunter22');
  await alice.press('#text', 'Enter');
  await expectText(alice, '#account-title', 'Make alice an account');
  await expectFocus(alice, 'register-password');
  assert.equal(await alice.inputValue('#register-password'), '');
  await alice.keyboard.press('Escape');
  await alice.fill('#text', '/login alice hunter22');
  await alice.press('#text', 'Enter');
  await expectFocus(alice, 'login-password');
  await alice.keyboard.press('Escape');
  for (const command of ['/password hunter22', '/unregister hunter22', '/token new build', '/account']) {
    await say(alice, command);
    await expectText(alice, '#account-title', 'Your account');
    await alice.keyboard.press('Escape');
  }
  await say(alice, '/logout');
  await expectText(alice, '#not-sent', 'You are not logged in.');
  await alice.fill('#text', '');
  assert.deepEqual(sockets.sent.slice(sent), [], 'nothing was sent');
  const stored = await alice.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
  assert.ok(!stored.includes('hunter22'), 'no draft has the secret');

  const guest = await open(plain);
  await takeName(guest, 'bob');
  await expectText(guest, '#connection', 'Connected');
  assert.equal(await guest.locator('#show-account').isVisible(), false);
  for (const command of ['/login', '/register hunter22', '/logout']) {
    await say(guest, command);
    await expectText(guest, '#not-sent', 'This server has no accounts.');
  }
});
