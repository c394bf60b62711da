/** Where to send requests, and which certificates to trust there. */
export interface Way {
  /** The proxy's address. */
  readonly server: string;
  /** PEM. None: what Node trusts by itself. */
  readonly trusted: readonly string[];
}
