// A moderator mutes, unmutes, bans and unbans, by keyboard and with the pointer, and everybody reads what has happened in plain words.

import assert from 'node:assert/strict';
import {
  enter, expect, expectFocus, expectText, hear, join, logIn, nc, play, register, say, seriousFlaws, serveAccounts,
} from '../stage.mjs';

/** Waits until the list of bans has these rows: the text, and the button. */
async function expectBans(page, ...rows) {
  await expect(page, (wanted) => {
    const shown = [...document.querySelectorAll('#ban-list li')].map((item) => item.innerText.replace(/\s+/g, ' ').trim());
    return shown.length === wanted.length && shown.every((text, at) => new RegExp(`^${wanted[at]}$`, 'u').test(text));
  }, rows, `the bans should be ${rows}`);
}

await play(async () => {
  const server = await serveAccounts();
  await register(server, 'owen');
  const owen = await logIn(server, 'owen', '#ops');
  const tom = await join(server, 'tom');
  await enter(tom, '#ops');
  const bob = nc(server, 'bob');
  bob.say('JOIN #ops');
  await hear(owen, 'bob joined');
  const focused = (page) => page.evaluate(() => document.activeElement.textContent);

  // The menu and the dialog by keyboard.
  const more = owen.getByRole('button', { name: 'Actions for tom' });
  await owen.locator('.person[data-name="tom"]').focus();
  await owen.keyboard.press('Tab');
  assert.equal(await focused(owen), '⋯');
  await owen.keyboard.press('Enter');
  await expectText(owen, '#menu-name', 'tom');
  assert.equal(await focused(owen), 'Whisper');
  for (const [key, item] of [['ArrowDown', 'Mute…'], ['End', 'Make moderator'], ['ArrowDown', 'Whisper'], ['ArrowUp', 'Make moderator'], ['Home', 'Whisper']]) {
    await owen.keyboard.press(key);
    assert.equal(await focused(owen), item, key);
  }
  assert.deepEqual(await seriousFlaws(owen), []);
  await owen.keyboard.press('Escape');
  assert.equal(await more.evaluate((button) => button === document.activeElement), true, 'the focus returns');
  await owen.keyboard.press('Enter');
  await owen.keyboard.press('ArrowDown');
  await owen.keyboard.press('Enter');
  await expectText(owen, '#moderation-title', 'Mute tom');
  await expectFocus(owen, 'moderation-duration');
  assert.deepEqual(await seriousFlaws(owen), []);
  await owen.keyboard.press('Tab');
  await owen.keyboard.type('2 loud');
  await owen.keyboard.press('Enter');
  await hear(owen, 'You muted tom for 10 minutes: 2 loud');
  await owen.locator('#moderation-dialog').waitFor({ state: 'hidden' });
  assert.equal(await more.evaluate((button) => button === document.activeElement), true, 'the focus returns');
  await hear(tom, 'owen has muted you for 10 minutes: 2 loud');
  await say(tom, 'why?');
  await expect(tom, () => /^Not sent: You are muted in #ops until \d\d:\d\d: 2 loud\.$|^Not sent: You are muted in #ops until .+, 00:\d\d: 2 loud\.$/
    .test(document.getElementById('not-sent').innerText), null, 'the page says why');

  // The list of bans and mutes.
  await owen.click('#show-bans');
  await expectText(owen, '#bans-title', 'Bans and mutes in #ops');
  await expectBans(owen, 'tom Muted by owen until .+: 2 loud Unmute');
  assert.equal(await owen.locator('#bans-places').isVisible(), false);
  assert.deepEqual(await seriousFlaws(owen), []);
  await owen.getByRole('button', { name: 'Unmute tom' }).press('Enter');
  await expectText(owen, '#bans-status', 'Nobody is banned or muted here.');
  await expectBans(owen);
  await expectFocus(owen, 'bans-title');
  await owen.keyboard.press('Escape');
  await hear(tom, 'owen lets you speak again');
  await tom.fill('#text', '');
  await say(tom, 'thank you');
  await hear(owen, 'tom', 'thank you');

  // A removed member may come back.
  await say(owen, '/kick tom look at the topic');
  await expectText(owen, '#moderation-title', 'Remove tom');
  assert.equal(await owen.inputValue('#moderation-reason'), 'look at the topic');
  assert.equal(await owen.locator('#moderation-time').isVisible(), false);
  await owen.keyboard.press('Enter');
  await hear(owen, 'tom was removed by you: look at the topic');
  await hear(tom, 'You were removed from #ops by owen: look at the topic. To come back, type /join #ops');
  await enter(tom, '#ops');
  await hear(owen, 'tom joined');

  // A ban, with the pointer, from the name at a message. It asks for a reason that looks like a duration.
  await owen.locator('#log .who .name', { hasText: 'tom' }).last().click();
  await owen.getByRole('menuitem', { name: 'Ban…' }).click();
  await owen.selectOption('#moderation-duration', 'Until it is lifted');
  await owen.fill('#moderation-reason', '3rd warning');
  await owen.click('#moderate');
  await hear(owen, 'You banned tom: “3rd warning”');
  await hear(tom, 'You were banned from #ops by owen: “3rd warning”.');
  await say(tom, '/join #ops');
  await expectText(tom, '#not-sent', 'You are banned from #ops: “3rd warning”.');

  // A refusal of the server stays in the dialog.
  await owen.getByRole('button', { name: 'Actions for bob' }).click();
  await owen.getByRole('menuitem', { name: 'Ban the connection…' }).click();
  await owen.click('#moderate');
  await expect(owen, () => document.getElementById('moderation-error').innerText.startsWith('bob has no address that can be banned: '),
    null, 'the page says why');
  await owen.getByRole('button', { name: 'Cancel' }).click();

  // The ban is lifted; another moderator's page would show it, too.
  await say(owen, '/bans');
  await expectBans(owen, 'tom Banned by owen until it is lifted: “3rd warning” Unban');
  await owen.getByRole('button', { name: 'Unban tom' }).click();
  await expectBans(owen);
  await owen.getByRole('button', { name: 'Close' }).click();
  await hear(owen, 'You lifted the ban of tom');
  await tom.fill('#text', '');
  await enter(tom, '#ops');
  await hear(owen, 'tom joined');
});
