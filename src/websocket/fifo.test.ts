import { describe, it } from 'node:test';
import { expect } from 'expect';
import { random } from '../testing/bytes.js';
import { Fifo } from './fifo.js';

describe('Fifo', () => {
  it('gives what it was given in the same order, as an array does', () => {
    const next = random(3);
    const fifo = new Fifo<number>();
    const array: number[] = [];
    for (let i = 0; i < 20_000; i++) {
      // Grows to thousands, and shrinks to nothing again.
      if (next() < (i % 10_000 < 5000 ? 0.8 : 0.2)) {
        fifo.push(i);
        array.push(i);
      } else {
        expect(fifo.shift()).toBe(array.shift());
      }
      expect([fifo.length, fifo.first]).toEqual([array.length, array[0]]);
    }
    fifo.push(1);
    fifo.clear();
    expect([fifo.length, fifo.first, fifo.shift()]).toEqual([0, undefined, undefined]);
  });
});
