import { setImmediate } from 'node:timers/promises';
import { WebSocketMessageRecord } from '../../flow/websocket.js';
import { type AssembledMessage, Assembler, type AssemblerSetup } from '../assembler.js';
import type { Told } from './ws.js';

export interface Assembling {
  assembler: Assembler;
  /** What was told, in order; a violation is an error. */
  told: Told[];
  messages: AssembledMessage[];
  /** What the violations said. */
  violations: string[];
  /** Resolves when everything that is whole has been told. */
  idle(): Promise<void>;
}

/** An assembler that writes down what it tells. @param setup what is not as in a plain connection's server side */
export function assembling(
  setup: Partial<AssemblerSetup> = {},
  onDrain: () => void = () => undefined,
): Assembling {
  const told: Told[] = [];
  const messages: AssembledMessage[] = [];
  const violations: string[] = [];
  const whole: AssemblerSetup = {
    masked: false,
    deflate: undefined,
    opaque: false,
    limit: Number.POSITIVE_INFINITY,
    bearable: Number.POSITIVE_INFINITY,
    recycled: false,
    ...setup,
  };
  const assembler = new Assembler(whole, {
    message: (message) => {
      messages.push(message);
      told.push({ type: message.type, data: contentOf(message).toString('hex') });
    },
    ping: (type, data) => told.push({ type, data: data.toString('hex') }),
    close: (code, reason) => told.push({ type: 'close', code: code ?? 1005, reason }),
    violation: (code, what) => {
      told.push({ type: 'error', code });
      violations.push(what);
    },
    drain: onDrain,
  });
  const idle = async () => {
    while (assembler.ending) await setImmediate();
  };
  return { assembler, told, messages, violations, idle };
}

/** What is stored of a message's content. */
export function contentOf(message: AssembledMessage): Buffer {
  return recordOf(message).data;
}

/** The record that a session would make of it. */
export function recordOf(message: AssembledMessage): WebSocketMessageRecord {
  return new WebSocketMessageRecord({ warn: () => undefined }, message);
}
