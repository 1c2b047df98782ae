// A proxy serves two servers under one origin, each under a path: pages join the server of their path, and do not share names.

import assert from 'node:assert/strict';
import {
  expect, expectHere, expectText, forgiveLostConnections, hear, nc, open, openIn, play, proxy, say, serve, takeName,
} from '../stage.mjs';

await play(async () => {
  const [a, b] = [await serve(), await serve()];
  const [nora, nick] = [nc(a, 'nora'), nc(b, 'nick')];
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  await nick.hear(/^HELLO/, 'OK NICK nick', 'COORDINATOR nick');
  const { web, cut } = await proxy({ '/a/': a, '/deep/path/b/': b });

  const alice = await open({ web, path: '/a' });
  assert.equal(alice.url(), `http://127.0.0.1:${web}/a/`);
  await takeName(alice, 'alice');
  await expectText(alice, '#connection', 'Connected');
  await nora.hear('JOIN alice');
  await expectHere(alice, 'nora*', 'alice');

  const bob = await openIn(alice.context(), { web, path: '/deep/path/b/index.html?room=/x/y#/z/' });
  assert.equal(await bob.inputValue('#name'), '', 'a name of another chat');
  await takeName(bob, 'bob');
  await expectText(bob, '#connection', 'Connected');
  await nick.hear('JOIN bob');
  await expectHere(bob, 'nick*', 'bob');
  await say(bob, 'under a path');
  await nick.hear('MSG bob under a path');

  // A proxy closes the connection after its timeout: the page reconnects, and other members see no LEAVE.
  cut();
  await hear(bob, 'The connection was lost.');
  await hear(bob, 'Connected again.');
  await expectText(bob, '#connection', 'Connected');
  await say(bob, 'still here');
  await nick.hear('MSG bob still here');
  forgiveLostConnections();

  for (const [path, name] of [['/a/', 'alice'], ['/a/index.html', 'alice'], ['/deep/path/b/', 'bob']]) {
    const page = await openIn(alice.context(), { web, path });
    await expect(page, (wanted) => document.getElementById('name').value === wanted, name, `${path} remembers ${name}`);
  }
});
