import { createHash, type Hash } from "node:crypto";

/** The table of contents is at the beginning: there it matters where exactly something differs. */
const FINE_BYTES = 4 << 10;
const FINE_PIECES = 4 << 10;
const COARSE_BYTES = 8 << 20;

type PieceHashes = {
  push(chunk: Uint8Array): void;
  /** Of the pieces that are complete. */
  complete(): readonly Buffer[];
  /** Of all, when no more comes. */
  end(): readonly Buffer[];
};

/** At which byte a piece begins. */
export function pieceStart(piece: number): number {
  const fine = Math.min(piece, FINE_PIECES);
  return fine * FINE_BYTES + (piece - fine) * COARSE_BYTES;
}

/** Hashes what passes by piece after piece; the borders are the same however the chunks come. */
export function pieceHashes(): PieceHashes {
  const hashes: Buffer[] = [];
  let hash: Hash | undefined;
  let at = 0;

  function push(chunk: Uint8Array): void {
    for (let from = 0; from < chunk.length;) {
      const end = pieceStart(hashes.length + 1);
      const part = chunk.subarray(from, from + end - at);
      hash = (hash ?? createHash("sha256")).update(part);
      from += part.length;
      at += part.length;
      if (at === end) finish();
    }
  }

  function finish(): void {
    if (hash !== undefined) hashes.push(hash.digest());
    hash = undefined;
  }

  return {
    push,
    complete: () => hashes,
    end() {
      finish();
      return hashes;
    },
  };
}
