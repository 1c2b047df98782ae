// An operator removes and bans on the whole server. The page of the member that is put out says what has happened, and does not come back by
// itself.

import assert from 'node:assert/strict';
import { expect, expectText, hear, join, logIn, play, register, say, serveAccounts, setRole, takeName } from '../stage.mjs';

await play(async () => {
  const server = await serveAccounts();
  await register(server, 'olga');
  await setRole(server, 'olga', 'operator');
  const olga = await logIn(server, 'olga');
  const tom = await join(server, 'tom');
  let sockets = 0;
  tom.on('websocket', () => (sockets += 1));

  /** Does something to tom, in a place, with a reason. */
  const moderate = async (action, place, reason) => {
    await olga.getByRole('button', { name: 'Actions for tom' }).click();
    await olga.getByRole('menuitem', { name: action }).click();
    if (place) await olga.getByRole('radio', { name: place }).check();
    await olga.fill('#moderation-reason', reason);
    await olga.click('#moderate');
    await olga.locator('#moderation-dialog').waitFor({ state: 'hidden' });
  };
  /** Waits until the page has given up, for this reason. */
  const expectOut = async (reason) => {
    await expectText(tom, '#name-reason', reason);
    await expectText(tom, '#connection', 'Not connected');
    assert.equal(await tom.locator('#retry').isVisible(), false, 'it does not connect again');
    await expect(tom, () => document.querySelectorAll('#names li').length === 0, null, 'nobody is shown');
  };

  await moderate('Mute…', 'The whole server', '');
  await hear(olga, 'You have muted tom on the whole server for 10 minutes.');
  await hear(tom, 'olga has muted you for 10 minutes');
  await olga.click('#show-bans');
  await expectText(olga, '#bans-status', 'Nobody is banned or muted here.');
  await olga.click('#bans-of-server');
  await expectText(olga, '#bans-title', 'Bans and mutes on the server');
  await olga.getByRole('button', { name: 'Unmute tom' }).click();
  await hear(tom, 'olga lets you speak again');
  await olga.keyboard.press('Escape');

  // Removed from its only room, tom is still on the server.
  await moderate('Remove…', null, 'read the topic');
  await hear(tom, 'You were removed from #lobby by olga: read the topic. To come back, type /join #lobby');
  await say(tom, '/join #lobby');
  await olga.getByRole('button', { name: 'Actions for tom' }).waitFor();
  await say(tom, 'I have read it');
  await hear(olga, 'tom', 'I have read it');

  await moderate('Remove…', 'The whole server', 'flooding');
  await expectOut('You were removed from the server by olga: flooding.');
  await hear(olga, 'tom was removed by you: flooding');
  await takeName(tom, 'tom');
  await expectText(tom, '#connection', 'Connected');

  await moderate('Ban…', 'The whole server', 'flooding');
  await hear(olga, 'You have banned tom from the whole server for 1 day.');
  await expectOut('You were banned from the server by olga: flooding.');
  await takeName(tom, 'tom');
  await expect(tom, () => /^You are banned from this server until .+: flooding\.$/.test(document.getElementById('name-error').innerText),
    null, 'the name is banned');
  assert.equal(sockets, 2, 'each time the user has asked for it');
});
