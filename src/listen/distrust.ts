/**
 * Clients that do not trust the CA. They say so with an alert, if at all; many only close.
 * @module
 */
import { isError } from '../errors.js';

/** What `clientError` is told of a client that gives up on the certificate it was shown. */
export class ClientDistrust extends Error {
  /** @param alert how the client said so (RFC 8446 6.2), if it did: without one it may have had other reasons */
  constructor(
    readonly alert: string | undefined,
    options?: ErrorOptions,
  ) {
    super(
      alert === undefined
        ? 'the client closed the connection during the TLS handshake; it may not trust the CA'
        : `the client does not trust the CA (alert ${alert})`,
      options,
    );
  }
}

/** An error of a client's TLS, as it is to be told. */
export function asDistrust(error: unknown): unknown {
  if (!isError(error) || error instanceof ClientDistrust) return error;
  const [, alert] = /alert (certificate unknown|unknown ca|bad certificate)/i.exec(error.message) ?? [];
  return alert === undefined ? error : new ClientDistrust(alert.toLowerCase(), { cause: error });
}

/** The same of an error in the handshake itself. */
export function handshakeFailure(error: unknown): unknown {
  const isLost = isError(error) && 'code' in error && error.code === 'ECONNRESET';
  return isLost ? new ClientDistrust(undefined, { cause: error }) : asDistrust(error);
}
