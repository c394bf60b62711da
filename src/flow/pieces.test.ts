import { describe, it } from 'node:test';
import { expect } from 'expect';
import { PieceLog } from './pieces.js';

describe('PieceLog', () => {
  it('cuts octets on the grid, whatever the steps they came in', () => {
    for (const steps of [[10_000], [1, 4094, 3, 5000, 902], [4096, 4096, 1808]]) {
      const log = new PieceLog();
      for (const step of steps) log.addOctets(step);
      expect(log.sizes()).toEqual([4096, 4096, 1808]);
      expect(log.runs).toEqual([
        [4096, 2],
        [1808, 1],
      ]);
      expect(log.count).toBe(3);
    }
  });

  it('has none for an empty body, and no empty last one', () => {
    const log = new PieceLog();
    expect([log.count, log.sizes(), log.runs]).toEqual([0, [], []]);
    log.addOctets(8192);
    expect(log.sizes()).toEqual([4096, 4096]);
  });

  it('keeps pieces logged one by one, equal neighbours as a run', () => {
    const log = new PieceLog();
    for (const size of [1, 10, 10, 10, 4096, 10]) log.addPiece(size);
    expect(log.sizes()).toEqual([1, 10, 10, 10, 4096, 10]);
    expect(log.runs).toEqual([
      [1, 1],
      [10, 3],
      [4096, 1],
      [10, 1],
    ]);
    expect(log.count).toBe(6);
    expect(log.truncated).toBe(false);
  });

  it('stops after 4096 runs and counts on', () => {
    const log = new PieceLog();
    for (let i = 1; i <= 4096; i++) log.addPiece(i);
    log.addPiece(4096);
    expect(log.truncated).toBe(false);
    expect(log.count).toBe(4097);
    log.addPiece(7);
    log.addPiece(4096);
    expect(log.truncated).toBe(true);
    expect(log.count).toBe(4099);
    expect(log.runs.length).toBe(4096);
    // Not one more of the last run: its neighbours would be wrong.
    expect(log.runs.at(-1)).toEqual([4096, 2]);
    expect(log.sizes().slice(0, 3)).toEqual([1, 2, 3]);
  });

  it('is shown as far as octets have come', () => {
    const log = new PieceLog();
    for (const size of [3, 5, 5, 2]) log.addPiece(size);
    expect(log.upTo(0).sizes()).toEqual([]);
    expect(log.upTo(2).sizes()).toEqual([2]);
    expect(log.upTo(3).sizes()).toEqual([3]);
    expect(log.upTo(10).sizes()).toEqual([3, 5, 2]);
    expect(log.upTo(13).sizes()).toEqual([3, 5, 5]);
    expect(log.upTo(15).sizes()).toEqual([3, 5, 5, 2]);
    expect(log.upTo(15).count).toBe(4);
    expect(log.sizes()).toEqual([3, 5, 5, 2]);
  });

  it('is shown as far as octets have come on the grid', () => {
    const log = new PieceLog();
    log.addOctets(10_000);
    expect(log.upTo(5000).runs).toEqual([
      [4096, 1],
      [904, 1],
    ]);
  });
});
