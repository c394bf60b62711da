/** The origins of the benchmarks, in clear text and over TLS: nginx for downloads where there is one, else our own. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { loadCa } from '../../src/tls/ca.js';
import { caPem } from '../../src/tls/testing/pems.js';
import { ended, freePort, GIB, type Listening, MIB, program, script } from '../harness.js';
import { versionOf } from '../machine.js';

/** The name that the certificates of origins and TLS relays are for. */
export const NAME = 'localhost';

export interface Origins {
  /** `/down/N`, `/1k`, `/64k`, `/page.html`, in clear text and over TLS. */
  plain: number;
  tls: number;
  /** Our own: uploads to `/up`, `/chunked/N` in 16 KiB chunks, and all of the above. */
  own: number;
  ownTls: number;
  server: string;
  /** A file of 1 GiB to upload. */
  file: string;
  /** A folder for what has to be a file; it is removed at the end. */
  folder: string;
  stop(): Promise<void>;
}

const CONFIG = (folder: string, plain: number, tls: number) => `
worker_processes 1;
daemon off;
pid ${folder}/nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off;
  types { text/html html; }
  default_type application/octet-stream;
  sendfile on;
  tcp_nodelay on;
  keepalive_timeout 600s;
  keepalive_requests 100000000;
  client_body_temp_path ${folder};
  proxy_temp_path ${folder};
  fastcgi_temp_path ${folder};
  uwsgi_temp_path ${folder};
  scgi_temp_path ${folder};
  root ${folder}/www;
  server { listen 127.0.0.1:${plain} backlog=4096; }
  server {
    listen 127.0.0.1:${tls} ssl backlog=4096;
    ssl_certificate ${folder}/cert.pem;
    ssl_certificate_key ${folder}/key.pem;
  }
}
`;

export async function startOrigins(): Promise<Origins> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sluice-bench-'));
  const { cert, key } = loadCa(caPem()).credentialsFor(NAME);
  writeFileSync(path.join(folder, 'cert.pem'), cert);
  writeFileSync(path.join(folder, 'key.pem'), key);
  const own = await script('./origins/origin.ts');
  const ownTls = await script('./origins/origin.ts', folder);
  const started: Listening[] = [own, ownTls];
  // It takes no room: there is nothing in it.
  const file = path.join(folder, 'upload');
  writeFileSync(file, '');
  truncateSync(file, GIB);
  let [plain, tls, server] = [own.port, ownTls.port, 'our own'];
  if (versionOf('nginx') !== undefined) {
    [plain, tls, server] = [await freePort(), await freePort(), `nginx ${versionOf('nginx')}`];
    makeFiles(path.join(folder, 'www'));
    writeFileSync(path.join(folder, 'nginx.conf'), CONFIG(folder, plain, tls));
    started.push(await program('nginx', ['-p', folder, '-c', path.join(folder, 'nginx.conf')], plain));
  }
  const stop = async () => {
    await Promise.all(started.map(ended));
    rmSync(folder, { recursive: true, force: true });
  };
  return { plain, tls, own: own.port, ownTls: ownTls.port, server, file, folder, stop };
}

/** What nginx serves. */
function makeFiles(www: string): void {
  mkdirSync(path.join(www, 'down'), { recursive: true });
  // nginx may run as another user than the one who measures.
  chmodSync(path.dirname(www), 0o755);
  writeFileSync(path.join(www, '1k'), 'x'.repeat(1024));
  writeFileSync(path.join(www, '64k'), 'x'.repeat(65_536));
  writeFileSync(path.join(www, 'page.html'), '<title>A page</title>');
  for (const octets of [20_000, 64 * MIB, GIB, 4 * GIB]) {
    const file = path.join(www, 'down', String(octets));
    writeFileSync(file, '');
    truncateSync(file, octets);
  }
}
