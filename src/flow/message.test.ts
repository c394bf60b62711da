import { describe, it } from 'node:test';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { expect } from 'expect';
import { contentDecoders, decodeContent } from './content.js';
import { Headers } from './headers.js';
import { ResponseRecord } from './response.js';

/** A response as it was recorded, with `raw` as its body. */
function recorded(fields: Record<string, string>, raw: Buffer | string) {
  const warnings: string[] = [];
  const response = new ResponseRecord(
    { warn: (what) => void warnings.push(what) },
    { status: 200, statusText: 'OK', version: '1.1', headers: Headers.from(fields) },
  );
  response.record(Buffer.from(raw), true);
  return { response, warnings };
}

const refused = (problem: RegExp) =>
  expect.objectContaining({ code: 'BAD_BODY', message: expect.stringMatching(problem) });

describe('a body, read', () => {
  const text = 'content, cöntent, content';
  const codings: Record<string, Buffer> = {
    gzip: gzipSync(text),
    'x-gzip': gzipSync(text),
    deflate: deflateSync(text),
    'Deflate ': deflateRawSync(text),
    br: brotliCompressSync(text),
    identity: Buffer.from(text),
    'gzip, br': brotliCompressSync(gzipSync(text)),
  };
  for (const [coding, raw] of Object.entries(codings)) {
    it(`is decoded: ${coding}`, () => {
      const { response } = recorded({ 'Content-Encoding': coding.trim() }, raw);
      expect(response.text()).toBe(text);
      expect(response.rawBody).toEqual(raw);
      expect(response.transfer.received.decoded?.bytes).toBe(Buffer.byteLength(text));
    });
  }

  it('is decoded once for its digest, however often that is read', () => {
    const { response } = recorded({ 'Content-Encoding': 'gzip' }, gzipSync(text));
    const { decoded } = response.transfer.received;
    expect(decoded?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(response.transfer.received.decoded).toBe(decoded);
  });

  it('in a coding that is not known, or is not what it says, throws; rawBody does not', () => {
    const unknown = recorded({ 'Content-Encoding': 'compress' }, 'x').response;
    expect(() => unknown.body).toThrow(refused(/"compress" is not known.*gzip.*rawBody/));
    expect(unknown.rawBody.toString()).toBe('x');
    const broken = recorded({ 'Content-Encoding': 'gzip' }, 'not gzip').response;
    expect(() => broken.text()).toThrow(refused(/not valid gzip/));
    expect(broken.transfer.received.decoded).toBeUndefined();
    expect(() => {
      unknown.body = 'y';
    }).toThrow(refused(/compress/));
  });

  it('in a coding that has the name of something else, or in too many, is as unknown', () => {
    for (const coding of ['constructor', '__proto__', `gzip${', gzip'.repeat(8)}`]) {
      const { response } = recorded({ 'Content-Encoding': coding }, 'x');
      expect(() => response.body).toThrow(refused(/not known|more than 8 content codings/));
      expect(response.transfer.received.decoded).toBeUndefined();
      expect(contentDecoders(coding)).toBeUndefined();
    }
  });

  it('is decoded only so far: a bomb is refused', () => {
    const bombs = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync };
    for (const [coding, encode] of Object.entries(bombs)) {
      const bomb = encode(Buffer.alloc(1000));
      expect(decodeContent(bomb, coding, 1000)).toHaveLength(1000);
      expect(() => decodeContent(bomb, coding, 999)).toThrow(refused(/over 999 octets/));
    }
  });

  it('as text goes by the charset', () => {
    const read = (type: string, raw: Buffer) => recorded({ 'Content-Type': type }, raw).response.text();
    expect(read('text/plain; charset=ISO-8859-1', Buffer.from([0xe9]))).toBe('é');
    expect(read('text/plain; Charset="utf-16le"', Buffer.from('é', 'utf16le'))).toBe('é');
    expect(read('text/plain', Buffer.from('é'))).toBe('é');
    expect(read('text/plain; charset=no-such', Buffer.from('é'))).toBe('é');
  });

  it('as JSON says what is wrong, and shows the beginning', () => {
    expect(recorded({}, '{"a":1}').response.json<{ a: number }>().a).toBe(1);
    expect(() => recorded({}, '<html>').response.json()).toThrow(refused(/not JSON: .*begins "<html>"/));
    const { response } = recorded({}, '');
    response.bodyStatus = 'streamed';
    expect(() => response.json()).toThrow(refused(/was streamed/));
  });

  it('as form data, of both kinds', async () => {
    const urlencoded = { 'Content-Type': 'application/x-www-form-urlencoded' };
    expect((await recorded(urlencoded, 'a=1&a=%C3%A9').response.formData()).getAll('a')).toEqual(['1', 'é']);
    const type = { 'Content-Type': 'multipart/form-data; boundary=x' };
    const parts =
      '--x\r\nContent-Disposition: form-data; name="f"; filename="n.txt"\r\n\r\nfile\r\n--x--\r\n';
    const file = (await recorded(type, parts).response.formData()).get('f') as File;
    expect([file.name, await file.text()]).toEqual(['n.txt', 'file']);
    await expect(recorded({}, 'a=1').response.formData()).rejects.toEqual(refused(/formData\(\) reads/));
    await expect(recorded(type, 'broken').response.formData()).rejects.toEqual(
      refused(/not valid multipart/),
    );
    const { response } = recorded(urlencoded, '');
    response.bodyStatus = 'streamed';
    await expect(response.formData()).rejects.toEqual(refused(/was streamed/));
  });
});

describe('a body, assigned', () => {
  it('is encoded as Content-Encoding says; rawBody is not', () => {
    const { response } = recorded({ 'Content-Encoding': 'gzip' }, gzipSync('a'));
    response.body = 'changed';
    expect(response.rawBody.subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b]));
    expect(response.text()).toBe('changed');
    response.rawBody = gzipSync('raw');
    expect(response.text()).toBe('raw');
  });

  it('after it was sent, or while it is streamed, changes nothing and warns', () => {
    const { response, warnings } = recorded({}, 'kept');
    response.headSent = true;
    response.body = 'late';
    response.status = 404;
    expect([response.text(), response.status]).toEqual(['kept', 200]);
    expect(warnings).toHaveLength(2);
    const streamed = recorded({}, '');
    streamed.response.bodyStatus = 'streamed';
    streamed.response.body = 'x';
    expect(streamed.warnings).toEqual([expect.stringContaining('the body is streamed')]);
  });
});
