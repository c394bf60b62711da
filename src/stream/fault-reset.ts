const BRAND = Symbol.for('sluice.faultReset');

/**
 * What a transform throws to have the exchange's connections reset: with TCP RST, or over HTTP/2 with RST_STREAM. The
 * flow ends with FAULT_RESET, which is what somebody wanted and fails no test.
 */
export class FaultReset extends Error {
  readonly [BRAND] = true;

  constructor(message: string) {
    super(message);
    this.name = 'FaultReset';
  }
}

/** Whether `thrown` is a {@link FaultReset}, from whichever copy of the package. */
export function isFaultReset(thrown: unknown): boolean {
  return typeof thrown === 'object' && thrown !== null && BRAND in thrown;
}
