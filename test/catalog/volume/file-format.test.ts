import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { contentFormat } from "../../../shared/catalog/volume/file-format.ts";

const DUMP = "--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\nSET lock_timeout = 0;\n";
const bytes = (latin1: string) => Buffer.from(latin1, "latin1");
const TAR = `notes.txt${"\0".repeat(248)}ustar  \0${"\0".repeat(247)}`;

const ROWS: readonly (readonly [what: string, head: Uint8Array, format: RegExp])[] = [
  ["a dump", bytes(DUMP), /^plain-sql$/],
  ["a dump behind a mark of byte order", bytes(`\xef\xbb\xbf${DUMP}`), /^plain-sql$/],
  ["a dump with the line breaks of Windows", bytes(DUMP.replaceAll("\n", "\r\n")), /^plain-sql$/],
  ["a dump in gzip", gzipSync(DUMP), /^gzip-sql$/],
  ["an archive of pg_dump", bytes("PGDMP\x01\x0e"), /^custom$/],
  ["the same in gzip", gzipSync(`PGDMP\x01${"x".repeat(99)}`), /^gzip of pg_dump's custom format/],
  ["pg_dump's tar format", bytes(`toc.dat\0${"\0".repeat(504)}`), /tar format: pg_restore reads it/],
  ["a tar archive", bytes(TAR), /^a tar archive$/],
  ["a tar archive in gzip", gzipSync(bytes(TAR)), /^gzip of a tar archive$/],
  ["xz", bytes("\xfd7zXZ\0\0\x04"), /^xz$/],
  ["bzip2", bytes("BZh91AY&SY"), /^bzip2$/],
  ["zstd", bytes("\x28\xb5\x2f\xfd\0"), /^zstd$/],
  ["lz4", bytes("\x04\x22\x4d\x18\x64"), /^lz4$/],
  ["zip", bytes("PK\x03\x04\x14"), /^zip$/],
  ["a dump by PowerShell", Buffer.from(`\ufeff${DUMP}`, "utf16le"), /UTF-16/],
  ["nothing known", bytes("\0\0\0\0"), /^unknown$/],
];

describe("what a file is called by its content", () => {
  for (const [what, head, format] of ROWS)
    it(`of ${what}`, () => assert.match(contentFormat(head.subarray(0, 512)), format));
});
