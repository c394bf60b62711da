import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'expect';
import { EventStreamParser, type ParsedEvent } from './event-stream.js';

/** What comes of octets that arrive in these parts. */
function parse(...parts: (string | Buffer)[]): ParsedEvent[] {
  const events: ParsedEvent[] = [];
  const parser = new EventStreamParser((event) => events.push(event));
  for (const part of parts) expect(parser.write(Buffer.from(part as string))).toBe(true);
  return events;
}

const data = (...parts: (string | Buffer)[]) => parse(...parts).map((event) => event.data);
const plain = { event: 'message', id: '', retry: undefined };

/** Comments, fields of every kind, characters of one to four octets, lines without a colon. */
const LINES = [
  '\ufeff: a comment',
  'data: plain',
  '',
  'event: grüße',
  'id: €1',
  'retry: 2500',
  'data:first',
  'data:  second 🎉',
  'data',
  '',
  '',
  'id',
  'data: after',
  '',
  'data: never ended',
];
const EVENTS: ParsedEvent[] = [
  { event: 'message', data: 'plain', id: '', retry: undefined },
  { event: 'grüße', data: 'first\n second 🎉\n', id: '€1', retry: 2500 },
  { event: 'message', data: 'after', id: '', retry: undefined },
];

describe('EventStreamParser', () => {
  for (const [name, end] of Object.entries({ LF: '\n', CR: '\r', CRLF: '\r\n' })) {
    const bytes = Buffer.from(LINES.join(end));

    it(`reads lines that end in ${name}, split anywhere`, () => {
      expect(parse(bytes)).toEqual(EVENTS);
      for (let cut = 0; cut <= bytes.length; cut++) {
        expect(parse(bytes.subarray(0, cut), bytes.subarray(cut))).toEqual(EVENTS);
      }
    });

    it(`reads lines that end in ${name}, octet by octet`, () => {
      expect(parse(...Array.from(bytes, (octet) => Buffer.from([octet])))).toEqual(EVENTS);
    });
  }

  it('reads ends of lines that are mixed', () => {
    expect(data('data: a\r\rdata: b\n\ndata: c\r\n\r\ndata: d\n\r\ndata: e\r\n\r')).toEqual([...'abcde']);
    // CR LF is one end and not two: no event ends here.
    expect(data('data: a\r', '\ndata: b\n', '\r')).toEqual(['a\nb']);
    expect(data('data: a\r', '', '\ndata: b\n\n')).toEqual(['a\nb']);
  });

  it('takes one byte order mark from the beginning, and no other', () => {
    expect(data('\ufeffdata: a\n\n')).toEqual(['a']);
    expect(data('\ufeff\ufeffdata: a\n\n')).toEqual([]);
    expect(data('data: a\n\n\ufeffdata: b\n\ndata: \ufeffc\n\n')).toEqual(['a', '\ufeffc']);
  });

  it('takes one space from a value', () => {
    expect(data('data:a\n\n', 'data: b\n\n', 'data:  c\n\n', 'data:\td\n\n', 'data:e \n\n')).toEqual([
      'a',
      'b',
      ' c',
      '\td',
      'e ',
    ]);
    expect(data('data:a:b\n\n', 'data: : c\n\n')).toEqual(['a:b', ': c']);
  });

  it('joins lines of data with LF', () => {
    expect(data('data: a\ndata: b\ndata:\n\n')).toEqual(['a\nb\n']);
    expect(data('data\n\n', 'data:\n\n', 'data\ndata\n\n')).toEqual(['', '', '\n']);
  });

  it('dispatches nothing without data, nor at the end of the stream', () => {
    expect(parse('event: x\n\n', 'id: 1\n\n', 'retry: 5\n\n', '\n\n', ': comment\n\n')).toEqual([]);
    expect(parse('data: a\n')).toEqual([]);
    // The type was that of the event that was none.
    expect(parse('event: x\n\ndata: a\n\n')).toEqual([{ ...plain, data: 'a' }]);
  });

  it('keeps an id until another comes, also one that came without data', () => {
    const ids = parse('id: 1\ndata:\n\n', 'data:\n\n', 'id: 2\n\ndata:\n\n', 'id\ndata:\n\n').map(
      ({ id }) => id,
    );
    expect(ids).toEqual(['1', '1', '2', '']);
    // NUL in an id, and anything but digits in retry, are ignored.
    expect(parse('id: 1\nid: a\0b\ndata:\n\n')).toEqual([{ ...plain, id: '1', data: '' }]);
    for (const wrong of ['1s', '-1', '1.5', '', ' 1', '١']) {
      expect(parse(`retry: 7\nretry: ${wrong}\ndata:\n\n`)[0]?.retry).toBe(7);
    }
    expect(parse('retry: 7\ndata:\n\ndata:\n\n').map(({ retry }) => retry)).toEqual([7, undefined]);
  });

  it('knows fields by their exact names', () => {
    expect(parse('Data: a\n\n', ' data: a\n\n', 'dat: a\n\n', 'data : a\n\n')).toEqual([]);
  });

  it('replaces what is no UTF-8', () => {
    expect(data(Buffer.from('data: \xff\xe2\x82\n\n', 'latin1'))).toEqual(['\ufffd\ufffd']);
    expect(data(Buffer.from('data: \xe2', 'latin1'), Buffer.from('\x82', 'latin1'), '\n\n')).toEqual([
      '\ufffd',
    ]);
  });

  it('says when an event, or a line, is over 16 Mi characters', () => {
    const mebi = Buffer.alloc(1024 * 1024, 'x');
    for (const between of ['', '\ndata:']) {
      const parser = new EventStreamParser(() => undefined);
      parser.write(Buffer.from('data:'));
      for (let i = 0; i < 15; i++) {
        expect(parser.write(mebi)).toBe(true);
        parser.write(Buffer.from(between));
      }
      expect(parser.write(mebi)).toBe(false);
    }
    // Events of any number may have as much, one after the other.
    const many = new EventStreamParser(() => undefined);
    const event = Buffer.concat([Buffer.from('data:'), mebi, Buffer.from('\n\n')]);
    for (let i = 0; i < 40; i++) expect(many.write(event)).toBe(true);
  });

  it('keeps nothing of the text around what it tells', () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const events: ParsedEvent[] = [];
    const parser = new EventStreamParser((event) => events.push(event));
    const comments = ': nothing to see here\n'.repeat(50_000);
    // Large texts are outside of the heap.
    const kept = () => {
      gc();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const before = kept();
    for (let i = 0; i < 50; i++) {
      const block = `event: of some type ${i}\nid: some id or other ${i}\ndata: some words of text ${i}\n\n`;
      parser.write(Buffer.from(comments + block + comments));
    }
    expect(events.length).toBe(50);
    // It was 100 MiB.
    expect(kept() - before).toBeLessThan(20 * 1024 * 1024);
  });

  it('takes time by the length of what it reads, however few ends of one kind there are', () => {
    const bytes = Buffer.from(`${'data:\n\n'.repeat(300_000)}`);
    let events = 0;
    const parser = new EventStreamParser(() => events++);
    // With a look for CR through all the rest from each line on, these would be 10^12 characters.
    for (let i = 0; i < 4; i++) parser.write(bytes);
    expect(events).toBe(1_200_000);
  });
});
