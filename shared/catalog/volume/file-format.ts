import { constants, gunzipSync } from "node:zlib";

const UTF_16 = "text in UTF-16, as PowerShell writes it";

/** What people make of dumps besides: none of it is loaded here, and each is listed by its name. */
const OTHERS: readonly (readonly [begins: string, at: number, name: string])[] = [
  ["toc.dat\0", 0, "pg_dump's tar format: pg_restore reads it"],
  ["ustar", 257, "a tar archive"],
  ["\xfd7zXZ\0", 0, "xz"],
  ["BZh", 0, "bzip2"],
  ["\x04\x22\x4d\x18", 0, "lz4"],
  ["PK\x03\x04", 0, "zip"],
  ["\xff\xfe", 0, UTF_16],
  ["\xfe\xff", 0, UTF_16],
];

export const MAGIC_BYTES = 512;
/** By then a dump has said that it is one. */
const TELLING_BYTES = 64;

/** A plain dump opens with comments, with `\restrict`, or (a whole cluster's, or an edited one) with a statement. */
const PLAIN_DUMP = /^(?:\s*|--[^\n]*\n|\\restrict \w+\n)*(?:SET |CREATE |-- PostgreSQL|SELECT pg_catalog)/;

/** What a file is, by its first bytes; extensions are what people make of them. */
function fileFormat(head: Uint8Array): string {
  const text = String.fromCharCode(...head.subarray(0, MAGIC_BYTES));
  if (text.startsWith("PGDMP")) return "custom";
  if (text.startsWith("\x1f\x8b")) return "gzip";
  if (text.startsWith("\x28\xb5\x2f\xfd")) return "zstd";
  if (text.startsWith("age-encryption.org/v1\n")) return "age";
  if (text.includes("-- PostgreSQL database") || PLAIN_DUMP.test(text)) return "plain-sql";
  return OTHERS.find(([begins, at]) => text.startsWith(begins, at))?.[2] ?? "unknown";
}

/** The same, and what a gzip file holds where that can be seen. Pods for other databases name their files in the same way. */
export function contentFormat(head: Uint8Array): string {
  const format = fileFormat(head);
  if (format !== "gzip") return format;
  const plain = beginningOf(head);
  // Reading the whole file finds what is damaged or cut at its beginning.
  if (plain === undefined || plain.length < TELLING_BYTES) return "gzip-sql";
  const packed = fileFormat(plain);
  if (packed === "plain-sql") return "gzip-sql";
  return packed === "custom"
    ? "gzip of pg_dump's custom format: unpacked, pg_restore reads it"
    : `gzip of ${packed}`;
}

function beginningOf(head: Uint8Array): Buffer | undefined {
  try {
    return gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return undefined;
  }
}
