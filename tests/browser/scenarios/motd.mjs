// The page shows the message of the day, also a line that looks like one of HELP. When it reconnects, it shows only the lines that are new.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expectText, forgiveLostConnections, hear, join, nc, play, serve } from '../stage.mjs';

const directory = mkdtempSync(path.join(os.tmpdir(), 'chinwag-'));
const file = path.join(directory, 'motd');
const options = ['--motd', file];

await play(async () => {
  writeFileSync(file, 'Welcome.\n\nNOTE: the build room is #build.\n');
  const server = await serve({ options });
  const alice = await join(server, 'alice');
  await hear(alice, 'Server: Welcome.');
  await hear(alice, 'Server: NOTE: the build room is #build.');
  await expectText(alice, '#connection', 'Connected');

  await server.stop();
  await hear(alice, 'The connection was lost.');
  writeFileSync(file, 'Welcome.\nNew today: #tea.\n');
  const { line, web } = server;
  const again = await serve({ line, web, options });
  await expectText(alice, '#connection', 'Connected');
  await hear(alice, 'Server: New today: #tea.');
  const nora = nc(again, 'nora');
  await nora.hear(/^HELLO/, 'NOTICE Welcome.', 'NOTICE New today: #tea.', 'OK NICK nora');
  await hear(alice, 'nora');
  const shown = await alice.locator('#log').innerText();
  assert.equal(shown.split('Server: Welcome.').length, 2, shown);
  forgiveLostConnections();
});

rmSync(directory, { recursive: true });
