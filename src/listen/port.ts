import type { Server } from 'node:net';
import { SluiceError } from '../errors.js';

/** Listens, and gives the port. @throws SluiceError PORT_IN_USE or BAD_OPTION */
export async function listen(
  server: Server,
  host: string,
  port: number | { from: number; to: number },
): Promise<number> {
  if (typeof port === 'number') return listenOn(server, host, port);
  const { from, to } = port;
  const free = await proposal(host, from, to);
  // Outside of the range: get-port found nothing in it. But it counts those as taken that it gave away a moment ago,
  // and one that was free may be taken by now, so the range is tried port by port before it is called full.
  const rest = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  for (const candidate of free < from || free > to ? rest : [free, ...rest]) {
    try {
      return await listenOn(server, host, candidate);
    } catch (error) {
      if (!(error instanceof SluiceError && error.code === 'PORT_IN_USE')) throw error;
    }
  }
  throw new SluiceError(
    'PORT_IN_USE',
    `no port from ${from} to ${to} is free on ${host}; give a wider range or port 0`,
  );
}

/** get-port's; 0 where it cannot be loaded: it is ESM, which Jest's CommonJS can't require before Node 24.9. */
async function proposal(host: string, from: number, to: number): Promise<number> {
  const loaded = await import('get-port').catch(() => undefined);
  return loaded === undefined ? 0 : loaded.default({ host, port: loaded.portNumbers(from, to) });
}

function listenOn(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      server.off('listening', ready);
      reject(explained(error, host, port));
    };
    const ready = () => {
      server.off('error', failed);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    };
    server.once('error', failed).once('listening', ready);
    server.listen({ host, port, exclusive: true });
  });
}

function explained(error: NodeJS.ErrnoException, host: string, port: number): Error {
  switch (error.code) {
    case 'EADDRINUSE':
      return new SluiceError(
        'PORT_IN_USE',
        `port ${port} on ${host} is in use; give another, a range, or 0 for any`,
        {
          cause: error,
        },
      );
    case 'EACCES':
      return new SluiceError(
        'BAD_OPTION',
        `port ${port}: this user may not listen on it; give one over 1023, or 0`,
        {
          cause: error,
        },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new SluiceError(
        'BAD_OPTION',
        `host: ${host} is not an address of this machine; give one, or 127.0.0.1`,
        {
          cause: error,
        },
      );
    default:
      return error;
  }
}
