// The menu of a member offers what the user's rank allows, and nothing else: to a guest, a moderator, the owner of the room and an operator.
// Ranks that change while the page is open change the menu.

import assert from 'node:assert/strict';
import {
  enter, expect, expectText, hear, join, logIn, nc, openRoom, play, register, say, serveAccounts, setRole,
} from '../stage.mjs';

const MODERATE = ['Mute…', 'Remove…', 'Ban…', 'Ban the connection…'];

/** Opens the menu of a member with the button in the list, and returns its items once the members have been listed again. */
async function menuOf(page, name) {
  await page.getByRole('button', { name: `Actions for ${name}`, exact: true }).click();
  return shown(page, name);
}

/** Opens the menu of the author of a message. */
async function menuAtMessage(page, name) {
  await page.locator('#log .who .name', { hasText: name }).last().click();
  return shown(page, name);
}

async function shown(page, name) {
  await expectText(page, '#menu-name', name);
  const items = await page.getByRole('menuitem').allInnerTexts();
  await page.keyboard.press('Escape');
  await page.locator('#member-menu').waitFor({ state: 'hidden' });
  return items;
}

/** Lets the page do one piece of its work a frame, as on a slow machine. */
async function slowDown(page) {
  await page.evaluate(() => {
    const now = performance.now.bind(performance);
    let later = 0;
    performance.now = () => now() + (later += 3);
  });
}

/** Waits until the list has these ranks, in the order of the members. */
async function expectRanks(page, ...ranks) {
  await expect(page, (wanted) => {
    const shown = [...document.querySelectorAll('#names li')].map((item) => {
      const rank = item.querySelector('.rank');
      return `${item.querySelector('bdi').textContent}${rank ? ` ${rank.textContent}` : ''}`;
    });
    return shown.join() === wanted.join();
  }, ranks, `the members should be ${ranks}`);
}

await play(async () => {
  const server = await serveAccounts();
  await register(server, 'owen', 'mia', 'olga');
  await setRole(server, 'olga', 'operator');
  const owen = await logIn(server, 'owen', '#ops');
  const mia = await logIn(server, 'mia', '#ops');
  const olga = await logIn(server, 'olga', '#ops');
  const gus = await join(server, 'gus');
  await enter(gus, '#ops');
  const tom = nc(server, 'tom');
  tom.say('JOIN #ops', '#ops MSG I am tom');
  for (const page of [owen, mia, olga, gus]) await hear(page, 'tom', 'I am tom');
  await expectRanks(gus, 'owen owner', 'mia', 'olga operator', 'gus', 'tom');

  // A guest may whisper.
  assert.equal(await gus.locator('.more').count(), 0);
  assert.equal(await gus.locator('#show-bans').isVisible(), false);
  assert.deepEqual(await menuAtMessage(gus, 'tom'), ['Whisper']);
  await gus.locator('#log .who .name', { hasText: 'tom' }).click();
  await gus.getByRole('menuitem', { name: 'Whisper' }).click();
  await expectText(gus, '#whispered-to', 'tom');
  await say(gus, '/kick tom');
  await expectText(gus, '#not-sent', 'Only the owner of the room, its moderators and the operators of the server can do that.');
  await gus.fill('#text', '/k');
  await gus.press('#text', 'Tab');
  assert.equal(await gus.inputValue('#text'), '/k', 'the command is not completed');

  // Mia becomes a moderator. Her list is still being changed by the event when the reply to WHO changes it again.
  await slowDown(mia);
  assert.equal(await mia.locator('.more').count(), 0);
  assert.deepEqual(await menuOf(owen, 'mia'), ['Whisper', ...MODERATE, 'Make moderator']);
  await owen.getByRole('button', { name: 'Actions for mia' }).click();
  await owen.getByRole('menuitem', { name: 'Make moderator' }).click();
  await hear(owen, 'You made mia a moderator');
  await hear(mia, 'owen made you a moderator');
  await hear(gus, 'owen made mia a moderator');
  await expectRanks(gus, 'owen owner', 'mia moderator', 'olga operator', 'gus', 'tom');
  assert.deepEqual(await menuOf(mia, 'tom'), ['Whisper', ...MODERATE]);
  assert.deepEqual(await menuAtMessage(mia, 'tom'), ['Whisper', ...MODERATE, 'Delete message']);
  assert.deepEqual(await menuOf(mia, 'owen'), ['Whisper'], 'the owner has a higher rank');
  assert.equal(await mia.locator('#show-bans').isVisible(), true);
  await mia.fill('#text', '/k');
  await mia.press('#text', 'Tab');
  assert.equal(await mia.inputValue('#text'), '/kick ');
  await mia.fill('#text', '');

  // The owner appoints, and takes back; nobody acts against an operator.
  assert.deepEqual(await menuOf(owen, 'mia'), ['Whisper', ...MODERATE, 'Take back moderator']);
  assert.deepEqual(await menuOf(owen, 'olga'), ['Whisper']);
  await owen.getByRole('button', { name: 'Actions for tom' }).click();
  await owen.getByRole('menuitem', { name: 'Make moderator' }).click();
  await hear(owen, 'tom has no account, and only an account can be a moderator.');

  // An operator may do all of that in each room, and chooses the place. Others have no choice.
  assert.deepEqual(await menuOf(olga, 'owen'), ['Whisper', ...MODERATE]);
  assert.deepEqual(await menuOf(olga, 'mia'), ['Whisper', ...MODERATE, 'Take back moderator']);
  for (const [page, mayChoose] of [[olga, true], [owen, false]]) {
    await page.getByRole('button', { name: 'Actions for tom' }).click();
    await page.getByRole('menuitem', { name: 'Mute…' }).click();
    await expectText(page, '#moderation-title', 'Mute tom');
    assert.equal(await page.locator('#moderation-place').isVisible(), mayChoose);
    await page.keyboard.press('Escape');
  }

  // Moderators do not learn the address that an operator bans.
  await say(olga, '/ban 198.51.100.7 botnet');
  await olga.click('#moderate');
  await hear(olga, 'You banned an address for 1 day: botnet');
  await hear(mia, 'olga banned an address for 1 day: botnet');
  for (const [page, target] of [[olga, '198.51.100.7'], [mia, 'An address']]) {
    await page.click('#show-bans');
    await expectText(page, '#ban-list .ban-target', target);
    await page.keyboard.press('Escape');
  }
  assert.ok(!(await mia.content()).includes('198.51'), 'the address is nowhere in the page');

  await openRoom(olga, '#lobby');
  await openRoom(owen, '#lobby');
  await olga.getByRole('button', { name: 'Actions for owen' }).waitFor();
  await expectRanks(owen, 'owen', 'mia', 'olga operator', 'gus', 'tom');
  assert.equal(await owen.locator('.more').count(), 0, 'the owner of a room has no rank in the lobby');

  // An operator that is none any more learns it from its menu.
  await setRole(server, 'olga', 'user');
  await olga.getByRole('button', { name: 'Actions for tom' }).click();
  await expect(olga, () => document.querySelectorAll('.more').length === 0, null, 'the buttons are gone');
  assert.deepEqual(await olga.getByRole('menuitem').allInnerTexts(), ['Whisper']);
  await olga.keyboard.press('Escape');

  // The author of a message has left: it can be muted and banned by its name.
  tom.say('QUIT');
  await hear(mia, 'tom left');
  assert.deepEqual(await menuAtMessage(mia, 'tom'), ['Mute…', 'Ban…', 'Delete message']);
});
