import { execa } from "execa";
import { setTimeout as pause } from "node:timers/promises";

/** What kubectl printed. `line` is split at spaces; `more` are arguments as they are. Throws with kubectl's own words. */
export async function kubectl(line: string, more: readonly string[] = [], input?: string): Promise<string> {
  const options = { timeout: 1_000_000, ...(input === undefined ? {} : { input }) };
  const { stdout } = await execa("kubectl", [...line.split(" "), ...more], options);
  return stdout;
}

export async function kubectlJson<Result>(line: string): Promise<Result> {
  return JSON.parse(await kubectl(`${line} --output=json`)) as Result;
}

/**
 * Asks every half second until the answer is something, and returns that. The limit is for what will never come: it is
 * generous, since a cluster that shares its processors may take its time.
 */
export async function eventually<Result>(
  what: string,
  ask: () => Promise<Result | undefined | false>,
  limitMs = 240_000,
): Promise<Result> {
  const until = performance.now() + limitMs;
  let fault: unknown;
  while (performance.now() < until) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      fault = undefined;
    } catch (error) {
      fault = error;
    }
    await pause(500);
  }
  throw new Error(`${what}: not within ${limitMs / 1000} s`, { cause: fault });
}
