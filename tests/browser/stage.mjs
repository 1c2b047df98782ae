// The test kit of the scenarios: a server, a wire that can be cut, pages in Chromium, and nc. `play` runs a scenario, and ends all programs
// after it. Nothing sleeps: every wait is for an event, and fails at its deadline. A scenario fails if a page reports an error.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** The directory in which scripts/test installs the packages of package.json. */
const PACKAGES = path.join(ROOT, 'target/browser');

/** Limit for every wait, in milliseconds. Waits take 20 s and more on a machine that runs other tests at the same time. */
const DEADLINE_MS = 60_000;

/** What a browser reports about a page that came over http:// from another machine. */
const IGNORED = /^The Cross-Origin-Opener-Policy header has been ignored, because the URL's origin was untrustworthy/;

const ended = [];
const errors = [];
const pages = [];

/** Runs a scenario, and ends the programs that it has started. */
export async function play(scenario) {
  needs(CHROMIUM, 'apt-get install chromium');
  needs(path.join(PACKAGES, 'node_modules/playwright-core'), 'scripts/test');
  try {
    await scenario();
    assert.deepEqual(errors, [], 'errors on the console');
  } catch (error) {
    console.error(error, errors);
    for (const page of pages) console.error(`--- ${page.url()}\n${await page.innerText('body').catch(String)}`);
    process.exitCode = 1;
  }
  for (const end of ended.reverse()) await end();
}

function needs(file, remedy) {
  if (existsSync(file)) return;
  console.log(`${file} is missing; to have it: ${remedy}`);
  process.exit(process.env.CI === 'true' ? 1 : 77);
}

/** Starts a server; `{ line, web }` are its ports. After `stop()`, another server can use the ports. */
export async function serve({ line = 0, web = 0, options = [] } = {}) {
  const listen = ['--listen', `127.0.0.1:${line}`, '--listen', `http://127.0.0.1:${web}`];
  const child = spawn(process.env.CHINWAGD, [...listen, '--log', 'error', ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = read(child.stdout);
  const port = async () => Number(/127\.0\.0\.1:(\d+)/.exec(await lines.next())[1]);
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const stop = () => {
    child.kill();
    return gone;
  };
  ended.push(stop);
  return { line: await port(), web: await port(), stop };
}

/** Starts a server with accounts, in an empty store. `serve(server)` starts another one with the same ports and store. */
export async function serveAccounts(...options) {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'chinwag-'));
  ended.push(() => rmSync(directory, { recursive: true }));
  const control = path.join(directory, 'control.sock');
  const all = ['--data', path.join(directory, 'chat.db'), '--control', control, '--line-rate', '0', ...options];
  return { ...(await serve({ options: all })), options: all, control };
}

/** The password of the accounts that `register` makes. */
export const PASSWORD = 'correct horse battery';

/** Makes these names accounts, which nobody uses then. */
export async function register(server, ...names) {
  for (const name of names) {
    const client = nc(server, name);
    client.say(`REGISTER ${PASSWORD}`, 'QUIT');
    while ((await client.next()) !== 'OK QUIT');
  }
}

/** Sets the role of an account on a server that `serveAccounts` has started: `operator` or `user`. */
export async function setRole(server, name, role) {
  const child = spawn(process.env.CHINWAGD, ['account', 'role', name, role, '--control', server.control], { stdio: ['ignore', 'ignore', 'inherit'] });
  assert.equal(await new Promise((resolve) => child.once('exit', resolve)), 0);
}

/** Opens a page that logs in to an account of `register`, and enters a room. */
export async function logIn(server, name, room, options) {
  const page = await open(server, options);
  await page.click('#with-account');
  await page.fill('#login-name', name);
  await page.fill('#login-password', PASSWORD);
  await page.click('#log-in');
  await expectText(page, '#connection', 'Connected');
  if (room) await enter(page, room);
  return page;
}

/** Enters a room with a command. */
export async function enter(page, room) {
  await say(page, `/join ${room}`);
  await expectText(page, '#room-name', room);
}

/**
 * A wire to a server, with its own port. `cut()` closes its connections, and refuses new ones until `mend()`. After `hold()`, its
 * connections pass on nothing more. After `swallow()`, new connections are accepted but get no data, until `mend()`.
 */
