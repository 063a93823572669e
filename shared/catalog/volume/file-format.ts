/** What a file is, by its first bytes; extensions are what people make of them. */
export type FileFormat = "custom" | "gzip" | "zstd" | "age" | "plain-sql" | "unknown";

export const MAGIC_BYTES = 512;

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
