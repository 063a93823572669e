import { randomBytes } from "node:crypto";
import { Transform } from "node:stream";

/**
 * pg_dump of a release with `\restrict` writes it behind its opening comment, and its opposite behind the closing one. A mark of
 * byte order, as editors leave it, psql passes over at the beginning of a file alone.
 */
const OPENING = /^(?:\xef\xbb\xbf)?(?:(?:(?:--[^\n]*)?\r?\n)*\\restrict \w+\r?\n)?/;
const CLOSING = /\n\\unrestrict \w+\s*$/;
const LOOKED_AT_BYTES = 4096;

/**
 * A script behind a `\restrict` of our own, whose key is known to this process alone: psql itself then runs none of the commands in it,
 * however well they are hidden from a reader. The pair that pg_dump wrote would not be understood within, and is left out, and so
 * is all that follows the first `bytes`.
 */
export function restricted(bytes = Infinity): Transform {
  const opening = `\\restrict ${randomBytes(24).toString("hex")}\n`;
  let kept: Buffer = Buffer.alloc(0);
  let hasBegun = false;
  let left = bytes;

  function begin(head: Buffer): Buffer {
    hasBegun = true;
    const skipped = OPENING.exec(head.subarray(0, LOOKED_AT_BYTES).toString("latin1"))?.[0].length ?? 0;
    return Buffer.concat([Buffer.from(opening), head.subarray(skipped)]);
  }

  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const taken = chunk.subarray(0, left);
      left -= taken.length;
      kept = Buffer.concat([kept, taken]);
      if (!hasBegun && kept.length >= LOOKED_AT_BYTES) kept = begin(kept);
      const at = hasBegun ? Math.max(0, kept.length - LOOKED_AT_BYTES) : 0;
      if (at > 0) this.push(kept.subarray(0, at));
      kept = kept.subarray(at);
      done();
    },
    flush(done) {
      const rest = hasBegun ? kept : begin(kept);
      this.push(Buffer.from(rest.toString("latin1").replace(CLOSING, "\n"), "latin1"));
      done();
    },
  });
}
