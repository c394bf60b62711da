import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { expect } from 'expect';
import { through, withCommand } from '../testing/command.js';

/** Writes files, and gives their paths. */
function put(folder: string, files: Record<string, string>): string[] {
  return Object.entries(files).map(([name, text]) => {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  });
}

/** A hook that adds a word to a header of the response. */
const SAYS = (word: string) =>
  `const { headers } = flow.response; headers.set('x-said', (headers.get('x-said') ?? '') + ${JSON.stringify(word)});`;

/** Each kind of module, with hooks that say its name. */
const KINDS: Record<string, string> = {
  'types.ts': `import type { AnsweredFlow } from 'sluice';
    interface Unused { a: string }
    export function responseHeaders(flow: AnsweredFlow): void { ${SAYS('types.ts')} }`,
  'module.mjs': `export const responseHeaders = async (flow) => { ${SAYS('module.mjs')} };`,
  'common.cjs': `exports.responseHeaders = function (flow) { ${SAYS('common.cjs')} };`,
  'whole.cjs': `module.exports = { responseHeaders(flow) { ${SAYS('whole.cjs')} } };`,
  'plain.js': `export function responseHeaders(flow) { ${SAYS('plain.js')} }`,
  'object.ts': `export default { responseHeaders(flow: any): void { ${SAYS('object.ts')} } };`,
  'instance.ts': `class Addon { #word = 'instance.ts'; responseHeaders(flow: any): void { const word = this.#word; ${SAYS('')} flow.response.headers.append('x-instance', word); } }
    export default new Addon();`,
  'class.ts': `export default class { word = 'class.ts'; responseHeaders(flow: any): void { flow.response.headers.append('x-class', this.word); } }`,
  'waits.ts': `const word: string = await Promise.resolve('waits.ts');
    export function responseHeaders(flow: any): void { flow.response.headers.append('x-waits', word); }`,
  'helped.ts': `import { help } from './lib/help.js'; import { decoded } from 'sluice'; import { slice } from 'sluice/faults';
    export function responseHeaders(flow: any): void { help(flow, typeof decoded && typeof slice); }`,
};

