/**
 * A gRPC service and its client, without a protobuf compiler: messages are octets as they are.
 * @module
 */
import * as grpc from '@grpc/grpc-js';
import type { HttpFlow } from '../flow/types.js';
import type { ProxyOptions } from '../options/types.js';
import type { RecordingProxy } from '../proxy.js';
import { testProxy } from '../testing/test-proxy.js';
import { loadCa } from '../tls/ca.js';
import { caPem } from '../tls/testing/pems.js';

/** The name the service is called by; a proxy needs a `hosts` entry for it. */
export const NAME = 'grpc.test';

const same = (message: Buffer): Buffer => message;

const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/sluice.test.Talk/${name}`,
  requestStream,
  responseStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});

const SERVICE = {
  ask: method('Ask', false, false),
  collect: method('Collect', true, false),
  list: method('List', false, true),
  chat: method('Chat', true, true),
};

/** What a test lets its server do; a call of anything else is answered UNIMPLEMENTED. */
export interface Talk {
  ask?: grpc.handleUnaryCall<Buffer, Buffer>;
  collect?: grpc.handleClientStreamingCall<Buffer, Buffer>;
  list?: grpc.handleServerStreamingCall<Buffer, Buffer>;
  chat?: grpc.handleBidiStreamingCall<Buffer, Buffer>;
}

/** A running gRPC server. */
export interface TalkServer {
  server: grpc.Server;
  port: number;
  /** Of its certificate, PEM. */
  ca: string;
}

/** Of all servers here. */
const CA = loadCa(caPem());
/** No limit on the size of messages. */
const SIZES = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };

export async function serveTalk(talk: Talk, secure: boolean, port = 0): Promise<TalkServer> {
  const { cert, key } = CA.credentialsFor(NAME);
  const server = new grpc.Server(SIZES);
  server.addService(SERVICE, { ...talk });
  const credentials = secure
    ? grpc.ServerCredentials.createSsl(null, [
        { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) },
      ])
    : grpc.ServerCredentials.createInsecure();
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error, chosen) => {
      if (error === null) resolve(chosen);
      else reject(error);
    });
  });
  return { server, port: bound, ca: CA.cert };
}

/** What a call came to. */
export interface Outcome {
  message?: Buffer | undefined;
  error?: grpc.ServiceError | undefined;
  status: grpc.StatusObject;
  /** The server's initial metadata. */
  metadata: grpc.Metadata;
}

/** A client of the service. */
export class TalkClient extends grpc.Client {
  /** One that goes through the proxy as users make it: by `grpc_proxy`, which is looked at when a client is made. */
  static through(proxy: RecordingProxy, secure: boolean, options: grpc.ClientOptions = {}): TalkClient {
    const { grpc_proxy: before } = process.env;
    process.env.grpc_proxy = proxy.server;
    try {
      const target = `${NAME}:${secure ? 443 : 80}`;
      return new TalkClient(target, credentialsFor(proxy, secure), { ...SIZES, ...options });
    } finally {
      if (before === undefined) delete process.env.grpc_proxy;
      else process.env.grpc_proxy = before;
    }
  }

  ask(message: Buffer | string, metadata = new grpc.Metadata(), options: grpc.CallOptions = {}) {
    const { path } = SERVICE.ask;
    return outcome<grpc.ClientUnaryCall>((done) =>
      this.makeUnaryRequest(path, same, same, Buffer.from(message as string), metadata, options, done),
    );
  }

  collect(messages: string[], metadata = new grpc.Metadata()) {
    return outcome<grpc.ClientWritableStream<Buffer>>((done) => {
      const call = this.makeClientStreamRequest(SERVICE.collect.path, same, same, metadata, done);
      for (const message of messages) call.write(Buffer.from(message));
      call.end();
      return call;
    });
  }

  list(message: string, metadata = new grpc.Metadata()): grpc.ClientReadableStream<Buffer> {
    return this.makeServerStreamRequest(SERVICE.list.path, same, same, Buffer.from(message), metadata);
  }

  chat(metadata = new grpc.Metadata()): grpc.ClientDuplexStream<Buffer, Buffer> {
    return this.makeBidiStreamRequest(SERVICE.chat.path, same, same, metadata);
  }
}

function credentialsFor(proxy: RecordingProxy, secure: boolean): grpc.ChannelCredentials {
  return secure
    ? grpc.ChannelCredentials.createSsl(Buffer.from(proxy.ca.cert))
    : grpc.ChannelCredentials.createInsecure();
}

/** Resolves when the call is over, however it went: its status comes after its message. */
function outcome<Call extends NodeJS.EventEmitter>(
  start: (done: grpc.requestCallback<Buffer>) => Call,
): Promise<Outcome> {
  return new Promise((resolve) => {
    let metadata = new grpc.Metadata();
    let answer: Pick<Outcome, 'message' | 'error'> = {};
    const call = start((error, message) => {
      answer = { error: error ?? undefined, message };
    });
    call.on('metadata', (received: grpc.Metadata) => {
      metadata = received;
    });
    call.on('status', (status: grpc.StatusObject) => {
      // The callback runs before or after, as it likes.
      setImmediate(() => resolve({ ...answer, status, metadata }));
    });
  });
}

/** How a stream of messages ended, and what came before. */
export async function drained(
  call: grpc.ClientReadableStream<Buffer>,
): Promise<{ messages: string[]; status: grpc.StatusObject }> {
  const messages: string[] = [];
  const status = new Promise<grpc.StatusObject>((resolve) => call.once('status', resolve));
  // An error is a status too.
  call.on('error', () => undefined);
  call.on('data', (message: Buffer) => messages.push(message.toString()));
  return { status: await status, messages };
}

/** A message as it stands in the body (the length-prefixed message of gRPC over HTTP/2). */
export function framed(message: Buffer | string): Buffer {
  const octets = Buffer.from(message as string);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(octets.length, 1);
  return Buffer.concat([prefix, octets]);
}

/** What a test plays with. */
export interface Scene extends TalkServer {
  proxy: RecordingProxy;
  client: TalkClient;
}

/** Runs `play` with a gRPC server, a proxy, and a client of the server that goes through the proxy. */
export async function withTalk(
  { secure, ...options }: { secure: boolean } & ProxyOptions,
  talk: Talk,
  play: (scene: Scene) => Promise<void>,
): Promise<void> {
  const served = await serveTalk(talk, secure);
  const { port, ca, server } = served;
  const proxy = await testProxy({ ...options, hosts: { [NAME]: `127.0.0.1:${port}` }, upstreamCa: ca });
  const client = TalkClient.through(proxy, secure);
  try {
    await play({ ...served, proxy, client });
  } finally {
    client.close();
    server.forceShutdown();
  }
}

/** A match for a method's calls. */
export const called = (method: string) => ({ path: `/sluice.test.Talk/${method}` });

/** The status that a response's trailers carry. */
export const statusOf = ({ response }: HttpFlow) => response?.trailers?.get('grpc-status');

/** Something to wait for. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
