import { describe, it } from 'node:test';
import { expect } from 'expect';
import { FLAGS, readArguments } from './arguments.js';

const NOTHING = { options: { port: 8080 }, addons: [], quiet: false };

describe('arguments', () => {
  const understood: [args: string[], task: object][] = [
    [[], NOTHING],
    [['-p', '9000'], { ...NOTHING, options: { port: 9000 } }],
    [['-p9000'], { ...NOTHING, options: { port: 9000 } }],
    [['--port=8000-8010'], { ...NOTHING, options: { port: { from: 8000, to: 8010 } } }],
    [['--set', 'port=2', '--set', 'port=1'], { ...NOTHING, options: { port: 1 } }],
    [['--listen-host', '::1'], { ...NOTHING, options: { port: 8080, host: '::1' } }],
    [['--mode', 'socks5'], { ...NOTHING, options: { port: 8080, mode: 'socks5' } }],
    [['-s', 'b.ts', '--script', 'a.ts', '-s=c.ts'], { ...NOTHING, addons: ['b.ts', 'a.ts', '=c.ts'] }],
    [['-qs', 'a.ts'], { ...NOTHING, quiet: true, addons: ['a.ts'] }],
    [['--save-har', 'a.har', '--save-ca=b.pem'], { ...NOTHING, saveHar: 'a.har', saveCa: 'b.pem' }],
    [['~m', 'POST', '-q', '&', '~u x'], { ...NOTHING, quiet: true, filter: '~m POST & ~u x' }],
    [['-q', '--', '-x'], { ...NOTHING, quiet: true, filter: '-x' }],
    [['--help', '-p', '1'], { show: 'help' }],
    [['-h'], { show: 'help' }],
    [['--options'], { show: 'options' }],
    [['--version'], { show: 'version' }],
  ];
  for (const [args, task] of understood) {
    it(args.join(' ') || 'none', () => expect(readArguments(args)).toEqual(task));
  }

  const refused: [args: string[], says: string][] = [
    [['--prot', '1'], 'unknown flag --prot; did you mean --port?'],
    [['--frobnicate'], 'unknown flag --frobnicate; sluice --help lists them'],
    [['-x'], 'unknown flag -x; sluice --help lists them'],
    [['--toString'], 'unknown flag --toString; sluice --help lists them'],
    [['-p'], '-p needs a value; write -p PORT'],
    [['--port='], '--port needs a value; write --port PORT'],
    [['-p', '-q'], '-p needs a value; write -p PORT'],
    [['--quiet=1'], '--quiet takes no value; write --quiet alone'],
    [['--mode', 'regular', '--mode', 'regular'], '--mode is given twice; give one'],
    [['-p', '0', '--port', '0'], '--port is given twice; give one'],
    [['--listen-host', '::1', '--listen-host', '::1'], '--listen-host is given twice; give one'],
    [['--mode', 'regular', '--set', 'mode=socks5'], '--mode and --set mode= are the same; give one'],
    [['--set', 'port=2', '-p', '1'], '-p and --set port= are the same; give one'],
    [['--set', 'host=::1', '--listen-host', '::1'], '--listen-host and --set host= are the same; give one'],
    [['--save-har', 'a', '--save-har', 'b'], '--save-har is given twice; give one'],
    [
      ['-p', 'x'],
      '-p: "x" is not accepted; give a port from 0 to 65535, or a range within 1024 to 65535, as in 8000-8099',
    ],
  ];
  for (const [args, says] of refused) {
    it(`${args.join(' ')} is refused`, () => expect(() => readArguments(args)).toThrow(says));
  }

  it('every flag that sets an option names one', () => {
    for (const { option, help } of Object.values(FLAGS)) expect([option, help]).toContain(undefined);
    for (const [name, { option, value }] of Object.entries(FLAGS)) {
      if (option !== undefined)
        expect(() => readArguments([`--${name}`, ''])).toThrow(`needs a value; write --${name} ${value}`);
    }
  });
});
