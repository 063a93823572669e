const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
/** `\.` and perhaps a carriage return: what is longer cannot end the data. */
const MAX_TERMINATOR_LENGTH = 3;

export type CopyRows = {
  /** Reads from `from` on and returns where it stopped: the end of `bytes`, or behind the line that ends the data. */
  read(bytes: Uint8Array, from: number): number;
  isAtEnd(): boolean;
  count(): number;
};

/** Counts the lines of COPY text up to the line `\.`; a backslash in a value is doubled, so no row looks like it. */
export function copyRows(): CopyRows {
  let rows = 0;
  let atEnd = false;
  /** The first bytes of the line that the bytes before broke off, one more than can matter. */
  let broken: number[] = [];

  function endLine(bytes: Uint8Array, start: number, end: number): void {
    const length = broken.length + end - start;
    // The common case first: a row is longer than any terminator, and is not looked at.
    if (length <= MAX_TERMINATOR_LENGTH && isTerminator([...broken, ...bytes.subarray(start, end)]))
      atEnd = true;
    else rows++;
    if (broken.length > 0) broken = [];
  }

  function read(bytes: Uint8Array, from: number): number {
    let start = from;
    while (!atEnd) {
      const end = bytes.indexOf(NEWLINE, start);
      if (end === -1) {
        const room = MAX_TERMINATOR_LENGTH + 1 - broken.length;
        broken.push(...bytes.subarray(start, start + room));
        return bytes.length;
      }
      endLine(bytes, start, end);
      start = end + 1;
    }
    return start;
  }

  return { read, isAtEnd: () => atEnd, count: () => rows };
}

function isTerminator([backslash, dot, carriageReturn, ...rest]: readonly number[]): boolean {
  const isBare = carriageReturn === undefined || carriageReturn === CARRIAGE_RETURN;
  return backslash === 0x5c && dot === 0x2e && isBare && rest.length === 0;
}
