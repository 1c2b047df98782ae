// The page shows the message of the day, also a line that looks like one of HELP, and a line that it has several times. When it reconnects, it shows only the lines that are new.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expectText, forgiveLostConnections, hear, join, nc, play, serve } from '../stage.mjs';

const directory = mkdtempSync(path.join(os.tmpdir(), 'chinwag-'));
const file = path.join(directory, 'motd');
const options = ['--motd', file];

await play(async () => {
  writeFileSync(file, '* * *\nWelcome.\n* * *\nNOTE: the build room is #build.\n* * *\n');
  const server = await serve({ options });
  const alice = await join(server, 'alice');
  await hear(alice, 'Server: Welcome.');
  await hear(alice, 'Server: NOTE: the build room is #build.');
  await expectText(alice, '#connection', 'Connected');
  const greeting = await alice.locator('#log').innerText();
  assert.equal(greeting.split('Server: * * *').length, 4, greeting);

  await server.stop();
  await hear(alice, 'The connection was lost.');
  writeFileSync(file, '* * *\nWelcome.\nNew today: #tea.\n* * *\n');
  const { line, web } = server;
  const again = await serve({ line, web, options });
  await expectText(alice, '#connection', 'Connected');
  await hear(alice, 'Server: New today: #tea.');
  const nora = nc(again, 'nora');
  await nora.hear(/^HELLO/, 'NOTICE * * *', 'NOTICE Welcome.', 'NOTICE New today: #tea.', 'NOTICE * * *', 'OK NICK nora');
  await hear(alice, 'nora');
  const shown = await alice.locator('#log').innerText();
  assert.equal(shown.split('Server: Welcome.').length, 2, shown);
  assert.equal(shown.split('Server: * * *').length, 4, shown);
  forgiveLostConnections();
});

rmSync(directory, { recursive: true });
