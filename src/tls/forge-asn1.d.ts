/**
 * The part of node-forge that is used. @types/node-forge describes only the whole package, whose loading takes three
 * times as long.
 */
declare module 'node-forge/lib/asn1.js' {
  /** A value: octets as a binary (latin1) string, or what a constructed one holds. */
  export interface Asn1 {
    readonly tagClass: number;
    readonly type: number;
    readonly constructed: boolean;
    readonly value: string | Asn1[];
  }
  interface Octets {
    getBytes(): string;
  }
  type UniversalType =
    | 'BOOLEAN'
    | 'INTEGER'
    | 'BITSTRING'
    | 'OCTETSTRING'
    | 'NULL'
    | 'OID'
    | 'UTF8'
    | 'SEQUENCE'
    | 'SET'
    | 'UTCTIME'
    | 'GENERALIZEDTIME';
  const asn1: {
    readonly Class: { readonly UNIVERSAL: number; readonly CONTEXT_SPECIFIC: number };
    readonly Type: { readonly [T in UniversalType]: number };
    create(tagClass: number, type: number, constructed: boolean, value: string | Asn1[]): Asn1;
    fromDer(der: string, options?: { decodeBitStrings?: boolean }): Asn1;
    toDer(value: Asn1): Octets;
    oidToDer(oid: string): Octets;
    derToOid(der: string): string;
    dateToUtcTime(date: Date): string;
    dateToGeneralizedTime(date: Date): string;
  };
  export default asn1;
}
