// The page has its own texts for refusals: neither a refusal nor a notice shows protocol syntax to the user.

import assert from 'node:assert/strict';
import net from 'node:net';
import { expectText, hear, intercept, nc, open, play, serve, takeName } from '../stage.mjs';

/** The reply to each line, of a client with a name. */
async function replies({ line }, lines) {
  const socket = net.connect(line, '127.0.0.1');
  socket.end(['NICK probe', ...lines, ''].join('\n'));
  let text = '';
  for await (const bytes of socket) text += bytes;
  return text.split('\n').filter((line) => line.startsWith('ERR '));
}

const REFUSED = [
  'NICK', 'NICK a,b', 'NICK two words', 'NICK \u0345', `NICK ${'x'.repeat(33)}`, 'NICK nora', 'NICK NORA', 'NICK nоra',
  'RESUME', 'RESUME x', 'RESUME x y', `RESUME 1-${'0'.repeat(32)}`,
  'WHISPER', 'WHISPER nora', 'WHISPER nora, psst', 'WHISPER zed psst', 'WHISPER probe psst', `WHISPER ${'a,'.repeat(33)}a psst`,
  'WHO else', 'HISTORY x', 'HISTORY 1 2', 'SINCE', 'SINCE 1 zzzz', 'SINCE 99', 'SEARCH', 'SEARCH tea',
  'DRAW', 'DRAW #1e90ff', 'DRAW #1e90ff 4', `DRAW #1e90ff 4${' 0,0'.repeat(401)}`, 'CANVAS 5', 'STATUS', 'PING a b',
  'JOIN', 'JOIN ops', 'JOIN #', 'JOIN #a b', 'JOIN #l0bby', `JOIN #${'x'.repeat(33)}`, `JOIN ${'#a,'.repeat(17)}#b`,
  'PART', 'PART ops', 'PART #ghost', 'ROOMS x', `TOPIC ${'x'.repeat(600)}`, 'TOPIC \u200b', 'NICK a #b',
  'HELP me', 'SET', 'SET echo', 'SET resume on', 'CHAT on', 'MSG', `MSG ${'x'.repeat(5000)}`,
  'hello', '/who', '/tell nora psst', '\u200b',
];

/** Protocol syntax: a word in capitals, a hint to write a command, an argument in brackets. */
const SYNTAX = /\b[A-Z]{3,}\b|\bwrite\b|[[\]]/;

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0', '--resume-timeout', '0'] });
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  const alice = await open(server);

  const lines = await replies(server, REFUSED);
  assert.equal(lines.length, REFUSED.length, lines.join('\n'));
  const worded = await alice.evaluate(async (lines) => {
    const [{ parse }, { refusal }] = await Promise.all([import('/protocol.js'), import('/wording.js')]);
    return lines.map((line) => refusal(parse(line)));
  }, lines);
  worded.forEach((words, at) => {
    assert.match(words, /^([A-Z\d]|(nora|NORA|nоra|zed|#l0bby) ).*\.$/u, lines[at]);
    const own = words.replaceAll('NORA', '');
    assert.doesNotMatch(own, SYNTAX, lines[at]);
  });
  const words = (line) => worded[lines.findIndex((each) => each.startsWith(line))];
  assert.equal(words('ERR NICK name-taken nora'), 'nora is taken. Choose another name.');
  assert.equal(words('ERR WHISPER target-absent'), 'zed is not here.');
  assert.equal(words('ERR JOIN room-alike'), '#l0bby looks too much like #lobby, which exists.');
  assert.equal(words('ERR SEARCH no-store'), 'Search is disabled on this server.');

  let isHeld = true;
  const sockets = await intercept(alice, (line) => isHeld && line.startsWith('MSG '));
  await takeName(alice, '\u0345');
  const why = 'A name must begin with a letter or a digit, not with an invisible character (U+0345).';
  await expectText(alice, '#name-error', why);
  await takeName(alice, 'alice');
  await expectText(alice, '#connection', 'Connected');
  const refuse = async (refusal, shown) => {
    await alice.fill('#text', 'hi');
    await alice.press('#text', 'Enter');
    sockets.inject(refusal);
    await expectText(alice, '#not-sent', shown);
    assert.equal(await alice.inputValue('#text'), 'hi');
  };
  const notStored = 'ERR MSG not-stored the message was not delivered: the server is shutting down';
  await refuse(`${notStored}; try again later`, 'Not sent: The server could not store the message. Try again later.');
  await refuse(
    `${notStored}; it may have been stored; look for it in HISTORY before you try again`,
    'Not sent: The server could not store the message. It may still have been published. Look for it before you send it again.',
  );
  // A refusal of a later server version.
  await refuse('ERR MSG off-key it is off key; try again later', 'Not sent: It is off key. Try again later.');

  // The message of the day may begin as a line of HELP does.
  sockets.inject('NOTICE NOTE: maintenance at noon', 'NOTICE the server is shutting down');
  await hear(alice, 'Server: NOTE: maintenance at noon');
  await hear(alice, 'Server: the server is shutting down');
  isHeld = false;
});
