import { describe, it } from 'node:test';
import { expect } from 'expect';
import { makeFlow } from '../har/testing/flows.js';
import { flowLines } from './flow-log.js';
import type { Paint } from './screen.js';

const tagged = (tag: string) => (text: string) => `<${tag}>${text}</${tag}>`;
const PAINT: Paint = {
  red: tagged('red'),
  yellow: tagged('yellow'),
  green: tagged('green'),
  dim: (text) => text,
};

describe('the line of a flow', () => {
  const error = { code: 'CLIENT_ABORTED' as const, message: 'gone' };

  it('is red for a failure, but not for an event stream that its client closed', () => {
    const [failed] = flowLines(makeFlow({ response: { complete: false }, error }), PAINT);
    expect(failed).toMatch(/→ <red>200, CLIENT_ABORTED: gone<\/red> \(/);
    const [closed] = flowLines(makeFlow({ response: { complete: false, events: [] }, error }), PAINT);
    expect(closed).toMatch(/→ <green>200<\/green> \(.*0 events, closed by the client, /);
  });
});
