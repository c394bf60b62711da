import type { FlowErrorCode } from '../errors.js';

/** Why no connection to an origin could be had. */
export class OriginFailure extends Error {
  constructor(
    readonly code: FlowErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'OriginFailure';
  }
}
