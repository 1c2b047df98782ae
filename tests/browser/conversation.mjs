// Takes the picture at the head of README.md: one conversation, at the left the page in a browser, at the right the bundled client in
// a terminal. `scripts/screenshots conversation` runs this.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { hear, join, nc, play, say, serve } from './stage.mjs';

const PICTURE = fileURLToPath(new URL('../../docs/images/conversation.png', import.meta.url));

// Two of these fit into the width of a README on GitHub.
const PANEL = { width: 436, height: 518 };
const GAP = 12;
const TERMINAL = { columns: 48, rows: 24 };
const COLOURS = ['#1e1e1e', '#f14c4c', '#4ec98a', '#d7ba3d', '#5aa5f5', '#d484d4', '#3fc1d1', '#d4d4d4'];
const BRIGHT_COLOURS = ['#808080', '#ff8a80', '#8ff0b4', '#f0e08a', '#9acbff', '#f5b5f5', '#8ae8f0', '#ffffff'];

await play(async () => {
  const server = await serve({ options: ['--line-rate', '0'] });
  const ci = nc(server, 'ci');
  await ci.hear(/^HELLO/, 'OK NICK ci', 'COORDINATOR ci');
  ci.say('MSG build 40 is red');
  await ci.hear(/^OK MSG/);

  const shell = terminal(server);
  try {
    await shell.shows(/^\$/);
    shell.type('chinwag --nick alice');
    await shell.shows(/ci: build 40 is red[^]*you are alice/);
    await ci.hear('JOIN alice');
    // Twice as many pixels, for sharp letters on any display.
    const bob = await join(server, 'bob', { viewport: PANEL, deviceScaleFactor: 2 });
    await shell.shows(/bob joined/);
    shell.type('morning, bob');
    await hear(bob, 'morning, bob');
    await say(bob, 'hi alice! Is the build green?');
    await shell.shows(/bob: hi alice/);
    ci.say('MSG build 41 is green');
    await hear(bob, 'build 41 is green');
    await say(bob, 'Good. I will bring a cake 🎂');
    await shell.shows(/bob: Good/);
    shell.type('/w bob which kind?');
    await hear(bob, 'which kind?');
    await bob.getByRole('button', { name: 'alice', exact: true }).click();
    await say(bob, 'It is a surprise.');
    await shell.shows(/surprise/);
    shell.type('/who');
    await shell.shows(/coordinator[^]*> *$/);

    await bob.mouse.move(0, 0);
    await bob.evaluate(() => document.activeElement.blur());
    const left = await bob.screenshot({ animations: 'disabled' });
    const both = await bob.context().browser().newPage({
      viewport: { width: 2 * PANEL.width + GAP, height: PANEL.height },
      deviceScaleFactor: 2,
    });
    await both.setContent(sideBySide(left.toString('base64'), shell.html()));
    await both.screenshot({ path: PICTURE, omitBackground: true });
  } finally {
    shell.end();
  }
});

/** A shell in a terminal of tmux, for which the client is `chinwag`. */
function terminal(server) {
  const directory = mkdtempSync(path.join(tmpdir(), 'chinwag.'));
  const env = {
    ...process.env,
    TMUX: '',
    LC_ALL: 'C.UTF-8',
    PATH: `${directory}/bin:${process.env.PATH}`,
    XDG_STATE_HOME: directory,
    CHINWAG_SERVER: `127.0.0.1:${server.line}`,
  };
  const tmux = (...words) => execFileSync('tmux', ['-f', '/dev/null', '-S', `${directory}/tmux`, ...words], { env, encoding: 'utf8' });
  mkdirSync(`${directory}/bin`);
  symlinkSync(path.resolve(process.env.CHINWAG), `${directory}/bin/chinwag`);
  tmux('new-session', '-d', '-x', TERMINAL.columns, '-y', TERMINAL.rows, "PS1='$ ' exec bash --norc --noprofile");
  const text = () => tmux('capture-pane', '-p').trimEnd();
  return {
    type: (line) => tmux('send-keys', '-l', line) + tmux('send-keys', 'Enter'),
    /** Waits until what the terminal shows matches. */
    shows: async (pattern) => {
      for (let tries = 0; !pattern.test(text()); tries += 1) {
        if (tries === 600) throw new Error(`the terminal shows:\n${text()}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    html: () => coloured(tmux('capture-pane', '-p', '-e').trimEnd()),
    end: () => {
      tmux('kill-server');
      rmSync(directory, { recursive: true });
    },
  };
}

/** Text with the escape sequences of colours and styles (ECMA-48, SGR), as HTML. */
function coloured(text) {
  const style = {};
  const html = text.split('\x1b[').map((piece, at) => {
    const [, codes, shown] = at === 0 ? [null, null, piece] : /^([\d;]*)m([^]*)$/.exec(piece);
    if (codes !== null) for (const code of codes.replace(/38;5;(\d+)/, indexed).split(';')) apply(style, Number(code));
    const css = Object.entries(style).map(([property, value]) => `${property}: ${value};`).join(' ');
    return `<span style="${css}">${shown.replace(/&/g, '&amp;').replace(/</g, '&lt;')}</span>`;
  });
  return html.join('');
}

/** The code of one of the first 16 colours that is given by its index. */
function indexed(_, index) {
  return index < 8 ? 30 + Number(index) : 82 + Number(index);
}

function apply(style, code) {
  if (code === 0) for (const property of Object.keys(style)) delete style[property];
  if (code === 1) style['font-weight'] = 'bold';
  if (code === 2) style.opacity = 0.7;
  if (code === 4) style['text-decoration'] = 'underline';
  if (code === 22) for (const property of ['font-weight', 'opacity']) delete style[property];
  if (code === 24) delete style['text-decoration'];
  if (code === 39) delete style.color;
  const colour = COLOURS[code - 30] ?? BRIGHT_COLOURS[code - 90];
  if (colour) style.color = colour;
}

function sideBySide(page, text) {
  const panel = `box-sizing: border-box; width: ${PANEL.width}px; height: ${PANEL.height}px; border: 1px solid #8888; border-radius: 8px`;
  return `<!doctype html>
    <body style="margin: 0; display: flex; gap: ${GAP}px">
      <img style="${panel}" src="data:image/png;base64,${page}">
      <pre style="${panel}; margin: 0; padding: 10px; background: #1e1e1e; color: #d4d4d4; font: 14px/1.3 'DejaVu Sans Mono', monospace">${text}</pre>`;
}
