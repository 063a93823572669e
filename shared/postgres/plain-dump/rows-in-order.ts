import type { CopyRows } from "./copy-rows.ts";

const NEWLINE = 0x0a;
const TAB = "\t";

/** Reads rows whose values stand in another order: `order` has, for each place, where its value stands. */
export function rowsInOrder(rows: CopyRows, order: readonly number[]): CopyRows {
  let broken: Buffer = Buffer.alloc(0);

  function readLine(line: string): void {
    const values = line.split(TAB);
    // Of the end of the data, which is no row, there is one.
    const ordered = values.length === order.length ? order.map((place) => values[place] ?? "") : values;
    rows.read(Buffer.from(`${ordered.join(TAB)}\n`, "latin1"), 0);
  }

  return {
    ...rows,
    begin() {
      broken = Buffer.alloc(0);
      rows.begin();
    },
    read(bytes, from) {
      let at = from;
      while (at < bytes.length && !rows.isAtEnd()) {
        const end = bytes.indexOf(NEWLINE, at);
        broken = Buffer.concat([broken, bytes.subarray(at, end === -1 ? bytes.length : end)]);
        if (end === -1) return bytes.length;
        readLine(broken.toString("latin1"));
        broken = Buffer.alloc(0);
        at = end + 1;
      }
      return at;
    },
  };
}

/** Where each of the wanted columns stands among those that are there; undefined where nothing need be moved, or nothing can. */
export function orderOf(wanted: readonly string[], found: readonly string[]): number[] | undefined {
  const places = wanted.map((column) => found.indexOf(column));
  const isSame = wanted.length !== found.length || places.every((place, index) => place === index);
  return isSame || places.includes(-1) ? undefined : places;
}
