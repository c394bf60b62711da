import { describe, it } from 'node:test';
import { expect } from 'expect';
import { type DeflateSide, parseExtensions } from './extensions.js';

const PLAIN: DeflateSide = { noContextTakeover: false, windowBits: 15 };

function sides(client: Partial<DeflateSide> = {}, server: Partial<DeflateSide> = {}) {
  return { deflate: { client: { ...PLAIN, ...client }, server: { ...PLAIN, ...server } }, unknown: [] };
}

describe('parseExtensions', () => {
  it('finds none where none are named', () => {
    for (const field of [undefined, '', ' ', ',', ' , ,']) {
      expect(parseExtensions(field)).toEqual({ deflate: undefined, unknown: [] });
    }
  });

  it('reads what was agreed on about compression', () => {
    for (const [field, expected] of [
      ['permessage-deflate', sides()],
      ['PerMessage-Deflate', sides()],
      [' permessage-deflate ; client_no_context_takeover ', sides({ noContextTakeover: true })],
      ['permessage-deflate;server_no_context_takeover', sides({}, { noContextTakeover: true })],
      ['permessage-deflate; client_max_window_bits=8', sides({ windowBits: 8 })],
      ['permessage-deflate; server_max_window_bits = "10"', sides({}, { windowBits: 10 })],
      ['permessage-deflate; Server_Max_Window_Bits=15', sides()],
      // What only an offer may say: whoever reads it so anyway has agreed on nothing smaller.
      ['permessage-deflate; client_max_window_bits', sides()],
      [
        'permessage-deflate; server_no_context_takeover; client_max_window_bits=9; client_no_context_takeover; server_max_window_bits=12',
        sides({ noContextTakeover: true, windowBits: 9 }, { noContextTakeover: true, windowBits: 12 }),
      ],
      [', permessage-deflate,', sides()],
    ] as const) {
      expect([field, parseExtensions(field)]).toEqual([field, expected]);
    }
  });

  it('names what it does not know, so that nobody takes payloads for what they are not', () => {
    for (const [field, unknown] of [
      ['x-webkit-deflate-frame', ['x-webkit-deflate-frame']],
      ['bbf-usp-protocol; a="permessage-deflate, x; y"', ['bbf-usp-protocol']],
      ['one; a="\\"b, two; c\\""; d, three', ['one', 'three']],
      // A quote that is never closed.
      ['one; a="b, two; c', ['one']],
      ['permessage-deflate; made_up', ['permessage-deflate']],
      ['permessage-deflate; made_up=1; client_max_window_bits=10', ['permessage-deflate']],
      ['permessage-deflate; client_max_window_bits=7', ['permessage-deflate']],
      ['permessage-deflate; client_max_window_bits=16', ['permessage-deflate']],
      ['permessage-deflate; client_max_window_bits=015', ['permessage-deflate']],
      ['permessage-deflate; client_max_window_bits="10', ['permessage-deflate']],
      ['permessage-deflate; client_max_window_bits=', ['permessage-deflate']],
      ['permessage-deflate; client_max_window_bits=1e1', ['permessage-deflate']],
      ['permessage-deflate; client_no_context_takeover=1', ['permessage-deflate']],
      ['permessage-deflate; xclient_no_context_takeover', ['permessage-deflate']],
      // Agreed on twice, differently (RFC 7692 section 7.1).
      ['permessage-deflate; server_max_window_bits=8; server_max_window_bits=9', ['permessage-deflate']],
    ] as const) {
      expect([field, parseExtensions(field)]).toEqual([field, { deflate: undefined, unknown }]);
    }
  });

  it('takes one compression beside others it does not know', () => {
    expect(parseExtensions('permessage-deflate, foo; bar')).toEqual({ ...sides(), unknown: ['foo'] });
    expect(parseExtensions('foo, permessage-deflate')).toEqual({ ...sides(), unknown: ['foo'] });
    // One upon the other compresses twice.
    const twice = parseExtensions('permessage-deflate, permessage-deflate; server_max_window_bits=10');
    expect(twice).toEqual({ ...sides(), unknown: ['permessage-deflate'] });
  });
});
