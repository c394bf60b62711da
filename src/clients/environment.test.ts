import { execFile, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { rootCertificates } from 'node:tls';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { testProxy } from '../testing/test-proxy.js';
import { itUnless } from '../testing/unless.js';
import { caPem } from '../tls/testing/pems.js';
import { withEcho } from './testing/echo.js';

const run = promisify(execFile);
const FILES_OF_NODE = ['DENO_CERT', 'NODE_EXTRA_CA_CERTS'];
const FILES_OF_OTHERS = [
  'AWS_CA_BUNDLE',
  'BUNDLE_SSL_CA_CERT',
  'CARGO_HTTP_CAINFO',
  'CURL_CA_BUNDLE',
  'GIT_SSL_CAINFO',
  'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH',
  'PIP_CERT',
  'REQUESTS_CA_BUNDLE',
  'SSL_CERT_FILE',
];

/** The certificates in a PEM file. */
const certificates = (file: string) =>
  readFileSync(file, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];

/** What the process trusts by NODE_EXTRA_CA_CERTS while `play` runs. */
async function withExtras(file: string | undefined, play: () => Promise<void>): Promise<void> {
  const before = process.env.NODE_EXTRA_CA_CERTS;
  if (file === undefined) delete process.env.NODE_EXTRA_CA_CERTS;
  else process.env.NODE_EXTRA_CA_CERTS = file;
  try {
    await play();
  } finally {
    if (before === undefined) delete process.env.NODE_EXTRA_CA_CERTS;
    else process.env.NODE_EXTRA_CA_CERTS = before;
  }
}

/** The environment of this process without its own proxies, and with those of a proxy. */
const envWith = (env: Record<string, string>) => ({ ...process.env, ...env });

/** Why tests of a program are skipped, if they are: it is not there, or a launcher that has nothing to launch. */
function missing(program: string): string | false {
  return spawnSync(program, ['--version']).status !== 0 && `${program} is not installed`;
}

describe('proxy.env', () => {
  it('names the proxy in both cases, and nothing that goes without it', async () => {
    const proxy = await testProxy();
    const { env } = proxy;
    for (const name of ['http_proxy', 'https_proxy', 'all_proxy']) {
      expect([env[name], env[name.toUpperCase()]]).toEqual([proxy.server, proxy.server]);
    }
    expect(env).toMatchObject({ no_proxy: '', NO_PROXY: '', NODE_USE_ENV_PROXY: '1' });
    await proxy.close();
  });

  it('names nothing else but files', async () => {
    const proxy = await testProxy();
    const files = Object.entries(proxy.env).filter(([, value]) => path.isAbsolute(value));
    expect(files.map(([name]) => name).sort()).toEqual([...FILES_OF_NODE, ...FILES_OF_OTHERS].sort());
    expect(Object.keys(proxy.env)).toHaveLength(files.length + 9);
    await proxy.close();
  });

  it('is documented, each variable of it', async () => {
    const proxy = await testProxy();
    const page = readFileSync('docs/child-processes.md', 'utf8');
    expect(Object.keys(proxy.env).filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
    await proxy.close();
  });

  it('files hold the CA, and where they replace what a program trusts, the usual roots; the key is in none', () =>
    withExtras(undefined, async () => {
      const proxy = await testProxy();
      const ca = new X509Certificate(proxy.ca.cert).fingerprint256;
      for (const name of [...FILES_OF_NODE, ...FILES_OF_OTHERS]) {
        const file = proxy.env[name] ?? '';
        const prints = certificates(file).map((pem) => new X509Certificate(pem).fingerprint256);
        expect(prints[0]).toBe(ca);
        expect(prints).toHaveLength(FILES_OF_NODE.includes(name) ? 1 : 1 + rootCertificates.length);
        expect(readFileSync(file, 'utf8')).not.toContain('PRIVATE KEY');
        expect(statSync(path.dirname(file)).mode & 0o077).toBe(0);
      }
      await proxy.close();
    }));

  it('files hold what this process trusts by NODE_EXTRA_CA_CERTS itself', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'extras-'));
    try {
      const own = caPem().cert;
      await writeFile(path.join(folder, 'own.pem'), own);
      await withExtras(path.join(folder, 'own.pem'), async () => {
        const proxy = await testProxy();
        for (const name of [...FILES_OF_NODE, ...FILES_OF_OTHERS]) {
          expect(certificates(proxy.env[name] ?? '')).toContain(own.trim());
        }
        await proxy.close();
      });
      await withExtras(path.join(folder, 'none.pem'), async () => {
        const proxy = await testProxy();
        expect(certificates(proxy.env.NODE_EXTRA_CA_CERTS ?? '')).toHaveLength(1);
        await proxy.close();
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('writes once, and takes its files away when the proxy is closed', async () => {
    const proxy = await testProxy();
    const folder = path.dirname(proxy.env.SSL_CERT_FILE ?? '');
    expect(path.dirname(proxy.env.SSL_CERT_FILE ?? '')).toBe(folder);
    expect(existsSync(folder)).toBe(true);
    await proxy.close();
    expect(existsSync(folder)).toBe(false);
    expect(() => proxy.env).toThrow(expect.objectContaining({ code: 'PROXY_CLOSED' }));
  });
});

describe('a child process with proxy.env', () => {
  /** Prints what it got; the first argument is the URL. */
  const PROGRAMS: { name: string; args: (url: string) => string[]; program: string }[] = [
    { name: 'curl', program: 'curl', args: (url) => ['-sS', url] },
    {
      name: 'python3',
      program: 'python3',
      args: (url) => [
        '-c',
        `import urllib.request as r; print(r.urlopen(${JSON.stringify(url)}).read().decode())`,
      ],
    },
    { name: 'git', program: 'git', args: (url) => ['ls-remote', `${url}.git`] },
  ];
  for (const { name, program, args } of PROGRAMS) {
    for (const protocol of ['http', 'https']) {
      itUnless(missing(program), `${name} asks over ${protocol} through the proxy`, async () => {
        await withEcho(async ({ proxy }) => {
          const url = `${protocol}://api.test/child`;
          if (name === 'git') proxy.respond('**', { body: '', status: 404 });
          const failed = name === 'git' ? /not found/ : undefined;
          const result = await run(program, args(url), { env: envWith(proxy.env) }).catch(
            (error: unknown) => {
              if (failed?.test(String(error))) return { stdout: '' };
              throw error;
            },
          );
          if (failed === undefined) expect(JSON.parse(result.stdout)).toMatchObject({ url: '/child' });
          expect(proxy.flows.last?.request.url).toMatch(new RegExp(`^${url}`));
          expect(proxy.flows.last?.error).toBeUndefined();
        });
      });
    }
  }

  const ASKS = `
    const urls = process.argv.slice(1);
    const get = (client, url) => new Promise((resolve, reject) => {
      client.get(url, (response) => { response.resume(); response.on('end', () => resolve(response.statusCode)); }).on('error', reject);
    });
    Promise.all([
      fetch(urls[0]).then((response) => response.status),
      get(require('node:https'), urls[0]),
      get(require('node:http'), urls[1]),
    ]).then((statuses) => console.log(JSON.stringify(statuses)));
  `;

  it('Node asks by fetch, node:https and node:http with sluice/register, whatever its version', () =>
    withEcho(async ({ proxy }) => {
      const args = ['--import', 'tsx', '--import', './src/register.ts', '-e', ASKS];
      const urls = ['https://api.test/child', 'http://api.test/child'];
      const { stdout } = await run(process.execPath, [...args, ...urls], { env: envWith(proxy.env) });
      expect(JSON.parse(stdout)).toEqual([200, 200, 200]);
      expect(proxy.flows.map(({ request }) => request.url).sort()).toEqual([urls[1], urls[0], urls[0]]);
    }));

  it('sluice/register leaves a process alone that names no proxy', () =>
    withEcho(async ({ proxy, plain }) => {
      const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/_proxy$/i.test(name)));
      const args = ['--import', 'tsx', '--import', './src/register.ts', '-e'];
      const code = `fetch(${JSON.stringify(plain)}).then((response) => console.log(response.status))`;
      const { stdout } = await run(process.execPath, [...args, code], { env });
      expect(stdout).toBe('200\n');
      expect(proxy.flows).toHaveLength(0);
    }));

  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const heedless =
    (major < 22 || (major === 22 && minor < 21) || major === 23) &&
    `Node ${process.versions.node} does not heed it`;
  itUnless(heedless, 'Node does so by itself from the version on that heeds NODE_USE_ENV_PROXY', async () => {
    await withEcho(async ({ proxy }) => {
      const urls = ['https://api.test/child', 'http://api.test/child'];
      const { stdout } = await run(process.execPath, ['-e', ASKS, ...urls], { env: envWith(proxy.env) });
      expect(JSON.parse(stdout)).toEqual([200, 200, 200]);
      expect(proxy.flows).toHaveLength(3);
    });
  });

  itUnless(missing('curl'), 'fails in TLS without the variables of the CA', async () => {
    await withEcho(async ({ proxy }) => {
      const { https_proxy = '' } = proxy.env;
      const failed = run('curl', ['-sS', 'https://api.test/'], {
        env: { PATH: process.env.PATH, https_proxy },
      });
      await expect(failed).rejects.toThrow(/certificate/);
    });
  });
});
