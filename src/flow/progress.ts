/**
 * How far a flow has come, for whoever waits for it to come further.
 * @module
 */
import type { FlowRecord } from './flow.js';
import { isFlow } from './flow.js';
import type { MessageRecord } from './message.js';
import type { TcpFlow } from './tcp-types.js';
import type { HttpFlow, Message } from './types.js';

/** Whether `value` is a request or a response of a flow, from whichever copy of the package. */
export function isMessage(value: unknown): value is Message {
  return (
    typeof value === 'object' &&
    value !== null &&
    'transfer' in value &&
    'headers' in value &&
    'bodyStatus' in value
  );
}

/** Whether `value` is a TCP flow, from whichever copy of the package. */
export function isTcpFlow(value: unknown): value is TcpFlow {
  return (
    typeof value === 'object' &&
    value !== null &&
    'type' in value &&
    value.type === 'tcp' &&
    'messages' in value &&
    'received' in value
  );
}

/** The flow a message is part of; `undefined` for one that no proxy has recorded. */
export function flowOf(message: Message): HttpFlow | undefined {
  const { owner } = message as Partial<MessageRecord>;
  return isFlow(owner) ? owner : undefined;
}

/** Whether nothing about it will change any more: a message that is complete, or anything whose flow has ended. */
export function isOver(recorded: Message | HttpFlow | TcpFlow): boolean {
  if (!isMessage(recorded)) return (recorded as Partial<FlowRecord>).settled !== false;
  const flow = flowOf(recorded);
  return recorded.complete || flow === undefined || isOver(flow);
}

/** Whether the message's head has gone out, so that no hook can edit it any more. */
export function isHeadFinal(message: Message): boolean {
  return isOver(message) || (message as Partial<MessageRecord>).headSent === true;
}

/** Calls back whenever the flow, or one of its messages, has come further. @returns what stops it */
export function onProgress(flow: HttpFlow | TcpFlow, listener: () => void): () => void {
  const { onProgress: listen } = flow as Partial<FlowRecord>;
  return listen === undefined ? () => undefined : listen.call(flow, listener);
}
