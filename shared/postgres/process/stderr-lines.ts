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
  const clean = redactor(secrets);
  const first: string[] = [];
  const last: string[] = [];
  let broken = "";
  let dropped = 0;

  function keep(line: string): void {
    if (line.trim() === "") return;
    const text = clean.line(line);
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
      broken = unfinished.slice(0, clean.readLength);
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

/** Cuts lines, and leaves no part of a secret in them, not even of one that is cut through. */
function redactor(secrets: readonly string[]) {
  const given = secrets.filter((secret) => secret !== "");
  const longest = Math.max(0, ...given.map(({ length }) => length));
  const readLength = MAX_LINE_LENGTH + longest;
  return {
    readLength,
    line(text: string): string {
      const read = text.slice(0, readLength);
      const clean = given.reduce((sofar, secret) => sofar.replaceAll(secret, "***"), read);
      const whole = text.length < readLength ? clean : clean.slice(0, clean.length - longest);
      return whole.slice(0, MAX_LINE_LENGTH);
    },
  };
}
