import type { DormouseError } from "./errors.ts";

/** A signal that never aborts. */
export const never = new AbortController().signal;

/** The results in the order of `entries`, of which no more than `count` are worked on at once; none is begun after one has failed. */
export async function mapConcurrently<Entry, Result>(
  entries: readonly Entry[],
  count: number,
  work: (entry: Entry) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const waiting = entries.entries();
  let hasFailed = false;
  async function workOn(): Promise<void> {
    // They take from the same iterator.
    for (const [index, entry] of waiting) {
      if (hasFailed) return;
      results[index] = await work(entry);
    }
  }
  const workers = Array.from({ length: Math.min(count, entries.length) }, async () => {
    await workOn().catch((error: unknown) => {
      hasFailed = true;
      throw error;
    });
  });
  await Promise.all(workers);
  return results;
}

export type InTurn = <Result>(work: () => Promise<Result>) => Promise<Result>;

/** Runs `atOnce` pieces of work at once, and the others in the order in which they came. */
export function inTurn(atOnce: number): InTurn {
  const waiting: (() => void)[] = [];
  let free = atOnce;
  return async (work) => {
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    else free -= 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}

/** What `ask` gives within `ms`; `late` is thrown when it has not ended by then. */
export async function withTimeout<Answer>(
  ms: number,
  signal: AbortSignal,
  ask: (signal: AbortSignal) => Promise<Answer>,
  late: (seconds: number, cause: unknown) => DormouseError,
): Promise<Answer> {
  const limit = AbortSignal.timeout(ms);
  try {
    return await ask(AbortSignal.any([signal, limit]));
  } catch (error) {
    throw limit.aborted && !signal.aborted ? late(ms / 1000, error) : error;
  }
}

/** Makes a value when it is first asked for, and once. A failure is not kept: the next call tries again. */
export function lazily<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => {
    const making = (made ??= make());
    making.catch(() => {
      if (made === making) made = undefined;
    });
    return making;
  };
}

/**
 * One call of `read` for all callers that come while the one before is under way: what each gets was begun after it had come,
 * and however many come, two calls at most are under way. A caller's `signal` ends its waiting, not the call.
 */
export function coalesced<Found>(
  read: (signal: AbortSignal) => Promise<Found>,
): (signal: AbortSignal) => Promise<Found> {
  let last: Promise<unknown> = Promise.resolve();
  let next: Promise<Found> | undefined;

  async function after(previous: Promise<unknown>): Promise<Found> {
    await previous.catch(() => undefined);
    next = undefined;
    return read(never);
  }

  return (signal) => {
    last = next ??= after(last);
    return unlessAborted(next, signal);
  };
}

/** What `promise` gives, unless `signal` aborts before: then its reason is thrown, and `promise` is left to itself. */
export async function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
