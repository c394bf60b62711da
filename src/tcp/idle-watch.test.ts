import { describe, it } from 'node:test';
import { expect } from 'expect';
import { IdleWatch } from './idle-watch.js';

/** Resolves with the names in the order they expired, once there are `count`. */
function expiries(count: number) {
  const order: string[] = [];
  let done: (order: string[]) => void;
  const all = new Promise<string[]>((resolve) => {
    done = resolve;
  });
  const idler = (name: string) => ({
    idleUntil: Number.POSITIVE_INFINITY,
    expire: () => {
      order.push(name);
      if (order.length === count) done(order);
    },
  });
  return { order, all, idler };
}

describe('IdleWatch', () => {
  it('expires each at its time, the earliest first, whatever order they came in', async () => {
    const watch = new IdleWatch();
    const { all, idler } = expiries(3);
    watch.start(idler('late'), 60);
    watch.start(idler('early'), 5);
    watch.start(idler('middle'), 30);
    const keepAlive = setInterval(() => undefined, 10);
    expect(await all).toEqual(['early', 'middle', 'late']);
    clearInterval(keepAlive);
    watch.close();
  });

  it('leaves alone what became busy, and what started again', async () => {
    const watch = new IdleWatch();
    const { all, idler } = expiries(2);
    const busy = idler('busy');
    const again = idler('again');
    watch.start(busy, 5);
    watch.start(again, 5);
    watch.stop(busy);
    watch.start(again, 40);
    watch.start(idler('other'), 20);
    const keepAlive = setInterval(() => undefined, 10);
    expect(await all).toEqual(['other', 'again']);
    clearInterval(keepAlive);
    watch.close();
  });
});
