// In small and low windows, and above a phone's keyboard, messages can be read and sent.

import assert from 'node:assert/strict';
import { expect, hear, join, nc, open, play, say, serve, takeName } from '../stage.mjs';

/** The visible part of an element, within the visible part of the page. */
const seen = (page, selector) => page.evaluate((selector) => {
  const { left, top, right, bottom } = document.querySelector(selector).getBoundingClientRect();
  const height = visualViewport.offsetTop + visualViewport.height;
  const isWhole = left >= 0 && top >= visualViewport.offsetTop && right <= innerWidth && bottom <= height + 0.5;
  const at = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
  return { isWhole, isOnTop: at !== null && document.querySelector(selector).contains(at), height: bottom - top };
}, selector);

/** Expects the last message, the box and Send to be visible. */
const expectTalk = async (page, where, selectors = ['#text', '#send', '#log > :last-child']) => {
  // Emptying and filling the box within one frame makes the browser scroll. This test is about the available space only.
  await page.locator('#log').evaluate((log) => (log.scrollTop = log.scrollHeight));
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  for (const selector of selectors) {
    const { isWhole, isOnTop } = await seen(page, selector);
    assert.ok(isWhole && isOnTop, `${selector} is seen ${where}`);
  }
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, `nothing is cut off ${where}`);
};

const expectUsable = async (page, share, where) => {
  for (const selector of ['#text', '#send', '#quit', '#rename', '#show-canvas']) {
    const { isWhole, isOnTop } = await seen(page, selector);
    assert.ok(isWhole && isOnTop, `${selector} can be reached ${where}`);
  }
  const log = await seen(page, '#log');
  const height = await page.evaluate(() => visualViewport.height);
  assert.ok(log.isWhole && log.height >= height * share, `messages have ${log.height} of ${height} px ${where}`);
  const last = await seen(page, '#log > :last-child');
  assert.ok(last.isWhole, `the last message is seen ${where}`);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, `nothing is cut off ${where}`);
};

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0'] });
  const nora = nc(server, 'nora');
  await nora.hear(/^HELLO/, 'OK NICK nora', 'COORDINATOR nora');
  nora.say(...Array.from({ length: 30 }, (_, number) => `MSG line ${number} that is longer than a small window is wide`));

  // The join dialog also fits.
  const alice = await open(server, { viewport: { width: 320, height: 256 } });
  const join256 = await seen(alice, '#take-name');
  assert.ok(join256.isWhole && join256.isOnTop, 'Join can be reached');
  await takeName(alice, 'alice');
  await hear(alice, 'You joined');
  const sizes = [
    [320, 256, 0.6], [800, 300, 0.55], [390, 844, 0.7], [844, 390, 0.6], [1440, 260, 0.5], [568, 320, 0.55], [1440, 900, 0.8],
  ];
  for (const [width, height, share] of sizes) {
    await alice.setViewportSize({ width, height });
    await say(alice, `at ${width}×${height}`);
    await hear(alice, `at ${width}×${height}`);
    await expectUsable(alice, share, `at ${width}×${height}`);
  }

  // They stay visible with a long draft, a refused whisper, or the canvas.
  const draft = Array.from({ length: 30 }, (_, number) => `draft ${number}`).join('\n');
  const toggleCanvas = () => alice.evaluate(() => document.getElementById('show-canvas').click());
  const more = [[320, 180], [320, 256], [256, 600], [800, 200], [200, 400], [360, 300], [640, 360], [390, 844], [844, 390]];
  for (const [width, height] of more) {
    await alice.setViewportSize({ width, height });
    await alice.fill('#text', draft);
    await expectTalk(alice, `with a draft at ${width}×${height}`);
    await alice.fill('#text', `/w nora ${'x'.repeat(4200)}`);
    await alice.press('#text', 'Enter');
    await alice.locator('#not-sent').waitFor();
    if (height > 180) await expectTalk(alice, `with an error at ${width}×${height}`);
    await alice.fill('#text', '');
    await toggleCanvas();
    await expectTalk(alice, `with the canvas at ${width}×${height}`, height > 180 ? undefined : ['#text', '#send']);
    assert.ok((await alice.locator('#canvas').boundingBox()).width > 50, `the canvas is visible at ${width}×${height}`);
    await toggleCanvas();
  }

  // With a larger font in the browser, the parts that do not fit can be scrolled to.
  const devtools = await alice.context().newCDPSession(alice);
  for (const [size, width, height] of [[24, 320, 480], [24, 1280, 720], [32, 390, 844], [32, 1280, 720], [32, 320, 256], [24, 800, 200]]) {
    const where = `at ${width}×${height} with a font of ${size} px`;
    await devtools.send('Page.setFontSizes', { fontSizes: { standard: size, fixed: size } });
    await alice.setViewportSize({ width, height });
    for (const selector of ['#quit', '#send']) {
      await alice.locator(selector).scrollIntoViewIfNeeded();
      const { isWhole, isOnTop } = await seen(alice, selector);
      assert.ok(isWhole && isOnTop, `${selector} can be reached ${where}`);
    }
    if (height > 400) await expectTalk(alice, where);
    assert.ok((await alice.locator('#log').boundingBox()).height >= 2 * size, `messages are visible ${where}`);
  }
  await alice.close({ runBeforeUnload: true });

  // A keyboard that covers the page, as on iOS: only the visual viewport is smaller.
  const bob = await join(server, 'bob', { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  await hear(bob, 'line 29');
  await bob.evaluate(() => {
    const { visualViewport: real } = globalThis;
    const covered = { height: 480, offsetTop: 40, scale: 1 };
    for (const [name, value] of Object.entries(covered)) {
      Object.defineProperty(real, name, { get: () => value, configurable: true });
    }
    real.dispatchEvent(new Event('resize'));
  });
  await expect(bob, () => document.body.getBoundingClientRect().height === 480, null, 'the page fits above the keyboard');
  await bob.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await expectUsable(bob, 0.6, 'above a keyboard');
  // Without the keyboard, the page has its full height again.
  await bob.evaluate(() => {
    for (const name of ['height', 'offsetTop', 'scale']) delete visualViewport[name];
    visualViewport.dispatchEvent(new Event('resize'));
  });
  await expect(bob, () => document.body.getBoundingClientRect().height === 844, null, 'the page has its height again');

  // Zooming in does not make the page smaller.
  await bob.evaluate(() => {
    for (const [name, value] of [['height', 422], ['scale', 2]]) {
      Object.defineProperty(visualViewport, name, { get: () => value, configurable: true });
    }
    visualViewport.dispatchEvent(new Event('resize'));
  });
  assert.equal(await bob.evaluate(() => document.body.getBoundingClientRect().height), 844);
});
