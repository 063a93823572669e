import type { RunContext } from "./run.ts";

const REPORT_EVERY_MS = 2_000;

/** How far a long step is, in numbers. What cannot be known is left out. */
export type Progress = {
  readonly bytes: number;
  readonly expectedBytes?: number | undefined;
  readonly bytesPerSecond: number;
  readonly remainingSeconds?: number | undefined;
};

export function progressOf(bytes: number, expectedBytes: number | undefined, elapsedMs: number): Progress {
  const bytesPerSecond = Math.round((bytes * 1_000) / Math.max(1, elapsedMs));
  const leftBytes = expectedBytes === undefined ? undefined : Math.max(0, expectedBytes - bytes);
  const remainingSeconds =
    leftBytes === undefined || bytesPerSecond === 0 ? undefined : Math.ceil(leftBytes / bytesPerSecond);
  return { bytes, expectedBytes, bytesPerSecond, remainingSeconds };
}

type Passing = {
  /** What is passed on, as it stands in each line: `{dumping: "hets"}`. */
  readonly what: Readonly<Record<string, unknown>>;
  readonly expectedBytes: number | undefined;
};

/** Passes `archive` on unchanged, and reports at its begin and at most every two seconds how much has passed. */
export async function* withProgress(
  archive: AsyncIterable<Uint8Array>,
  { what, expectedBytes }: Passing,
  report: RunContext["progress"],
): AsyncGenerator<Uint8Array> {
  const begunMs = performance.now();
  let reportedMs = -Infinity;
  let bytes = 0;
  for await (const chunk of archive) {
    bytes += chunk.length;
    const nowMs = performance.now();
    if (nowMs - reportedMs >= REPORT_EVERY_MS) {
      reportedMs = nowMs;
      report({ ...what, ...progressOf(bytes, expectedBytes, nowMs - begunMs) });
    }
    yield chunk;
  }
}
