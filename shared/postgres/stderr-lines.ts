import type { Readable } from "node:stream";

export type StderrLines = {
  /** What was kept so far: the first lines and the last, each cut to a bearable length. */
  lines(): readonly string[];
  /** The same, once the child has closed its end. */
  complete(): Promise<readonly string[]>;
};

const KEPT_AT_EACH_END = 50;
const MAX_LINE_LENGTH = 1_000;

/** Reads what a child complains of, a million lines if it must, and keeps a bounded part of it without secrets. */
export function stderrLines(stream: Readable, secrets: readonly string[]): StderrLines {
  const first: string[] = [];
  const last: string[] = [];
  let broken = "";
  let dropped = 0;

  function keep(line: string): void {
    if (line.trim() === "") return;
    const text = redact(line.slice(0, MAX_LINE_LENGTH), secrets);
    if (first.length < KEPT_AT_EACH_END) return void first.push(text);
    last.push(text);
    if (last.length <= KEPT_AT_EACH_END) return;
    last.shift();
    dropped++;
  }

  const decoder = new TextDecoder();
  const ended = new Promise<void>((resolve) => {
    stream.on("data", (chunk: Uint8Array) => {
      const [unfinished = "", ...lines] = (broken + decoder.decode(chunk, { stream: true }))
        .split("\n")
        .toReversed();
      for (const line of lines.toReversed()) keep(line);
      broken = unfinished.slice(0, MAX_LINE_LENGTH);
    });
    stream.on("close", () => {
      keep(broken);
      broken = "";
      resolve();
    });
    stream.on("error", () => resolve());
  });

  function lines(): readonly string[] {
    return dropped === 0 ? [...first, ...last] : [...first, `(${dropped} lines left out)`, ...last];
  }
  return { lines, complete: () => ended.then(lines) };
}

function redact(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret !== "")
    .reduce((clean, secret) => clean.replaceAll(secret, "***"), text);
}
