import type pg from "pg";

export type Session = <Result>(work: (client: pg.Client) => Promise<Result>) => Promise<Result>;

/** Two sessions side by side: while one reads, the other waits. */
const AT_ONCE = 2;

/** Gives one after the other to whichever of some sessions is free, in their order. */
export async function workThrough<Item>(
  session: Session,
  items: readonly Item[],
  work: (client: pg.Client, item: Item) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, () =>
      session(async (client) => {
        // They take from the same iterator.
        for (const item of waiting) await work(client, item);
      }),
    ),
  );
}