export async function wire(port) {
  const sockets = new Set();
  let isCut = false;
  let isSwallowing = false;
  const listener = net.createServer((near) => {
    if (isCut) return near.destroy();
    if (isSwallowing) return sockets.add(near.resume().on('error', () => {}));
    const far = net.connect(port, '127.0.0.1');
    for (const [one, other] of [[near, far], [far, near]]) {
      sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
    }
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const hold = () => sockets.forEach((socket) => socket.unpipe());
  const cut = () => {
    isCut = true;
    sockets.forEach((socket) => socket.resetAndDestroy());
    sockets.clear();
  };
  ended.push(() => {
    listener.close();
    cut();
  });
  const mend = () => ([isCut, isSwallowing] = [false, false]);
  return { web: listener.address().port, hold, cut, swallow: () => (isSwallowing = true), mend };
}

/**
 * A reverse proxy that serves each server under a path, which it removes: `proxy({ '/a/': server })`. Like nginx, it redirects
 * `/a` to `/a/`. `cut()` closes its connections; it accepts new ones.
 */
export async function proxy(servers) {
  const sockets = new Set();
  const route = (url) => Object.entries(servers).find(([prefix]) => url.startsWith(prefix));
  const upstream = ({ method, url, headers }) => {
    const [prefix, { web }] = route(url);
    return http.request({ host: '127.0.0.1', port: web, method, path: `/${url.slice(prefix.length)}`, headers });
  };
  const listener = http.createServer((request, response) => {
    if (servers[`${request.url}/`]) return response.writeHead(301, { location: `${request.url}/` }).end();
    if (!route(request.url)) return response.writeHead(404).end();
    upstream(request).on('response', (answer) => {
      response.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(response);
    }).end();
  });
  listener.on('upgrade', (request, near) => {
    upstream(request).on('upgrade', ({ rawHeaders }, far, begin) => {
      const fields = rawHeaders.map((word, at) => (at % 2 ? `${word}\r\n` : `${word}: `)).join('');
      near.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n`);
      near.write(begin);
      for (const [one, other] of [[near, far], [far, near]]) {
        one.pipe(other);
        one.on('error', () => other.destroy()).on('close', () => other.destroy());
      }
    }).end();
  });
  listener.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const cut = () => sockets.forEach((socket) => socket.destroy());
  ended.push(() => {
    listener.close();
    cut();
  });
  return { web: listener.address().port, cut };
}

/**
 * Starts nc as a client, from this address. `hear(…lines)` expects exactly these lines; a regular expression stands for a line that it
 * matches. `next()` returns the next line.
 */
export function nc(server, name, address = '127.0.0.1') {
  const child = spawn('nc', ['-s', address, '127.0.0.1', String(server.line)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = read(child.stdout);
  ended.push(() => child.kill());
  const say = (...said) => child.stdin.write(said.map((line) => `${line}\n`).join(''));
  const hear = async (...expected) => {
    for (const each of expected) {
      const line = await lines.next();
      if (each instanceof RegExp) assert.match(line, each);
      else assert.equal(line, each);
    }
  };
  if (name) say(`NICK ${name}`);
  return { say, hear, next: lines.next };
}

/**
 * Opens `count` connections, from these addresses in turn, that read and drop all lines. `say(…lines)` sends; `sync()` returns when the
 * server has carried out everything before it.
 */
export async function crowd(server, count, addresses = ['127.0.0.1']) {
  const connect = (localAddress) => new Promise((resolve, reject) => {
    const to = { port: server.line, host: '127.0.0.1', localAddress };
    const socket = net.connect(to, () => resolve(socket)).resume().on('error', reject);
  });
  const sockets = [];
  while (sockets.length < count) sockets.push(await connect(addresses[sockets.length % addresses.length]));
  ended.push(() => sockets.forEach((socket) => socket.destroy()));
  return sockets.map((socket) => {
    const say = (...lines) => socket.write(lines.map((line) => `${line}\n`).join(''));
    const sync = () => new Promise((resolve) => {
      let before = '';
      const read = (bytes) => {
        const text = before + bytes.toString('latin1');
        before = text.slice(-'OK PING sync'.length);
        if (!text.includes('OK PING sync')) return;
        socket.off('data', read);
        resolve();
      };
      socket.on('data', read);
      say('PING sync');
    });
    return { say, sync };
  });
}

/** The lines of a stream, one at a time; `next()` fails if none arrives in time. */
function read(stream) {
  const lines = readline.createInterface({ input: stream })[Symbol.asyncIterator]();
  return {
    next: async () => {
      const deadline = new Promise((_, reject) => {
        setTimeout(reject, DEADLINE_MS, new Error('no line arrived in time')).unref();
      });
      return (await Promise.race([lines.next(), deadline])).value;
    },
  };
}

let browser = null;

/** Opens the server's page in a new browser, without joining. */
export async function open(server, options = {}) {
  const context = await (await launch()).newContext({ viewport: { width: 1280, height: 760 }, locale: 'en-GB', ...options });
  return openIn(context, server);
}

/**
 * Opens another page in the same browser, which shares its storage. `server.path` is the path of the page, `/` by default; `server.host` is
 * the host in its address: `chat.example.org` is another name of this machine, as far as the browser knows.
 */
export async function openIn(context, server) {
  const page = await context.newPage();
  pages.push(page);
  page.setDefaultTimeout(DEADLINE_MS);
  page.on('console', (message) => message.type() === 'error' && !IGNORED.test(message.text()) && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(`http://${server.host ?? '127.0.0.1'}:${server.web}${server.path ?? '/'}`);
  return page;
}

/**
 * Intercepts the WebSockets of a page, which is reloaded. `sent` has the lines of the last WebSocket. Lines for which `drop(line)` is
 * true do not reach the server. `inject(…lines)` sends lines to the page, `cut()` closes the WebSocket.
 */
export async function intercept(page, drop = () => false) {
  const sockets = { sent: [] };
  await page.routeWebSocket(/ws$/, (near) => {
    const far = near.connectToServer();
    sockets.sent = [];
    near.onMessage((line) => {
      sockets.sent.push(line);
      if (!drop(line)) far.send(line);
    });
    sockets.inject = (...lines) => near.send(lines.map((line) => `${line}\n`).join(''));
    sockets.cut = () => Promise.all([near.close(), far.close()]);
  });
  await page.reload();
  return sockets;
}

/** Opens a page that joins the room under this name. */
export async function join(server, name, options) {
  const page = await open(server, options);
  await takeName(page, name);
  await expectText(page, '#connection', 'Connected');
  return page;
}

export async function takeName(page, name) {
  await page.fill('#name', name);
  await page.click('#take-name');
}

export async function say(page, text) {
  await page.fill('#text', text);
  await page.click('#send');
}

/** Waits until the element with this id has the focus. */
export async function expectFocus(page, id) {
  await expect(page, (wanted) => document.activeElement.id === wanted, id, `#${id} should have the focus`);
}

/** Waits for an entry in the log that contains all these texts and is not pending. */
export async function hear(page, ...texts) {
  return find(page, '#log > :not(.pending)', texts);
}

/** Waits for a pending message that contains all these texts. */
export async function hearPending(page, ...texts) {
  return find(page, '#log > .pending', texts);
}

async function find(page, selector, texts) {
  let entry = page.locator(selector);
  for (const text of texts) entry = entry.filter({ hasText: text });
  await entry.first().waitFor({ state: 'attached' });
  return entry;
}

/** Waits until the element has exactly this text, apart from white space. */
export async function expectText(page, selector, text) {
  await expect(page, ([found, wanted]) => {
    const shown = document.querySelector(found);
    return shown?.checkVisibility() && shown.innerText.replace(/\s+/g, ' ').trim() === wanted;
  }, [selector, text], `${selector} should be ${JSON.stringify(text)}`);
}

/** Waits until the list has exactly these members, in this order; `*` marks the coordinator. */
export async function expectHere(page, ...names) {
  await expect(page, (wanted) => {
    const people = [...document.querySelectorAll('#names li')];
    const shown = people.map((item) => item.querySelector('bdi').textContent + (item.querySelector('.role') ? '*' : ''));
    return shown.join() === wanted.join();
  }, names, `here should be ${names}`);
}

/** Shows one of the user's rooms, with its link in the column. */
export async function openRoom(page, name) {
  await page.locator(`.room[data-name="${name}"]`).click();
  await expectText(page, '#room-name', name);
}

/**
 * Waits until the column has exactly these rooms: as `#ops`, `#ops 2` with unread messages, or `#ops @2` with a mention. `*` marks the
 * room that is open.
 */
export async function expectRooms(page, ...rooms) {
  await expect(page, (wanted) => {
    const shown = [...document.querySelectorAll('#room-list a')].map((link) => {
      const badge = link.querySelector('.badge');
      const unread = badge.hidden ? '' : ` ${badge.classList.contains('mentioned') ? '@' : ''}${badge.textContent}`;
      return `${link.querySelector('bdi').textContent}${link.ariaCurrent ? '*' : ''}${unread}`;
    });
    return shown.join() === wanted.join();
  }, rooms, `the rooms should be ${rooms}`);
}

/** Waits until a function that runs in the page returns true. */
export async function expect(page, isTrue, argument, what) {
  await page.waitForFunction(isTrue, argument).catch((error) => assert.fail(`${what}: ${error.message}`));
}

/** The longest task of the only open page during an action, in milliseconds of its main thread's processor time. */
export async function longestTask(page, action) {
  const devtools = await page.context().newCDPSession(page);
  const events = [];
  devtools.on('Tracing.dataCollected', ({ value }) => events.push(...value));
  const categories = ['devtools.timeline', 'toplevel'];
  await devtools.send('Tracing.start', { traceConfig: { includedCategories: categories }, transferMode: 'ReportEvents' });
  await action();
  // The work in the frames after the action also counts.
  await page.evaluate(async () => {
    for (let frames = 0; frames < 30; frames += 1) await new Promise(requestAnimationFrame);
  });
  const complete = new Promise((resolve) => devtools.once('Tracing.tracingComplete', resolve));
  await devtools.send('Tracing.end');
  await complete;
  // Only the page's main thread has frames.
  const { pid, tid } = events.find(({ name }) => name === 'FireAnimationFrame');
  const tasks = events.filter((event) => event.name === 'ThreadControllerImpl::RunTask' && event.pid === pid && event.tid === tid);
  assert.ok(tasks.length > 30, 'the trace has tasks');
  return Math.max(...tasks.map(({ tdur = 0 }) => tdur / 1000));
}

/** Longest task that a user does not notice, in milliseconds of processor time. */
const TASK_MS_MAX = 50;

/** What the task of `calibrate` takes on a machine that is fast enough for this limit, in milliseconds. */
const CALIBRATION_MS = 8;

/** A task of fixed size, in milliseconds: on a slow machine, or beside other programs, it takes longer. */
function calibrate(page) {
  return longestTask(page, () => page.evaluate(() => {
    const list = document.createElement('ul');
    const numbers = Array.from({ length: 4000 }, (_, number) => (number * 7919) % 4001);
    for (const number of numbers) list.append(Object.assign(document.createElement('li'), { textContent: `member${number}` }));
    return [...list.children].map((item) => item.textContent).sort((a, b) => a.localeCompare(b)).length;
  }));
}

/**
 * The longest task of the only open page during an action, and the limit for it, in milliseconds. The limit is higher on a machine that is
 * slower than usual, by what `calibrate` takes there, but at most four times as high.
 */
export async function measureTasks(page, action) {
  const before = await calibrate(page);
  const took = await longestTask(page, action);
  const slowness = Math.max(before, await calibrate(page)) / CALIBRATION_MS;
  return { took, limit: TASK_MS_MAX * Math.min(Math.max(slowness, 1), 4) };
}

/** Fails if a user notices a task in all of the runs. `run` gets the number of the run, and returns the result of `measureTasks`. */
export async function expectShortTasks(what, run, runs = 1) {
  const results = [];
  while (results.length < runs) {
    const { took, limit } = await run(results.length);
    results.push(`${took.toFixed(0)} ms (at most ${limit.toFixed(0)} ms)`);
    if (took <= limit) {
      console.log(`${what}: ${results.join(', ')}`);
      return;
    }
  }
  assert.fail(`${what}: ${results.join(', ')}`);
}

/** Drops the errors of an unreachable server, which the scenario expects. */
export function forgiveLostConnections() {
  const others = errors.filter((error) => !/WebSocket connection to .* failed/.test(error));
  errors.splice(0, errors.length, ...others);
}

/** The problems that axe-core rates as serious or worse, with their places. */
export async function seriousFlaws(page) {
  const { source } = packages()('axe-core');
  await page.evaluate(source);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}: ${node.failureSummary}`));
}

async function launch() {
  if (browser) return browser;
  // root cannot use the sandbox. The browser loads only pages of the test.
  browser = await packages()('playwright-core').chromium.launch({
    executablePath: CHROMIUM, args: ['--no-sandbox', '--host-resolver-rules=MAP chat.example.org 127.0.0.1'],
  });
  ended.push(() => browser.close());
  return browser;
}

function packages() {
  return createRequire(path.join(PACKAGES, 'package.json'));
}
