import { describe, it } from 'node:test';
import { expect } from 'expect';
import { remembered } from './remembered.js';

describe('remembered', () => {
  it('asks once for each text', () => {
    const asked: string[] = [];
    const shout = remembered((text) => {
      asked.push(text);
      return text.toUpperCase();
    });
    expect(['host', 'accept', 'host'].map(shout)).toEqual(['HOST', 'ACCEPT', 'HOST']);
    expect(asked).toEqual(['host', 'accept']);
  });

  it('does not remember what threw', () => {
    let refuse = true;
    const picky = remembered((text) => {
      if (refuse) throw new Error(`${text} is refused`);
      return text;
    });
    expect(() => picky('host')).toThrow('host is refused');
    refuse = false;
    expect(picky('host')).toBe('host');
  });

  it('answers still when it can remember no more', () => {
    let asked = 0;
    const length = remembered((text) => {
      asked++;
      return text.length;
    });
    for (let i = 0; i < 1000; i++) length(`name-${i}`);
    expect([length('one more'), length('one more'), length('name-7')]).toEqual([8, 8, 6]);
    expect(asked).toBe(1002);
  });
});
