import { ROW_HASH_CODE } from "./row-hash-code.ts";

/** Where row-hash.wat reads, and how much at a time. */
const INPUT = 256;
const PIECE_BYTES = 256 << 10;

/**
 * What the rows of a table come to, in 32 hexadecimal digits: a hash of each line, added up modulo 2^128. It finds what was
 * lost or altered by accident; against a forger stand the archive's SHA-256 and the manifest's signature.
 */
export type RowsHash = string;
export const NO_ROWS: RowsHash = "0".repeat(32);

/** Which hash that is: another one is to have another name. */
export const HASHING = "murmur3-x64-128-sum";

export type CopyRows = {
  /** Begins with the rows of another table. */
  begin(): void;
  /** Reads from `from` on and returns where it stopped: the end of `bytes`, or behind the line that ends the data. */
  read(bytes: Uint8Array, from: number): number;
  isAtEnd(): boolean;
  count(): number;
  hash(): RowsHash;
};

/** The types of Node have no WebAssembly, and those of browsers have much else. */
declare const WebAssembly: {
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

type Code = {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly rows: { readonly value: bigint };
  readonly low: { readonly value: bigint };
  readonly high: { readonly value: bigint };
  readonly atEnd: { readonly value: number };
  begin(): void;
  read(count: number): number;
};

let compiled: object | undefined;

/** Counts and hashes the lines of COPY text up to the line `\.`. */
export function copyRows(): CopyRows {
  compiled ??= new WebAssembly.Module(Buffer.from(ROW_HASH_CODE, "base64"));
  const code = new WebAssembly.Instance(compiled).exports as Code;
  const input = new Uint8Array(code.memory.buffer, INPUT, PIECE_BYTES);
  return {
    begin: () => code.begin(),
    read(bytes, from) {
      let at = from;
      while (at < bytes.length && code.atEnd.value === 0) {
        const piece = bytes.subarray(at, at + PIECE_BYTES);
        input.set(piece);
        at += code.read(piece.length);
      }
      return at;
    },
    isAtEnd: () => code.atEnd.value === 1,
    count: () => Number(code.rows.value),
    hash: () => toHash((BigInt.asUintN(64, code.high.value) << 64n) | BigInt.asUintN(64, code.low.value)),
  };
}

/** Of the rows of both: a table may have several COPYs, and rows of one may lie in several. */
export function addHashes(one: RowsHash, other: RowsHash): RowsHash {
  return toHash(BigInt(`0x${one}`) + BigInt(`0x${other}`));
}

function toHash(sum: bigint): RowsHash {
  return BigInt.asUintN(128, sum).toString(16).padStart(32, "0");
}