describe('addons', () => {
  it('are TypeScript or JavaScript of any kind, and run in order', async () => {
    await withCommand(async ({ start, origin, folder }) => {
      put(folder, {
        'lib/help.ts': `export const help = (flow: any, what: string): void => flow.response.headers.append('x-helped', what);`,
      });
      const files = put(folder, KINDS);
      const last = put(folder, {
        'last.ts': `export function response(flow: any): void { flow.response.body = JSON.stringify([...flow.response.headers].filter(([name]: string[]) => name.startsWith('x-'))); }`,
      });
      const sluice = start([...files, ...last].flatMap((file) => ['-s', file]));
      const { body } = await through(await sluice.port(), `${origin}/`);
      expect(JSON.parse(body)).toEqual([
        ['x-said', 'types.tsmodule.mjscommon.cjswhole.cjsplain.jsobject.ts'],
        ['x-instance', 'instance.ts'],
        ['x-class', 'class.ts'],
        ['x-waits', 'waits.ts'],
        ['x-helped', 'function'],
      ]);
      const { stderr, code } = await sluice.interrupt();
      expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    });
  });

  it("'sluice' is the copy that runs", async () => {
    await withCommand(async ({ start, origin, folder }) => {
      // A private symbol is one that no other copy has.
      const [addon = ''] = put(folder, {
        'same.ts': `import { FlowList, RecordingProxy, SluiceError } from 'sluice';
          export function request(flow: any): void {
            let thrown: unknown;
            try { flow.respond({ status: 1 }); } catch (error) { thrown = error; }
            flow.respond({ body: String(thrown instanceof SluiceError) });
          }`,
      });
      const sluice = start(['-s', addon]);
      expect((await through(await sluice.port(), `${origin}/`)).body).toBe('true');
      await sluice.interrupt();
    });
  });

  it('that throw are reported by file and line, once, and the proxy goes on', async () => {
    await withCommand(async ({ start, origin, folder }) => {
      const [addon = '', helper = ''] = put(folder, {
        'throws.ts': [
          `import { fail } from './helper.js';`,
          `interface Long {`,
          `  a: string;`,
          `}`,
          `export function responseHeaders(flow: any): void {`,
          `  const { path } = flow.request as { path: string };`,
          `  if (path === '/sync') throw new TypeError('at once');`,
          `  if (path === '/helper') fail('in a helper' as string);`,
          `  if (path === '/transform')`,
          `    flow.response.stream = async function* (pieces: AsyncIterable<Buffer>) {`,
          `      for await (const piece of pieces as AsyncIterable<Buffer>) throw new Error('of ' + piece.length);`,
          `    };`,
          `  if (path === '/later') setImmediate((): void => { throw new Error('later'); });`,
          `  if (path === '/rejects') Promise.reject(new Error('unheard'));`,
          `}`,
          `export async function request(flow: any): Promise<void> {`,
          `  await null;`,
          `  if (flow.request.path === '/async') throw new Error('two\\n  lines');`,
          `}`,
          `export function clientDisconnect(client: any): void {`,
          `  if (client.port === 0) throw new Error('never');`,
          `}`,
          '',
        ].join('\n'),
        'helper.ts': `export function fail(why: string): never {\n  throw new Error(why);\n}\n`,
      });
      const sluice = start(['-s', addon]);
      const port = await sluice.port();
      const told = async (url: string, wanted: string) => {
        const before = sluice.stderr.length;
        const answer = await through(port, origin + url).catch((error: Error) => error.message);
        await sluice.complains(/\n/, before);
        expect(sluice.stderr.slice(before)).toBe(`addon ${wanted}\n`);
        return answer;
      };
      const failed = await told('/sync', `${addon}:7:31: responseHeaders: at once`);
      expect(failed).toMatchObject({
        status: 502,
        body: 'HOOK_FAILED: the responseHeaders hook threw: at once\n',
      });
      await told('/async', `${addon}:18:45: request: two lines`);
      await told('/helper', `${helper}:2:9: responseHeaders: in a helper`);
      await told('/transform', `${addon}:11:72: transform: of 5`);
      expect(await told('/later', `${addon}:13:59: later`)).toMatchObject({ status: 200 });
      expect(await told('/rejects', `${addon}:14:43: unheard`)).toMatchObject({ status: 200 });
      expect(await through(port, `${origin}/fine`)).toMatchObject({ status: 200, body: 'hello' });
      const { code, stdout } = await sluice.interrupt();
      expect(code).toBe(0);
      expect(stdout).toMatch(/\/sync → 200, HOOK_FAILED/);
    });
  });

  it('that throw what has no place are reported by their file', async () => {
    await withCommand(async ({ start, origin, folder }) => {
      const [first = '', second = ''] = put(folder, {
        'first.ts': `export function request(flow: any): void { if (flow.request.path === '/first') throw 'a string'; }`,
        'second.ts': `export async function request(flow: any): Promise<void> { if (flow.request.path === '/second') throw { a: 1 }; }`,
      });
      const sluice = start(['-s', first, '-s', second]);
      const port = await sluice.port();
      await through(port, `${origin}/first`);
      await through(port, `${origin}/second`);
      const { stderr } = await sluice.interrupt();
      expect(stderr).toBe(`addon ${first}: request: a string\naddon ${second}: request: [object Object]\n`);
    });
  });

  it('that throw right after a piece: it is counted', async () => {
    await withCommand(async ({ start, origin, folder }) => {
      const [addon = ''] = put(folder, {
        'cuts.ts': `export function responseHeaders(flow: any): void {
            flow.response.stream = async function* (pieces: AsyncIterable<Buffer>) {
              for await (const piece of pieces) { yield piece; throw new Error('no more'); }
            };
          }`,
      });
      const sluice = start(['-s', addon]);
      const answer = await through(await sluice.port(), `${origin}/`);
      expect(answer).toMatchObject({ body: 'hello', whole: false });
      await sluice.prints(/ → 200, TRANSFORM_FAILED: no more \(0 B up, 5 B down, /);
      await sluice.interrupt();
    });
  });

  it('warn of functions that are called nearly as hooks', async () => {
    await withCommand(async ({ start, origin, folder }) => {
      const [file = '', instance = ''] = put(folder, {
        'near.ts': `export function request(): void {}
          export function respons(): void {}
          export function requests(): void {}
          export function helper(): void {}
          export const eror = 5;`,
        'instance.ts': `class Addon { request(): void {} response_headers(): void {} }\nexport default new Addon();`,
      });
      const sluice = start(['-s', file, '-s', instance]);
      expect(await through(await sluice.port(), `${origin}/`)).toMatchObject({ status: 200 });
      const { code, stderr } = await sluice.interrupt();
      expect({ code, stderr }).toEqual({
        code: 0,
        stderr: [
          `addon ${file}: exports respons, which is no hook; did you mean response?\n`,
          `addon ${instance}: exports response_headers, which is no hook; did you mean responseHeaders?\n`,
        ].join(''),
      });
    });
  });

  it('a near miss of a hook is named', async () => {
    await withCommand(async ({ start, folder }) => {
      const [snake = '', number = '', throws = '', syntax = '', missing = '', importing = ''] = put(folder, {
        'snake.ts': 'export function response_headers(): void {}',
        'number.ts': 'export const request = 5;',
        'throws.ts': `const x: number = 1;\nthrow new Error('not ' + x);`,
        'syntax.ts': 'export function request(: void {}',
        'missing.ts': `import { x } from './nowhere.js';\nexport const request = x;`,
        'importing.ts': `import { request } from './syntax.js';\nexport { request };`,
      });
      for (const [file, says] of [
        [snake, 'snake.ts: exports no hooks; of response_headers: did you mean responseHeaders?'],
        [number, 'number.ts: request is not a function; export a function'],
        [throws, 'throws.ts:2:7: cannot be loaded: not 1'],
        [syntax, 'syntax.ts:1:25: ParseError: Unexpected token'],
        [importing, 'syntax.ts:1:25: ParseError: Unexpected token'],
        [missing, `missing.ts:1:1: cannot be loaded: Cannot find module './nowhere.js'`],
      ] as const) {
        const { code, stderr } = await start(['-s', file]).ended;
        expect({ code, stderr }).toEqual({
          code: 2,
          stderr: `sluice: addon ${path.dirname(file)}/${says}\n`,
        });
      }
    });
  });
});

describe('an addon that changes', () => {
  const answers = (word: string) =>
    `import { mark } from './mark.js';\nexport function request(flow: any): void { flow.metadata.set('seen', (flow.metadata.get('seen') ?? '') + ${JSON.stringify(word)} + mark); }\n`;
  const LAST = `export function requestHeaders(): void {}\nexport function request(flow: any): void { flow.respond({ body: flow.metadata.get('seen') }); }\n`;

  it('is loaded again at its place, also when what it imports changes; one that cannot be loaded leaves the old', async () => {
    await withCommand(async ({ start, origin, folder }) => {
      const [mark = '', first = '', second = '', last = ''] = put(folder, {
        'mark.ts': `export const mark: string = '.';`,
        'first.ts': answers('first'),
        'second.ts': answers('second'),
        'last.ts': LAST,
      });
      const sluice = start(['-s', first, '-s', second, '-s', last]);
      const port = await sluice.port();
      const seen = async () => (await through(port, `${origin}/`)).body;
      const changing = async (change: () => void, wanted: RegExp) => {
        const before = sluice.stderr.length;
        change();
        await sluice.complains(wanted, before);
      };
      expect(await seen()).toBe('first.second.');

      await changing(() => writeFileSync(first, answers('FIRST')), /^addon \S+first\.ts: loaded again$/m);
      expect(await seen()).toBe('FIRST.second.');

      // As editors do it: a new file in the old one's place.
      await changing(() => {
        writeFileSync(`${second}~`, answers('SECOND'));
        renameSync(`${second}~`, second);
      }, /^addon \S+second\.ts: loaded again$/m);
      expect(await seen()).toBe('FIRST.SECOND.');

      await changing(
        () => writeFileSync(first, 'export function request(: void'),
        /^addon \S+first\.ts:1:25: ParseError: .*; the version before it stays$/m,
      );
      expect(await seen()).toBe('FIRST.SECOND.');
      await changing(
        () => writeFileSync(first, 'export const nothing = 1;'),
        /first\.ts: exports no hooks; .*; the version before it stays$/m,
      );
      expect(await seen()).toBe('FIRST.SECOND.');
      await changing(() => writeFileSync(first, answers('again')), /first\.ts: loaded again$/m);

      await changing(
        () => writeFileSync(mark, `export const mark: string = '!';`),
        /first\.ts: loaded again\n[\s\S]*second\.ts: loaded again$|second\.ts: loaded again\n[\s\S]*first\.ts: loaded again$/m,
      );
      expect(await seen()).toBe('again!SECOND!');

      // What it imports may change, too.
      const [other = ''] = put(folder, { 'other.ts': `export const mark: string = '?';` });
      const imported = () => writeFileSync(first, answers('other').replace('./mark.js', './other.js'));
      await changing(imported, /first\.ts: loaded again$/m);
      expect(await seen()).toBe('other?SECOND!');
      await changing(
        () => writeFileSync(other, `export const mark: string = ';';`),
        /first\.ts: loaded again$/m,
      );
      expect(await seen()).toBe('other;SECOND!');
      expect(sluice.stderr).not.toContain('last.ts');
      expect((await sluice.interrupt()).code).toBe(0);
    });
  });

  it('behind a link', async () => {
    await withCommand(async ({ start, origin, folder }) => {
      const [target = ''] = put(folder, {
        'target/addon.ts': LAST.replace('flow.metadata', "new Map([['seen', '1']])"),
      });
      const link = path.join(folder, 'link.ts');
      symlinkSync(target, link);
      const sluice = start(['-s', link]);
      const port = await sluice.port();
      expect((await through(port, `${origin}/`)).body).toBe('1');
      put(folder, { 'target/addon.ts': LAST.replace('flow.metadata', "new Map([['seen', '2']])") });
      await sluice.complains(/link\.ts: loaded again$/m);
      expect((await through(port, `${origin}/`)).body).toBe('2');
      await sluice.interrupt();
    });
  });

  it('in the formats that Node itself would keep, too', async () => {
    await withCommand(async ({ start, origin, folder }) => {
      const of = (word: string) => ({
        'package.json': '{ "type": "module" }',
        'a.mjs': `export function request(flow) { flow.metadata.set('seen', ${JSON.stringify(word)}); }`,
        'b.cjs': `exports.request = (flow) => flow.metadata.set('seen', flow.metadata.get('seen') + ${JSON.stringify(word)});`,
        'c.js': `import './d.js'; export function request(flow) { flow.respond({ body: flow.metadata.get('seen') + ${JSON.stringify(word)} }); }`,
        'd.js': '',
      });
      const [, a = '', b = '', c = ''] = put(folder, of('1'));
      const sluice = start(['-s', a, '-s', b, '-s', c]);
      const port = await sluice.port();
      expect((await through(port, `${origin}/`)).body).toBe('111');
      put(folder, of('2'));
      for (const file of [a, b, c])
        await sluice.complains(new RegExp(`${path.basename(file)}: loaded again`));
      expect((await through(port, `${origin}/`)).body).toBe('222');
      await sluice.interrupt();
    });
  });
});
