import { unlessAborted } from "./unless-aborted.ts";

/**
 * One look for all callers that ask while the one before is under way: what each gets was begun after it had asked, and however
 * many ask, two looks at most are in the making. A caller's `signal` ends its waiting, not the look.
 */
export function lookTogether<Found>(
  look: (signal: AbortSignal) => Promise<Found>,
): (signal: AbortSignal) => Promise<Found> {
  const never = new AbortController().signal;
  let last: Promise<unknown> = Promise.resolve();
  let next: Promise<Found> | undefined;

  async function after(previous: Promise<unknown>): Promise<Found> {
    await previous.catch(() => undefined);
    next = undefined;
    return look(never);
  }

  return (signal) => {
    last = next ??= after(last);
    return unlessAborted(next, signal);
  };
}
