/**
 * Random HTTP/1 messages, valid ones and ones with a fault or two, from a seeded generator of numbers.
 * @module
 */

/** Random choices that a seed repeats. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number in `[0, below)`, by mulberry32. */
  roll(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  }

  /** True once in `n`. */
  once(n: number): boolean {
    return this.roll(n) === 0;
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.roll(items.length)] ?? items[0];
  }

  text(alphabet: string, most: number): string {
    return Array.from({ length: this.roll(most + 1) }, () => alphabet[this.roll(alphabet.length)]).join('');
  }
}

const TOKEN = "abcXYZ019-_.!#$%&'*+^`|~";
const VALUE = 'abc XYZ\t019,;:="\\/()<>@\x80\xe9\xff';
const OCTETS = 'ab\r\n0\x00:; \xff';

/** @returns octets, latin1: one to three requests */
export function requests(dice: Dice): string {
  let text = '';
  for (let n = 1 + dice.roll(3); n > 0; n--) {
    const method = dice.pick(['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'HEAD', 'REPORT']);
    const target = dice.pick([
      '/',
      `/${dice.text(TOKEN, 9)}?${dice.text(TOKEN, 9)}`,
      'http://x:1/y',
      '/%20"<>',
    ]);
    text += `${dice.once(8) ? '\r\n' : ''}${method} ${target} HTTP/${version(dice)}\r\n`;
    text += fieldsAndBody(dice, { host: true });
  }
  return faulty(dice, text);
}

/** @returns octets, latin1: interim responses and a final one */
export function responses(dice: Dice): string {
  let text = '';
  while (dice.once(6)) text += `HTTP/1.1 ${dice.pick(['102 P', '103 Early Hints'])}\r\n${field(dice)}\r\n`;
  const status = dice.pick(['200 OK', '200 ', '200', '404 Not Found', '204 None', '304 Same', '599 \xe9\t"']);
  text += `HTTP/${version(dice)} ${status}\r\n`;
  text += fieldsAndBody(dice, { untilClose: true });
  return faulty(dice, text);
}

function version(dice: Dice): string {
  return dice.once(8) ? dice.pick(['1.0', '1.0', '1.0', '1.2', '0.9', '2.0']) : '1.1';
}

function field(dice: Dice): string {
  const blank = () => dice.pick([' ', ' ', ' ', '', '\t', '  \t ']);
  return `f${dice.text(TOKEN, 6)}:${blank()}${dice.text(VALUE, 12)}${dice.once(4) ? blank() : ''}\r\n`;
}

function fieldsAndBody(dice: Dice, options: { host?: boolean; untilClose?: boolean }): string {
  const fields: string[] = options.host ? ['Host: x\r\n'] : [];
  for (let n = dice.roll(4); n > 0; n--) fields.push(field(dice));
  if (dice.once(6)) {
    const connection = dice.pick(['close', 'keep-alive', 'Close, x', 'x']);
    fields.push(`${dice.pick(['Connection', 'connection', 'Proxy-Connection'])}: ${connection}\r\n`);
  }
  let body = '';
  switch (dice.roll(options.untilClose ? 4 : 3)) {
    case 0:
      body = dice.text(OCTETS, 30);
      fields.push(`${dice.pick(['Content-Length', 'content-length'])}: ${body.length}\r\n`);
      break;
    case 1:
      body = chunks(dice);
      fields.push(`Transfer-Encoding: ${dice.pick(['chunked', 'chunked', 'Chunked', 'gzip, chunked'])}\r\n`);
      break;
    case 3:
      body = dice.text(OCTETS, 30);
      break;
  }
  const at = dice.roll(fields.length + 1);
  return `${[...fields.slice(at), ...fields.slice(0, at)].join('')}\r\n${body}`;
}

function chunks(dice: Dice): string {
  const line = (size: number) => {
    let hex = size.toString(16);
    if (dice.once(3)) hex = hex.toUpperCase();
    if (dice.once(5)) hex = '0'.repeat(1 + dice.roll(20)) + hex;
    if (dice.once(4)) hex += dice.pick([';a', ';a=b', ';a;b=c', ';a="x;y"', ';a="\\""', ';a="\xe9 "']);
    if (dice.once(25))
      hex += dice.pick([';', ' ;a', '; a', ';a =b', ';a= b', ';a="', ' ', ';a ', ';=', '\t']);
    return `${hex}\r\n`;
  };
  let text = '';
  for (let n = dice.roll(4); n > 0; n--) {
    const data = `x${dice.text(OCTETS, 20)}`;
    text += `${line(data.length)}${data}\r\n`;
  }
  text += line(0);
  if (dice.once(3)) for (let n = dice.roll(3); n >= 0; n--) text += field(dice);
  return `${text}\r\n`;
}

const LENGTHS = [
  '1',
  '05',
  '+5',
  '-1',
  '0x5',
  '5,5',
  '5 5',
  '',
  '5.',
  '99999999999999999999',
  '5\v',
] as const;
const CODINGS = ['chunked', 'gzip', 'chunked, gzip', 'identity', 'xchunked', 'chunked, chunked', ''] as const;

/** Leaves half of the messages alone. */
function faulty(dice: Dice, text: string): string {
  let faulted = text;
  while (dice.once(2)) faulted = fault(dice, faulted);
  return faulted;
}

function fault(dice: Dice, text: string): string {
  const at = dice.roll(text.length + 1);
  /** Puts something in the place of a random one of the matches. */
  const replaceOne = (what: RegExp, by: (found: string) => string) => {
    const found = [...text.matchAll(what)];
    const one = found[dice.roll(found.length)];
    if (one === undefined) return text;
    return text.slice(0, one.index) + by(one[0]) + text.slice(one.index + one[0].length);
  };
  switch (dice.roll(14)) {
    case 0:
      return text.slice(0, at) + String.fromCharCode(dice.roll(256)) + text.slice(at + 1);
    case 1:
      return (
        text.slice(0, at) +
        dice.pick(['\r', '\n', ' ', '\t', '\0', ':', ',', ';', '\r\n', '0']) +
        text.slice(at)
      );
    case 2:
      return text.slice(0, at) + text.slice(at + 1);
    case 3:
      return text.slice(0, at);
    case 4:
      return replaceOne(/\r\n/g, () =>
        dice.pick(['\n', '\r', '\r\r\n', '\r\n\r\n', '\r\n ', '\r\n\t', ' \r\n']),
      );
    case 5:
      return replaceOne(/:/g, () => dice.pick([' :', '\t:', '', '::']));
    case 6:
      return replaceOne(
        /(?<=\n)content-length:.*\r\n/gi,
        (line) => line + dice.pick([line, 'Content-Length: 3\r\n']),
      );
    case 7:
      return replaceOne(/(?<=\n)content-length:.*\r\n/gi, () => `Content-Length: ${dice.pick(LENGTHS)}\r\n`);
    case 8:
      return replaceOne(
        /(?<=\n)transfer-encoding:.*\r\n/gi,
        () => `Transfer-Encoding: ${dice.pick(CODINGS)}\r\n`,
      );
    case 9:
      return replaceOne(
        /(?<=\n)[\w-]+: .*\r\n/g,
        (line) => `${line}Transfer-Encoding: ${dice.pick(CODINGS)}\r\n`,
      );
    case 10:
      return replaceOne(
        /(?<=\n)[\w-]+: .*\r\n/g,
        (line) => `${line}Content-Length: ${dice.pick(LENGTHS)}\r\n`,
      );
    case 11:
      return replaceOne(/ /g, () => dice.pick(['  ', '\t', '']));
    case 12:
      return replaceOne(/(?<=\r\n)[0-9a-fA-F]+(?=[;\r])/g, (size) =>
        dice.pick([
          `${size}0`,
          `0x${size}`,
          `-${size}`,
          ` ${size}`,
          `${size} `,
          '',
          'g',
          `1${'0'.repeat(16)}${size}`,
        ]),
      );
    default:
      return replaceOne(/HTTP\/1\.\d/g, () =>
        dice.pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/1', 'http/1.1', 'HTTP/1.11', 'HTTP/11.1']),
      );
  }
}
