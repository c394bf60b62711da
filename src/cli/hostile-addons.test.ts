import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, it } from 'node:test';
import { expect } from 'expect';
import { through, withCommand } from '../testing/command.js';
import { inFull, inOneLine, placeOf } from './addon-errors.js';
import { AddonLoader } from './addon-loader.js';

/** Everything that can be thrown and is no plain error. */
const THROWN: Record<string, string> = {
  'a stack that is no text': `Object.assign(new Error('x'), { stack: 42 })`,
  'a message that is no text': `Object.assign(new Error('x'), { message: 42 })`,
  'a stack that throws': `Object.defineProperty(new Error('x'), 'stack', { get() { throw new Error('no'); } })`,
  'a frame in a file of another machine': `Object.assign(new Error('x'), { stack: 'Error: x\\n    at f (file://else/a.js:1:2)' })`,
  'an object without a prototype': `Object.create(null)`,
  'a Proxy that throws': `new Proxy({}, { get() { throw new Error('no'); }, getPrototypeOf() { throw new Error('no'); } })`,
  nothing: `undefined`,
};

describe('what an addon throws', () => {
  for (const [what, expression] of Object.entries(THROWN)) {
    it(`may be ${what}`, () => {
      const thrown: unknown = new Function(`return ${expression}`)();
      expect(typeof inOneLine(thrown)).toBe('string');
      expect(typeof inFull(thrown)).toBe('string');
      expect(placeOf(thrown, new Set(['/a.js']), new AddonLoader())).toBe(undefined);
    });
  }

  it('moves no cursor', () => {
    const thrown = new Error('a\x1b[2Jb\x9b31m\nc');
    expect(inOneLine(thrown)).toBe('a\\x1b[2Jb\\x9b31m c');
    thrown.stack = 'Error: a\x1b[2J\n    at b';
    expect(inFull(thrown)).toBe('Error: a\\x1b[2J\n    at b');
  });

  it('does not end the command, wherever it is thrown', async () => {
    await withCommand(async ({ start, origin, folder }) => {
      const addon = path.join(folder, 'throws.mjs');
      const cases = Object.values(THROWN).map((expression) => `() => (${expression})`);
      writeFileSync(
        addon,
        `const cases = [${cases.join(', ')}];
        export function requestHeaders(flow) {
          const [, how, number] = new URL(flow.request.url).pathname.split('/');
          const thrown = cases[Number(number)]();
          if (how === 'now') throw thrown;
          if (how === 'later') setTimeout(() => { throw thrown; });
          if (how === 'rejects') Promise.reject(thrown);
        }`,
      );
      const sluice = start(['-s', addon]);
      const port = await sluice.port();
      for (const number of cases.keys()) {
        for (const [how, expected] of [
          ['now', 502],
          ['later', 200],
          ['rejects', 200],
        ] as const) {
          const before = sluice.stderr.length;
          const { status } = await through(port, `${origin}/${how}/${number}`);
          expect({ how, number, status }).toEqual({ how, number, status: expected });
          await sluice.complains(/^addon/m, before);
        }
      }
      expect((await sluice.interrupt()).code).toBe(0);
    });
  });
});

describe('the command', () => {
  it("shows no control characters of a client's", async () => {
    await withCommand(async ({ start }) => {
      const sluice = start();
      const socket = net.connect(await sluice.port(), '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(Buffer.from('CONNECT a\x9b31mb:80 HTTP/1.1\r\nHost: a\r\n\r\n', 'latin1'));
      await new Promise((resolve) => socket.once('data', resolve));
      // A TLS hello that says nothing.
      socket.write(Buffer.from('16030100050100000100', 'hex'));
      socket.end();
      await sluice.complains(/^client .*\n/m);
      socket.destroy();
      const { stderr, stdout } = await sluice.interrupt();
      expect(stderr).toContain(' to a\\x9b31mb:80: ');
      expect(stderr + stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
    });
  });
});

describe('an addon that is written', () => {
  it('while it is being loaded is loaded again', async () => {
    await withCommand(async ({ start, origin, folder }) => {
      const file = path.join(folder, 'addon.mjs');
      const answers = (word: string) =>
        `export function requestHeaders(flow) { flow.respond({ body: '${word}' }); }\n`;
      writeFileSync(file, answers('first'));
      const sluice = start(['-s', file]);
      const port = await sluice.port();
      const last = JSON.stringify(answers('last'));
      writeFileSync(
        file,
        `import { writeFileSync } from 'node:fs';\nwriteFileSync(${JSON.stringify(file)}, ${last});\n${answers('second')}`,
      );
      await sluice.complains(/loaded again\n[\s\S]*loaded again\n/);
      expect((await through(port, `${origin}/`)).body).toBe('last');
    });
  });

  it('into a folder that is made anew is loaded again', async () => {
    await withCommand(async ({ start, origin, folder }) => {
      const built = path.join(folder, 'built');
      const file = path.join(built, 'addon.mjs');
      const build = (word: string) => {
        mkdirSync(built);
        writeFileSync(file, `export function requestHeaders(flow) { flow.respond({ body: '${word}' }); }\n`);
      };
      build('first');
      const sluice = start(['-s', file]);
      const port = await sluice.port();
      for (const word of ['second', 'third']) {
        const before = sluice.stderr.length;
        rmSync(built, { recursive: true });
        await sluice.complains(/there is no such file; .*the version before it stays\n/, before);
        build(word);
        await sluice.complains(/loaded again\n/, before);
        expect((await through(port, `${origin}/`)).body).toBe(word);
      }
    });
  });
});
