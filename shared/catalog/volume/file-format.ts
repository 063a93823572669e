import { constants, gunzipSync } from "node:zlib";
import type { ArchiveFormat } from "../../postgres/archive-format.ts";

/** What a file is, by its first bytes; extensions are what people make of them. */
export type FileFormat = "custom" | "gzip" | "zstd" | "age" | "plain-sql" | "unknown";

export const MAGIC_BYTES = 512;
/** By then a dump has said that it is one. */
const TELLING_BYTES = 64;

/** A plain dump opens with comments, with `\restrict`, or (a whole cluster's, or an edited one) with a statement. */
const PLAIN_DUMP = /^(?:\s*|--[^\n]*\n|\\restrict \w+\n)*(?:SET |CREATE |-- PostgreSQL|SELECT pg_catalog)/;

export function fileFormat(head: Uint8Array): FileFormat {
  const text = String.fromCharCode(...head.subarray(0, MAGIC_BYTES));
  if (text.startsWith("PGDMP")) return "custom";
  if (text.startsWith("\x1f\x8b")) return "gzip";
  if (text.startsWith("\x28\xb5\x2f\xfd")) return "zstd";
  if (text.startsWith("age-encryption.org/v1\n")) return "age";
  return text.includes("-- PostgreSQL database") || PLAIN_DUMP.test(text) ? "plain-sql" : "unknown";
}

/** The same, and what of gzip it holds where that can be told. Pods for other databases name their files in the same way. */
export function contentFormat(head: Uint8Array): ArchiveFormat | FileFormat | `gzip of ${string}` {
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
