import { tmpdir } from 'node:os';
import path from 'node:path';
import { it } from 'node:test';
import { expect } from 'expect';
import { caPem } from '../tls/testing/pems.js';
import { Environment } from './environment.js';

it('proxy.env says where it cannot write', () => {
  const before = process.env.TMPDIR;
  process.env.TMPDIR = path.join(tmpdir(), 'is', 'not', 'there');
  try {
    const make = () => new Environment('http://127.0.0.1:1', caPem().cert);
    expect(make).toThrow(/env: .*cannot be written: ENOENT/);
    expect(make).toThrow(expect.objectContaining({ code: 'CA_FILE' }));
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
});
