/**
 * Environment variables that send a child process through a proxy and make it trust the proxy's CA.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { messageOf, SluiceError } from '../errors.js';
import { ownExtras, usualRoots } from './roots.js';

/** Some programs know the small letters only (curl, of `http_proxy`), some the capitals. */
const PROXY_VARIABLES = ['http_proxy', 'https_proxy', 'all_proxy'] as const;
/** A program that finds one of these trusts the certificates there besides its own. */
const ADDED = ['NODE_EXTRA_CA_CERTS', 'DENO_CERT'] as const;
/** A program that finds one of these trusts those certificates only: OpenSSL and what uses it, curl, Python, git ... */
const REPLACED = [
  'SSL_CERT_FILE',
  'CURL_CA_BUNDLE',
  'REQUESTS_CA_BUNDLE',
  'PIP_CERT',
  'AWS_CA_BUNDLE',
  'GIT_SSL_CAINFO',
  'CARGO_HTTP_CAINFO',
  'BUNDLE_SSL_CA_CERT',
  'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH',
] as const;

/** The variables, and the files that they name. */
export class Environment {
  readonly variables: Record<string, string>;
  readonly #folder: string;

  /**
   * @param server the proxy's address
   * @param ca the certificate to trust, PEM
   * @throws SluiceError CA_FILE if the temporary files cannot be written
   */
  constructor(server: string, ca: string) {
    try {
      this.#folder = mkdtempSync(path.join(tmpdir(), 'sluice-'));
      const added = path.join(this.#folder, 'ca.pem');
      const replaced = path.join(this.#folder, 'ca-bundle.pem');
      writeFileSync(added, joined([ca, ...ownExtras()]));
      // Ours alone would do for what is intercepted, but not for what the proxy only tunnels.
      writeFileSync(replaced, joined([ca, ...usualRoots()]));
      this.variables = {
        ...Object.fromEntries(
          PROXY_VARIABLES.flatMap((name) => [name, name.toUpperCase()].map((n) => [n, server])),
        ),
        // Loopback is what tests are about: nothing is left out.
        no_proxy: '',
        NO_PROXY: '',
        NODE_USE_ENV_PROXY: '1',
        ...Object.fromEntries(ADDED.map((name) => [name, added])),
        ...Object.fromEntries(REPLACED.map((name) => [name, replaced])),
      };
    } catch (error) {
      const why = `${messageOf(error)}; give a folder for temporary files (TMPDIR) that can be written to`;
      throw new SluiceError('CA_FILE', `env: the CA's certificate cannot be written: ${why}`, {
        cause: error,
      });
    }
  }

  /** Takes the files away. */
  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function joined(pems: readonly string[]): string {
  return pems.map((pem) => `${pem.trimEnd()}\n`).join('');
}
