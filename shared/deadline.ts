import type { DormouseError } from "./errors.ts";

/** What `ask` gives within `ms`; `late` is thrown when it is told to stop then. */
export async function within<Answer>(
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
